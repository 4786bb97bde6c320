import type { CallOptions } from '../blocks.ts'
import type { Clock } from '../clock.ts'
import { HoldfastError } from '../errors.ts'
import { formatDuration } from './format.ts'

/** The error of an aborted signal: its reason if that is a HoldfastError already, otherwise ABORTED with the reason as its cause. */
export function abortError(signal: AbortSignal): HoldfastError {
  const reason: unknown = signal.reason
  if (HoldfastError.isInstance(reason)) return reason
  const isDefault = reason === undefined || (reason instanceof Error && reason.name === 'AbortError')
  const why = isDefault ? '' : `: ${reason instanceof Error ? reason.message : String(reason)}`
  return new HoldfastError('ABORTED', `The call was aborted${why}`, { cause: reason })
}

/** Throws {@link abortError} if the signal is aborted. */
export function throwIfAborted(signal: AbortSignal): void {
  if (signal.aborted) throw abortError(signal)
}

/**
 * Runs `work` with a signal that also aborts after `milliseconds` on `clock`; then it rejects with TIMED_OUT, whose message begins with `name`, without
 * waiting for `work`, which is expected to stop by its signal. An abort of `signal` rejects with {@link abortError} the same way. No timer is left behind.
 */
export async function withDeadline<Result>(
  options: CallOptions & { readonly clock: Clock; readonly milliseconds: number; readonly name: string },
  work: (options: CallOptions) => Promise<Result>,
): Promise<Result> {
  throwIfAborted(options.signal)
  const ended = new AbortController()
  const inner = new AbortController()
  const over = new Promise<never>((_, reject) => {
    const giveUp = (error: HoldfastError): void => {
      inner.abort(error)
      reject(error)
    }
    options.signal.addEventListener('abort', () => giveUp(abortError(options.signal)), { signal: ended.signal, once: true })
    const message = `${options.name} did not finish within ${formatDuration(options.milliseconds)}`
    const late = (): void => giveUp(new HoldfastError('TIMED_OUT', message, { details: { milliseconds: options.milliseconds } }))
    options.clock.sleep(options.milliseconds, { signal: ended.signal }).then(late, () => undefined)
  })
  try {
    return await Promise.race([work({ signal: inner.signal }), over])
  } finally {
    ended.abort()
    over.catch(() => undefined)
  }
}
