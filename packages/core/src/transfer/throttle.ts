import type { CallOptions } from '../spec/blocks.ts'
import type { Clock } from '../spec/clock.ts'

/** Holds bytes back so that all streams that share it stay below a rate together. */
export interface Throttle {
  /** Resolves when these bytes may go on; at once, without a promise, when nothing has to wait. Rejects when the signal aborts. */
  pass(bytes: number, options: CallOptions): Promise<void> | undefined
}

/** Shorter waits are not worth a timer: they add up to one. */
const shortestWaitMs = 20

/** `bytesPerSecond` absent: never waits. A pause is not made up for later: the rate holds over any stretch of time, but for one chunk. */
export function createThrottle({
  clock,
  bytesPerSecond,
}: {
  readonly clock: Clock
  readonly bytesPerSecond?: number | undefined
}): Throttle {
  if (bytesPerSecond === undefined) return { pass: () => undefined }
  let free = clock.monotonic()
  return {
    pass(bytes, options) {
      const now = clock.monotonic()
      free = Math.max(free, now) + (bytes * 1000) / bytesPerSecond
      const wait = free - now
      return wait < shortestWaitMs ? undefined : clock.sleep(wait, options)
    },
  }
}
