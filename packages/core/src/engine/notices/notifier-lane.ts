import type { Clock } from '../../spec/clock.ts'
import { HoldfastError } from '../../spec/errors.ts'

/** The way to one notifier: open, or closed for a while because it failed. Kept in memory: after a restart everything is tried at once. */
export interface Lane {
  /** Failures one after the other. */
  readonly failures: number
  /** Milliseconds until the next try; 0: now. */
  pauseMs(): number
  /** Whether this row may be sent now. */
  isOpenFor(rowId: string): boolean
  succeeded(rowId: string): void
  /** `since`: the moment of the monotonic clock from which the pause counts. */
  failed(rowId: string, error: unknown, since: number): void
}

const longestPauseMs = 15 * 60_000
/** So long a notification that was refused for good stands back: the receiver may be mended meanwhile, and the others shall pass. */
const refusedPauseMs = 3_600_000

/** The first pause is `firstPauseMs`, each further one twice as long, up to 15 minutes; a receiver may ask for more than the next, but not for more than that. */
export function createLane(clock: Pick<Clock, 'monotonic'>, firstPauseMs: number): Lane {
  const refused = new Map<string, number>()
  let failures = 0
  let closedUntil = 0
  const pauseMs = () => Math.max(0, closedUntil - clock.monotonic())
  return {
    get failures() {
      return failures
    },
    pauseMs,
    isOpenFor: (rowId) => pauseMs() === 0 && (refused.get(rowId) ?? 0) <= clock.monotonic(),
    succeeded(rowId) {
      failures = 0
      closedUntil = 0
      refused.delete(rowId)
    },
    failed(rowId, error, since) {
      failures++
      const now = clock.monotonic()
      const pause = Math.min(longestPauseMs, firstPauseMs * 2 ** Math.min(failures - 1, 30))
      closedUntil = Math.max(since + pause, now + Math.min(longestPauseMs, askedPause(error)))
      for (const [id, until] of refused) if (until <= now) refused.delete(id)
      if (HoldfastError.isInstance(error) && !error.retryable) refused.set(rowId, now + refusedPauseMs)
    },
  }
}

/** What the receiver has asked for, milliseconds. */
function askedPause(error: unknown): number {
  const details = HoldfastError.isInstance(error) ? error.details : undefined
  const asked = typeof details === 'object' && details !== null && 'retryAfterMs' in details ? details.retryAfterMs : 0
  return typeof asked === 'number' && asked > 0 ? asked : 0
}
