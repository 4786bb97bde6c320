import type { ByteStream, CallOptions } from '../blocks.ts'
import { abortError, throwIfAborted } from './abort.ts'

/** Takes chunks one by one from a stream that may hang: an abort is answered at once, whatever the stream does. */
export interface Pull {
  /** The next chunk that holds bytes; undefined at the end. */
  next(): Promise<Uint8Array | undefined>
  /** Whether this very error came from the stream, not from the storage. */
  threw(error: unknown): boolean
  /** Lets go of the stream; does not wait for it. */
  close(): void
}

/**
 * Begins to read a stream chunk by chunk. When the signal aborts, a `next` that waits rejects at once with ABORTED or the signal's reason, and what the
 * stream says afterwards is lost; the errors of the stream itself pass unchanged. A chunk is the reader's until the following `next`. Calls come one
 * after the other, and `close` on every path: it also ends a stream that was not read to its end.
 *
 * @example
 * ```ts
 * const pull = pullFrom(bytes, { signal })
 * try {
 *   for (let chunk = await pull.next(); chunk !== undefined; chunk = await pull.next()) await file.write(chunk)
 * } finally {
 *   pull.close()
 * }
 * ```
 */
export function pullFrom(bytes: ByteStream, { signal }: CallOptions): Pull {
  const iterator = bytes[Symbol.asyncIterator]()
  let ended = false
  let failure: { readonly error: unknown } | undefined
  let stop: ((error: unknown) => void) | undefined
  const onAbort = (): void => stop?.(abortError(signal))
  signal.addEventListener('abort', onAbort, { once: true })
  // Not a race against one promise that lives as long as the stream: that would keep a reaction for every chunk.
  const step = (): Promise<IteratorResult<Uint8Array>> =>
    new Promise((resolve, reject) => {
      stop = reject
      iterator.next().then(resolve, reject)
    })
  async function next(): Promise<Uint8Array | undefined> {
    throwIfAborted(signal)
    for (;;) {
      let result: IteratorResult<Uint8Array>
      try {
        result = await step()
      } catch (error) {
        ended = !signal.aborted
        failure = { error }
        throw error
      }
      if (result.done) {
        ended = true
        return undefined
      }
      if (result.value.length > 0) return result.value
    }
  }
  return {
    next,
    threw: (error) => failure !== undefined && failure.error === error,
    close() {
      signal.removeEventListener('abort', onAbort)
      if (!ended) Promise.resolve(iterator.return?.()).catch(() => undefined)
    },
  }
}
