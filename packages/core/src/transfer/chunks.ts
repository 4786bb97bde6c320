import { createHash } from 'node:crypto'
import type { ByteStream, CallOptions } from '../spec/blocks.ts'
import type { Scope } from './scope.ts'

/** Bytes in one piece of work: large enough that the cost per piece does not show, small enough that two per stream do not either. */
export const pieceBytes = 512 * 1024

/** Where bytes pass that are paid for: counted and held back. */
export interface Flow {
  /** Resolves when these bytes may go on. */
  pass(bytes: number, options: CallOptions): Promise<void> | undefined
}

/** The bytes of a stream from a platform or repository, under the scope. On every path the iterator is returned and the stream disposed. */
export async function* readStream(stream: ByteStream, scope: Scope, flow?: Flow): AsyncGenerator<Uint8Array, void, undefined> {
  for await (const chunk of iterate(stream, scope)) {
    const held = flow?.pass(chunk.length, scope)
    if (held !== undefined) await waiting(held, scope)
    yield chunk
  }
}

/** A wait of our own making is no stall. */
export async function waiting(held: Promise<void>, scope: Scope): Promise<void> {
  const resume = scope.pause()
  try {
    await scope.race(held)
  } finally {
    resume()
  }
}

/** What an iterable of a plug-in gives; a failure of the scope ends a `next` that hangs. */
export async function* iterate<T>(iterable: AsyncIterable<T> & Partial<AsyncDisposable>, scope: Scope): AsyncGenerator<T, void, undefined> {
  const iterator = iterable[Symbol.asyncIterator]()
  let ended = false
  try {
    for (;;) {
      const next = await scope.race(iterator.next())
      if (next.done === true) break
      scope.touch()
      yield next.value
    }
    ended = true
  } finally {
    // A generator that hangs in `next` answers `return` only after that: dispose is what frees it.
    const returned = ended ? undefined : Promise.resolve(iterator.return?.()).catch(() => {})
    const disposed = iterable[Symbol.asyncDispose]?.()
    await scope.settle(Promise.allSettled([scope.failure === undefined ? returned : undefined, disposed]))
  }
}

/**
 * The same bytes in pieces of {@link pieceBytes}; only the last may be shorter, and with `passLarge` any before a large chunk. A piece stays whole while the next one is being asked for, and
 * until the one after that is (two buffers in turn), so that a codec can work on one while the next is filled. With `passLarge` a chunk that
 * is large already, and a whole number of `unit`s, is lent on as it is, for readers that need no such time.
 */
export async function* gather(chunks: AsyncIterable<Uint8Array>, passLarge = false, unit = 1): AsyncGenerator<Uint8Array, void, undefined> {
  let filling: Buffer = Buffer.allocUnsafeSlow(pieceBytes)
  let resting: Buffer | undefined
  let filled = 0
  for await (const chunk of chunks) {
    if (passLarge && filled % unit === 0 && chunk.length >= pieceBytes / 2 && chunk.length % unit === 0) {
      if (filled > 0) yield filling.subarray(0, filled)
      filled = 0
      yield chunk
      continue
    }
    for (let at = 0; at < chunk.length; ) {
      const part = chunk.subarray(at, at + pieceBytes - filled)
      filling.set(part, filled)
      filled += part.length
      at += part.length
      if (filled < pieceBytes) continue
      yield filling
      const free: Buffer = resting ?? Buffer.allocUnsafeSlow(pieceBytes)
      resting = filling
      filling = free
      filled = 0
    }
  }
  if (filled > 0) yield filling.subarray(0, filled)
}

/** What passed through {@link measured}; complete when the stream has ended. */
export interface Measure {
  readonly size: number
  /** Lower-case hex; only after the end. */
  readonly sha256: string
}

/** The same chunks; their number and SHA-256 are known when they have ended. */
export function measured(chunks: AsyncIterable<Uint8Array>): { readonly chunks: AsyncIterable<Uint8Array>; readonly measure: Measure } {
  const hash = createHash('sha256')
  const measure = { size: 0, sha256: '' }
  async function* pass(): AsyncGenerator<Uint8Array, void, undefined> {
    for await (const chunk of chunks) {
      hash.update(chunk)
      measure.size += chunk.length
      yield chunk
    }
    measure.sha256 = hash.digest('hex')
  }
  return { chunks: pass(), measure }
}

/** A stream of bytes that are in memory already. */
export async function* bytesOf(bytes: Uint8Array): AsyncGenerator<Uint8Array, void, undefined> {
  if (bytes.length > 0) yield bytes
}
