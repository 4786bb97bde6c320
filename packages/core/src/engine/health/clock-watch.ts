import type { Clock } from '../../spec/clock.ts'

/** Compares wall clocks with the monotonic clock of this process, which nobody can set. */
export interface ClockWatch {
  /** Looks at the wall clock now. False: a clock has jumped, and neither was it set back nor has anybody confirmed it. */
  trusted(): boolean
  /** Takes the store's time as it was somewhere between two moments of the monotonic clock. */
  show(storeTime: number, from: number, until: number): void
  /** Milliseconds by which each clock is away from where it should be; 0 when it is trusted. Positive: ahead. */
  away(): { readonly host: number; readonly store: number }
  /** A person says that the clocks are right as they are. */
  confirm(): void
}

/** What one clock has shown. `offset`: its time less the monotonic one, at the last look. */
interface Seen {
  offset?: number
  away: number
}

/**
 * Small steps are what a time server does, and are followed. A step of more than `toleranceMs` is not believed until the clock comes back or somebody
 * confirms it: all that is deleted because of its age would be deleted because of that step. A clock that was wrong already when the process began
 * cannot be told from a right one; and some systems stop the monotonic clock while the machine is suspended, which looks like a step.
 */
export function createClockWatch(clock: Clock, toleranceMs: number): ClockWatch {
  const host: Seen = { away: 0 }
  const store: Seen = { away: 0 }

  function look(seen: Seen, offset: number): void {
    const step = offset - (seen.offset ?? offset)
    seen.offset = offset
    if (Math.abs(step) > toleranceMs || seen.away !== 0) seen.away += step
    if (Math.abs(seen.away) <= toleranceMs) seen.away = 0
  }
  const lookAtHost = () => look(host, clock.now() - clock.monotonic())
  lookAtHost()

  return {
    trusted() {
      lookAtHost()
      return host.away === 0 && store.away === 0
    },
    show(storeTime, from, until) {
      // An answer that took so long, or a process that stood still meanwhile, says nothing as exact as that.
      if (until - from <= toleranceMs) look(store, storeTime - (from + until) / 2)
    },
    away() {
      lookAtHost()
      return { host: Math.round(host.away), store: Math.round(store.away) }
    },
    confirm() {
      lookAtHost()
      host.away = 0
      store.away = 0
    },
  }
}
