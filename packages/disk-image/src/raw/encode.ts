import type { ByteStream, CallOptions, MappedBlocks } from '../blocks.ts'
import { checkSize } from '../clusters.ts'
import { rawExtents } from './extents.ts'

/** A disk as the bytes that it is. */
export interface EncodedRaw {
  /** Exact length in bytes of the stream: the size of the disk. */
  readonly size: number
  /** The bytes of the disk; each call reads the source again. Chunks are large and lent: yours until you ask for the next one. */
  open(options: CallOptions): ByteStream
}

/** Bytes of zeros that are given at once. */
const zeroBytes = 1024 * 1024

/** Zeros, always from the same buffer. Whoever had it may have written to it. */
function* zeros(buffer: Buffer, length: number, { signal }: CallOptions): Generator<Uint8Array> {
  for (let left = length; left > 0; ) {
    const chunk = buffer.subarray(0, left).fill(0)
    left -= chunk.length
    signal.throwIfAborted()
    yield chunk
  }
}

async function* stream(source: MappedBlocks, options: CallOptions): AsyncGenerator<Uint8Array> {
  const { size } = source
  const buffer = Buffer.allocUnsafeSlow(Math.min(size, zeroBytes))
  let position = 0
  for await (const { offset, bytes } of rawExtents(source, options)) {
    yield* zeros(buffer, offset - position, options)
    yield bytes
    position = offset + bytes.length
  }
  yield* zeros(buffer, size - position, options)
}

/**
 * A whole disk as its bytes in order, zeros included, so that it goes anywhere with a length known before the first byte. What is zero is never read; the
 * rest is read once, ahead of the writer. Memory does not depend on the size of the disk. The source stays the caller's.
 * @throws INVALID_OPTIONS: the size is no number of bytes; while reading: an extent out of order, unaligned or outside the disk. What the source throws passes through; an aborted signal rejects with its reason.
 */
export function encodeRaw(source: MappedBlocks): EncodedRaw {
  checkSize(source.size, 'the size of the disk')
  return { size: source.size, open: ({ signal }) => ({ [Symbol.asyncIterator]: () => stream(source, { signal }) }) }
}
