import type { Clock } from './spec/clock.ts'
import { abortError } from './spec/helpers/abort.ts'

/** Longer timers overflow in Node and fire at once. */
const longestTimer = 2 ** 31 - 1

/** The real clock of this host: one of the two places that read ambient time or randomness (the other is `ids.ts`). A sleep keeps the process alive. */
export const systemClock: Clock = {
  now: () => Date.now(),
  monotonic: () => performance.now(),
  sleep: async (milliseconds, options) => {
    for (let left = milliseconds; ; left -= longestTimer) {
      await timer(Math.max(0, Math.min(left, longestTimer)), options.signal)
      if (left <= longestTimer) return
    }
  },
}

function timer(milliseconds: number, signal: AbortSignal): Promise<void> {
  return new Promise((resolve, reject) => {
    if (signal.aborted) return reject(reasonOf(signal))
    const stop = (): void => {
      clearTimeout(handle)
      reject(reasonOf(signal))
    }
    const handle = setTimeout(() => {
      signal.removeEventListener('abort', stop)
      resolve()
    }, milliseconds)
    signal.addEventListener('abort', stop, { once: true })
  })
}

/** The contract says: the signal's own reason. */
const reasonOf = (signal: AbortSignal): unknown => signal.reason ?? abortError(signal)
