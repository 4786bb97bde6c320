import type { ByteStream } from '../blocks.ts'
import { HoldfastError } from '../errors.ts'

/** A stream of one chunk: the text as UTF-8, or the bytes themselves (lent, not copied). For small things: descriptors, manifests. */
export function bytesOf(content: string | Uint8Array): ByteStream {
  const bytes = typeof content === 'string' ? new TextEncoder().encode(content) : content
  return chunks(bytes)
}

async function* chunks(bytes: Uint8Array): AsyncGenerator<Uint8Array, void, undefined> {
  if (bytes.length > 0) yield bytes
}

/**
 * Reads a whole stream into memory and disposes it on every path. `limit` is in bytes: a stream that is longer throws UNSUPPORTED at once, so that
 * a hostile or damaged peer cannot fill the memory; `name` says in that message what was read. The stream's own errors pass through; aborting is the
 * stream's affair.
 */
export async function collectBytes(stream: ByteStream, limit: number, name = 'The stream'): Promise<Uint8Array> {
  const parts: Uint8Array[] = []
  let size = 0
  try {
    for await (const chunk of stream) {
      size += chunk.length
      if (size > limit) throw new HoldfastError('UNSUPPORTED', `${name} is longer than ${limit} bytes`, { details: { limit } })
      // The chunk is ours only until the next one is asked for.
      parts.push(new Uint8Array(chunk))
    }
  } finally {
    await stream[Symbol.asyncDispose]?.()
  }
  const whole = new Uint8Array(size)
  let at = 0
  for (const part of parts) {
    whole.set(part, at)
    at += part.length
  }
  return whole
}
