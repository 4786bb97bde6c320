import type { FileHandle } from 'node:fs/promises'
import type { ByteStream, CallOptions, MappedBlocks } from '@holdfast/core/spec'
import { encodeQcow2 } from '@holdfast/disk-image'

/** Bytes of a disk that are read at once. */
const pieceBytes = 2 * 1024 * 1024

async function writeAll(handle: FileHandle, bytes: Uint8Array, position: number): Promise<void> {
  for (let done = 0; done < bytes.length; ) done += (await handle.write(bytes, done, bytes.length - done, position + done)).bytesWritten
}

/** Writes a stream from the beginning of the file. Resolves with its length. */
export async function writeStream(handle: FileHandle, stream: ByteStream): Promise<number> {
  let position = 0
  try {
    for await (const chunk of stream) {
      await writeAll(handle, chunk, position)
      position += chunk.length
    }
    return position
  } finally {
    await stream[Symbol.asyncDispose]?.()
  }
}

/** The disk as a qcow2 file without a backing file. Resolves with the length of the file. */
export async function writeQcow2(handle: FileHandle, blocks: MappedBlocks, { signal }: CallOptions): Promise<number> {
  const image = await encodeQcow2(blocks, { covers: 'all', signal })
  return await writeStream(handle, image.open({ signal }))
}

/** The disk as it is, with holes where it is zero: what is not data takes no room. The next piece is read while one is written. */
export async function writeRaw(handle: FileHandle, blocks: MappedBlocks, { signal }: CallOptions): Promise<number> {
  await handle.truncate(blocks.size)
  const buffers = [Buffer.allocUnsafeSlow(pieceBytes), Buffer.allocUnsafeSlow(pieceBytes)] as const
  let written = 0
  let turn = 0
  let writing: Promise<void> = Promise.resolve()
  try {
    for await (const { offset, length } of pieces(blocks, { signal })) {
      const buffer = buffers[turn % 2 === 0 ? 0 : 1].subarray(0, length)
      turn++
      // The write before last, from this very buffer, is over: the last one was begun after it.
      await blocks.readInto(buffer, offset, { signal })
      await writing
      writing = writeAll(handle, buffer, offset)
      writing.catch(() => {})
      written += length
    }
  } finally {
    // The file is closed after this: no write may still be under way.
    await Promise.allSettled([writing])
  }
  await writing
  return written
}

async function* pieces(
  blocks: MappedBlocks,
  { signal }: CallOptions,
): AsyncGenerator<{ readonly offset: number; readonly length: number }> {
  for await (const { offset, length, kind } of blocks.extents({ signal })) {
    if (kind === 'zero') continue
    for (let at = 0; at < length; at += pieceBytes) yield { offset: offset + at, length: Math.min(pieceBytes, length - at) }
  }
}

/** Bytes that the disk holds as data. */
export async function dataBytesOf(blocks: MappedBlocks, { signal }: CallOptions): Promise<number> {
  let bytes = 0
  for await (const { length, kind } of blocks.extents({ signal })) if (kind === 'data') bytes += length
  return bytes
}
