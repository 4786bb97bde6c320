import type { CallOptions } from '../spec/blocks.ts'
import type { Clock } from '../spec/clock.ts'
import { HoldfastError } from '../spec/errors.ts'

/** How long a clean-up of somebody else's object may take before it is left to itself, milliseconds. */
const cleanUpMs = 1000
/** The same for a `put` that was told to stop: it still has files to close and to remove. */
const stopMs = 10_000

/** One piece of work that ends as a whole: everything in it stops at the first failure, at an abort from outside, or when nothing moves any more. */
export interface Scope extends CallOptions {
  readonly what: string
  /** The first failure, as it is to be thrown. */
  readonly failure: unknown
  /** Ends the work. Only the first call counts. */
  fail(error: unknown): void
  /** The result of `work`, or the failure of the scope as soon as there is one. Only while something is awaited here can the scope stall. */
  race<T>(work: Promise<T>): Promise<T>
  /** Something moved: the stall watch starts anew. */
  touch(): void
  /** The stall watch stands still until the returned function is called. */
  pause(): () => void
  /** Waits for clean-up that belongs to somebody else, but not for ever. Never rejects. */
  settle(work: Promise<unknown>, milliseconds?: number): Promise<void>
  /** Ends the watch. Call it on every path. */
  close(): void
}

export interface ScopeOptions extends CallOptions {
  readonly clock: Clock
  /** For messages, for example `volume.tar`. */
  readonly what: string
  /** Milliseconds without any movement after which the work fails with STALLED. */
  readonly stallMs: number
}

/** What to throw for an aborted signal: the reason if somebody gave one, otherwise ABORTED. */
export function abortFailure(signal: AbortSignal, what: string): unknown {
  const reason: unknown = signal.reason
  if (reason instanceof Error && !(reason instanceof DOMException)) return reason
  return new HoldfastError('ABORTED', `${what}: the call was cancelled`, { cause: reason })
}

export function createScope({ signal, clock, what, stallMs }: ScopeOptions): Scope {
  const inner = new AbortController()
  const watching = new AbortController()
  // One set instead of Promise.race with a long-lived promise: that would keep one reaction for every chunk of the stream.
  const waiting = new Set<(reason: unknown) => void>()
  let failed: { readonly error: unknown } | undefined
  let moved = clock.monotonic()
  let pauses = 0

  function fail(error: unknown): void {
    if (failed !== undefined) return
    failed = { error }
    watching.abort()
    for (const reject of waiting) reject(error)
    waiting.clear()
    inner.abort(error)
  }
  const aborted = () => fail(abortFailure(signal, what))
  if (signal.aborted) aborted()
  else signal.addEventListener('abort', aborted, { once: true })

  function race<T>(work: Promise<T>): Promise<T> {
    return new Promise<T>((resolve, reject) => {
      if (waiting.size === 0) moved = clock.monotonic()
      if (failed !== undefined) reject(failed.error)
      else waiting.add(reject)
      work.then(
        (value) => {
          waiting.delete(reject)
          resolve(value)
        },
        (error: unknown) => {
          waiting.delete(reject)
          reject(error)
        },
      )
    })
  }

  async function watch(): Promise<void> {
    while (!watching.signal.aborted) {
      const now = clock.monotonic()
      if (pauses > 0 || waiting.size === 0) moved = now
      const left = moved + stallMs - now
      if (left <= 0) return fail(new HoldfastError('STALLED', `${what}: no bytes came for ${stallMs} ms`))
      await clock.sleep(left, { signal: watching.signal })
    }
  }
  watch().catch((error: unknown) => {
    if (!watching.signal.aborted) fail(error)
  })

  return {
    what,
    signal: inner.signal,
    get failure() {
      return failed?.error
    },
    fail,
    race,
    touch() {
      moved = clock.monotonic()
    },
    pause() {
      pauses++
      let paused = true
      return () => {
        if (!paused) return
        paused = false
        pauses--
        moved = clock.monotonic()
      }
    },
    settle: (work, milliseconds = cleanUpMs) => settleWithin(work, clock, milliseconds),
    close() {
      watching.abort()
      signal.removeEventListener('abort', aborted)
    },
  }
}

/** Resolves when `work` has settled, or after this time: a plug-in that never finishes its clean-up must not hold up everybody else. */
export async function settleWithin(work: Promise<unknown>, clock: Clock, milliseconds: number): Promise<void> {
  const timer = new AbortController()
  const done = work.then(
    () => {},
    () => {},
  )
  const late = clock.sleep(milliseconds, { signal: timer.signal }).catch(() => {})
  await Promise.race([done, late])
  timer.abort()
}

/** Runs the tasks at once; the first failure ends the scope, and so the others. Rejects with that failure after all of them have stopped. */
export async function runTogether(scope: Scope, tasks: readonly (() => Promise<void>)[]): Promise<void> {
  const running = tasks.map((task) => task().catch((error: unknown) => scope.fail(error)))
  const all = Promise.all(running)
  await scope.race(all).catch(() => scope.settle(all, stopMs))
  if (scope.failure !== undefined) throw scope.failure
}
