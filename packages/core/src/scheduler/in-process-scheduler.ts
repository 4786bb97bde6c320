import type { Clock } from '../spec/clock.ts'
import { HoldfastError } from '../spec/errors.ts'
import { throwIfAborted } from '../spec/helpers/abort.ts'
import type { Scheduler } from '../spec/scheduler.ts'

interface Loop {
  readonly ended: Promise<void>
  stop(): void
  /** Looks at the times again. */
  hurry(): void
}

interface LoopOptions {
  readonly clock: Clock
  readonly pollMs: number
  /** Moments of the wall clock, milliseconds UTC, at which to wake. */
  readonly times: Set<number>
  readonly wake: () => void
}

/** Of more than these only the soonest are remembered; the others are found by a poll. */
const mostTimes = 1000

function remember(times: Set<number>, time: number): void {
  times.add(time)
  if (times.size > mostTimes) times.delete(Math.max(...times))
}

function startLoop({ clock, pollMs, times, wake }: LoopOptions): Loop {
  let stopped = false
  let interrupt = new AbortController()

  /** Waits for the next time or poll; false if it was interrupted. At most one poll, so that a jump of the wall clock is seen then. */
  async function wait(pollAt: number): Promise<boolean> {
    const next = Math.min(...times) - clock.now()
    const milliseconds = Math.max(0, Math.min(pollAt - clock.monotonic(), next))
    interrupt = new AbortController()
    try {
      await clock.sleep(milliseconds, { signal: interrupt.signal })
      return true
    } catch (error) {
      if (!interrupt.signal.aborted) throw error
      return false
    }
  }

  async function run(): Promise<void> {
    let pollAt = clock.monotonic() + pollMs
    while (!stopped) {
      const waited = await wait(pollAt)
      if (stopped || !waited) continue
      const now = clock.now()
      for (const time of times) if (time <= now) times.delete(time)
      pollAt = clock.monotonic() + pollMs
      try {
        wake()
      } catch {
        // A wake is a hint. Who gave it reports its own failures; the next poll wakes it again.
      }
    }
  }

  const ended = run()
  return {
    ended,
    stop: () => {
      stopped = true
      interrupt.abort()
    },
    hurry: () => interrupt.abort(),
  }
}

/**
 * The {@link Scheduler} of a single process: one timer on the injected clock. It wakes once per `pollMs` and at each notified time, not at `start`
 * itself. What `wake` throws is dropped. Notified times are kept in memory, at most the 1,000 soonest; what is lost with the process costs one poll interval.
 *
 * - `start` while it runs rejects with INVALID_OPTIONS; after `stop` it may be started again. Abort of its signal is `stop`.
 * - `notify` rejects with INVALID_OPTIONS for what is no ISO 8601 time. A time in the past wakes at once. Before `start` it is remembered.
 * - After `stop` was called nothing is woken any more; it may be called again.
 */
export function inProcessScheduler({ clock }: { readonly clock: Clock }): Scheduler {
  const times = new Set<number>()
  let loop: Loop | undefined

  async function stop(): Promise<void> {
    const current = loop
    loop = undefined
    times.clear()
    current?.stop()
    await current?.ended
  }

  return {
    specVersion: 1,
    async start(wake, { signal, pollMs }) {
      throwIfAborted(signal)
      if (loop !== undefined) throw new HoldfastError('INVALID_OPTIONS', 'the in-process scheduler runs already')
      if (!(pollMs > 0)) throw new HoldfastError('INVALID_OPTIONS', `pollMs: ${pollMs} is not a number of milliseconds above 0`)
      const started = startLoop({ clock, pollMs, times, wake })
      loop = started
      const abort = (): void => void stop()
      signal.addEventListener('abort', abort, { once: true })
      started.ended.finally(() => signal.removeEventListener('abort', abort)).catch(() => undefined)
    },
    async notify(at, { signal }) {
      throwIfAborted(signal)
      const time = at === undefined ? clock.now() : Date.parse(at)
      if (Number.isNaN(time)) throw new HoldfastError('INVALID_OPTIONS', `notify: ${JSON.stringify(at)} is not an ISO 8601 time`)
      remember(times, time)
      loop?.hurry()
    },
    stop,
    [Symbol.asyncDispose]: stop,
  }
}
