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

interface Sleeper {
  readonly at: number
  readonly wake: () => void
}

const dayMs = 86_400_000
/** Everything that waits for no timer and no input has run when a macrotask runs. Two, because a promise may be settled by another one's macrotask. */
const settle = async (): Promise<void> => {
  for (let turn = 0; turn < 2; turn++) await new Promise<void>((resolve) => setImmediate(resolve))
}

/** `start`: the wall clock's first time, milliseconds since 1970-01-01 UTC (default 2026-11-20T00:00:00Z). The monotonic clock starts at 0. */
export function fakeClock({ start = Date.UTC(2026, 10, 20) }: { readonly start?: number } = {}): FakeClock {
  let monotonic = 0
  let offset = start
  let sleepers: readonly Sleeper[] = []

  function sleep(milliseconds: number, { signal }: CallOptions): Promise<void> {
    return new Promise((resolve, reject) => {
      if (signal.aborted) return reject(signal.reason)
      const leave = () => {
        sleepers = sleepers.filter((other) => other !== sleeper)
        signal.removeEventListener('abort', abort)
      }
      const abort = () => {
        leave()
        reject(signal.reason)
      }
      const wake = () => {
        leave()
        resolve()
      }
      const sleeper: Sleeper = { at: monotonic + Math.max(0, milliseconds), wake }
      signal.addEventListener('abort', abort, { once: true })
      const later = sleepers.findIndex((other) => other.at > sleeper.at)
      sleepers = later < 0 ? [...sleepers, sleeper] : sleepers.toSpliced(later, 0, sleeper)
    })
  }

  async function advance(milliseconds: number): Promise<void> {
    if (!(milliseconds >= 0)) throw new RangeError(`advance(${milliseconds}): a clock does not go back`)
    const end = monotonic + milliseconds
    await settle()
    for (let first = sleepers[0]; first !== undefined && first.at <= end; first = sleepers[0]) {
      monotonic = Math.max(monotonic, first.at)
      first.wake()
      await settle()
    }
    monotonic = end
  }

  const untilNext = () => (sleepers[0] === undefined ? undefined : Math.max(0, sleepers[0].at - monotonic))

  async function runUntil<T>(promise: Promise<T>, { limitMs = dayMs }: { readonly limitMs?: number } = {}): Promise<T> {
    let settled = false
    const done = () => {
      settled = true
    }
    promise.then(done, done)
    const limit = monotonic + limitMs
    for (await settle(); !settled; await settle()) {
      const wait = untilNext()
      if (wait === undefined) throw new Error('runUntil: nobody sleeps, and the promise is still not settled')
      if (monotonic + wait > limit) throw new Error(`runUntil: not settled after ${limitMs} ms of fake time`)
      await advance(wait)
    }
    return promise
  }

  async function runUntilIdle({ limitMs = dayMs }: { readonly limitMs?: number } = {}): Promise<void> {
    const limit = monotonic + limitMs
    await settle()
    for (let wait = untilNext(); wait !== undefined; wait = untilNext()) {
      if (monotonic + wait > limit) throw new Error(`runUntilIdle: somebody still sleeps after ${limitMs} ms of fake time`)
      await advance(wait)
    }
  }

  return {
    now: () => offset + monotonic,
    monotonic: () => monotonic,
    sleep,
    advance,
    jump(milliseconds) {
      offset += milliseconds
    },
    get sleepers() {
      return sleepers.length
    },
    untilNext,
    runUntil,
    runUntilIdle,
  }
}
