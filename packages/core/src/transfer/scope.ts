import type { CallOptions } from '../spec/blocks.ts'
import type { Clock } from '../spec/clock.ts'
import { HoldfastError } from '../spec/errors.ts'
import { abortError } from '../spec/helpers/abort.ts'

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

interface State {
  readonly options: ScopeOptions
  readonly inner: AbortController
  /** Ends the stall watch. */
  readonly watching: AbortController
  /** One set instead of Promise.race with a long-lived promise: that would keep one reaction for every chunk of the stream. */
  readonly waiting: Set<(reason: unknown) => void>
  failed: { readonly error: unknown } | undefined
  moved: number
  pauses: number
}

export function createScope(options: ScopeOptions): Scope {
  const { signal, clock, what } = options
  const state: State = {
    options,
    inner: new AbortController(),
    watching: new AbortController(),
    waiting: new Set(),
    failed: undefined,
    moved: clock.monotonic(),
    pauses: 0,
  }
  const aborted = () => fail(state, abortError(signal))
  if (signal.aborted) aborted()
  else signal.addEventListener('abort', aborted, { once: true })
  watch(state).catch((error: unknown) => {
    if (!state.watching.signal.aborted) fail(state, error)
  })
  return {
    what,
    signal: state.inner.signal,
    get failure() {
      return state.failed?.error
    },
    fail: (error) => fail(state, error),
    race: (work) => race(state, work),
    touch() {
      state.moved = clock.monotonic()
    },
    pause: () => pause(state),
    settle: (work, milliseconds = cleanUpMs) => settleWithin(work, clock, milliseconds),
    close() {
      state.watching.abort()
      signal.removeEventListener('abort', aborted)
    },
  }
}

function fail(state: State, error: unknown): void {
  if (state.failed !== undefined) return
  state.failed = { error }
  state.watching.abort()
  for (const reject of state.waiting) reject(error)
  state.waiting.clear()
  state.inner.abort(error)
}

function race<T>(state: State, work: Promise<T>): Promise<T> {
  const { waiting, options } = state
  return new Promise<T>((resolve, reject) => {
    if (waiting.size === 0) state.moved = options.clock.monotonic()
    if (state.failed !== undefined) reject(state.failed.error)
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

function pause(state: State): () => void {
  state.pauses++
  let paused = true
  return () => {
    if (!paused) return
    paused = false
    state.pauses--
    state.moved = state.options.clock.monotonic()
  }
}

async function watch(state: State): Promise<void> {
  const { clock, stallMs, what } = state.options
  const { signal } = state.watching
  while (!signal.aborted) {
    const now = clock.monotonic()
    if (state.pauses > 0 || state.waiting.size === 0) state.moved = now
    const left = state.moved + stallMs - now
    if (left <= 0) return fail(state, new HoldfastError('STALLED', `${what}: no bytes came for ${stallMs} ms`))
    await clock.sleep(left, { signal })
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
