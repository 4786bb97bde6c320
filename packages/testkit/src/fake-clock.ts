import type { CallOptions, Clock } from '@holdfast/core/spec'

/** A clock that stands still until it is told to go on. */
export interface FakeClock extends Clock {
  /**
   * Moves both clocks on by this many milliseconds. Sleepers wake in the order of their times (same time: the order in which they fell
   * asleep); what a sleeper does when it wakes, and sleeps of its own that end in time, happen before the next one wakes.
   */
  advance(milliseconds: number): Promise<void>
  /** Moves the wall clock only, as a person or a time server does. Wakes nobody. May be negative. */
  jump(milliseconds: number): void
  /** How many sleeps are going on. */
  readonly sleepers: number
  /** Milliseconds until the next sleeper wakes, if there is one. */
  untilNext(): number | undefined
  /**
   * Wakes sleeper after sleeper until the promise is settled, and gives what it gives. Rejects when nobody sleeps and it is still not settled, or
   * after `limitMs` of fake time (default: one day). Only for work that waits for nothing but this clock and memory.
   */
  runUntil<T>(promise: Promise<T>, options?: { readonly limitMs?: number }): Promise<T>
  /** Wakes sleeper after sleeper until nobody sleeps any more, for at most `limitMs` of fake time (default: one day). */
  runUntilIdle(options?: { readonly limitMs?: number }): Promise<void>
}

const dayMs = 86_400_000
/** Everything that waits for no timer and no input has run when a macrotask runs. Two, because a promise may be settled by another one's macrotask. */
const settle = async (): Promise<void> => {
  for (let turn = 0; turn < 2; turn++) await new Promise<void>((resolve) => setImmediate(resolve))
}

interface Sleeper {
  readonly at: number
  readonly wake: () => void
}
/** Sleepers in the order in which they wake. */
interface Sleepers {
  readonly first: Sleeper | undefined
  readonly count: number
  /** Resolves when woken; rejects with the signal's reason. */
  add(at: number, options: CallOptions): Promise<void>
}

function sleepersInOrder(): Sleepers {
  let sleepers: readonly Sleeper[] = []
  return {
    get first() {
      return sleepers[0]
    },
    get count() {
      return sleepers.length
    },
    add(at, { signal }) {
      const { promise, resolve, reject } = Promise.withResolvers<void>()
      const leave = (settle: () => void) => () => {
        sleepers = sleepers.filter((other) => other !== sleeper)
        signal.removeEventListener('abort', abort)
        settle()
      }
      const abort = leave(() => reject(signal.reason))
      const sleeper: Sleeper = { at, wake: leave(resolve) }
      if (signal.aborted) {
        reject(signal.reason)
        return promise
      }
      signal.addEventListener('abort', abort, { once: true })
      const later = sleepers.findIndex((other) => other.at > at)
      sleepers = later < 0 ? [...sleepers, sleeper] : sleepers.toSpliced(later, 0, sleeper)
      return promise
    },
  }
}

/** `start`: the wall clock's first time, milliseconds since 1970-01-01 UTC (default 2026-11-20T00:00:00Z). The monotonic clock starts at 0. */
export function fakeClock({ start = Date.UTC(2026, 10, 20) }: { readonly start?: number } = {}): FakeClock {
  const sleepers = sleepersInOrder()
  let monotonic = 0
  let offset = start
  const untilNext = () => (sleepers.first === undefined ? undefined : Math.max(0, sleepers.first.at - monotonic))

  async function advance(milliseconds: number): Promise<void> {
    if (!(milliseconds >= 0)) throw new RangeError(`advance(${milliseconds}): a clock does not go back`)
    const end = monotonic + milliseconds
    await settle()
    for (let first = sleepers.first; first !== undefined && first.at <= end; first = sleepers.first) {
      monotonic = Math.max(monotonic, first.at)
      first.wake()
      await settle()
    }
    monotonic = end
  }

  /** Wakes sleeper after sleeper until `done`, or nobody sleeps any more: then false. */
  async function wakeUntil(done: () => boolean, limitMs: number): Promise<boolean> {
    const limit = monotonic + limitMs
    for (await settle(); !done(); await settle()) {
      const wait = untilNext()
      if (wait === undefined) return false
      if (monotonic + wait > limit) throw new Error(`the fake clock is not done after ${limitMs} ms of fake time`)
      await advance(wait)
    }
    return true
  }

  return {
    now: () => offset + monotonic,
    monotonic: () => monotonic,
    sleep: (milliseconds, options) => sleepers.add(monotonic + Math.max(0, milliseconds), options),
    advance,
    jump: (milliseconds) => {
      offset += milliseconds
    },
    get sleepers() {
      return sleepers.count
    },
    untilNext,
    async runUntil(promise, { limitMs = dayMs } = {}) {
      let settled = false
      const done = () => {
        settled = true
      }
      promise.then(done, done)
      if (!(await wakeUntil(() => settled, limitMs))) throw new Error('runUntil: nobody sleeps, and the promise is still not settled')
      return promise
    },
    runUntilIdle: async ({ limitMs = dayMs } = {}) => void (await wakeUntil(() => sleepers.count === 0, limitMs)),
  }
}
