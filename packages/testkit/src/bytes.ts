import { createHash } from 'node:crypto'
import type { ByteStream, CallOptions } from '@holdfast/core/spec'

/** 64 KiB: what extents are aligned to. */
export const clusterBytes = 65536

export const sha256 = (bytes: Uint8Array): string => createHash('sha256').update(bytes).digest('hex')
export const sha1 = (bytes: Uint8Array): string => createHash('sha1').update(bytes).digest('hex')
export const text = (value: string): Uint8Array => new TextEncoder().encode(value)
const zeros = new Uint8Array(clusterBytes)
export function isZero(bytes: Uint8Array): boolean {
  for (let at = 0; at < bytes.length; at += clusterBytes) {
    const part = bytes.subarray(at, at + clusterBytes)
    if (Buffer.compare(part, zeros.subarray(0, part.length)) !== 0) return false
  }
  return true
}

export function concat(parts: readonly Uint8Array[]): Uint8Array {
  const whole = new Uint8Array(parts.reduce((sum, part) => sum + part.length, 0))
  let at = 0
  for (const part of parts) {
    whole.set(part, at)
    at += part.length
  }
  return whole
}

/** Reads a stream to its end, copying each chunk, and disposes of it on every path. */
export async function readAll(stream: ByteStream, { signal }: Partial<CallOptions> = {}): Promise<Uint8Array> {
  const parts: Uint8Array[] = []
  try {
    for await (const chunk of stream) {
      signal?.throwIfAborted()
      parts.push(new Uint8Array(chunk))
    }
  } finally {
    await stream[Symbol.asyncDispose]?.()
  }
  return concat(parts)
}

/**
 * The bytes as a stream that lends one buffer again and again, as fast producers do: who keeps a chunk without copying it finds other bytes
 * in it, and fails a test. `beforeChunk` is awaited before each chunk.
 */
export function lendingStream(
  bytes: Uint8Array,
  {
    signal,
    chunkBytes = 65536,
    beforeChunk,
  }: CallOptions & { readonly chunkBytes?: number; beforeChunk?(at: number): Promise<void> | void },
): ByteStream {
  async function* chunks(): AsyncGenerator<Uint8Array> {
    const lent = new Uint8Array(Math.min(chunkBytes, bytes.length))
    for (let at = 0; at < bytes.length; at += chunkBytes) {
      signal.throwIfAborted()
      await beforeChunk?.(at)
      const part = bytes.subarray(at, at + chunkBytes)
      lent.set(part)
      yield lent.subarray(0, part.length)
      lent.fill(0xee)
    }
  }
  return chunks()
}
