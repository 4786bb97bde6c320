import { isoTime } from '../model/names.ts'
import type { CallOptions } from '../spec/blocks.ts'
import { codeOf, HoldfastError } from '../spec/errors.ts'
import type { Scheduler } from '../spec/scheduler.ts'
import type { Run } from '../spec/store.ts'
import { errorText } from './error-text.ts'
import { executeRun } from './execute.ts'
import { keepOwnLeases } from './hold.ts'
import { type EngineParts, offersOf } from './parts.ts'

/** Takes runs from the store and executes them, a few at a time. */
export interface Worker {
  /** From now on takes any run it can do; before, only those this process was asked for. */
  takeAll(): Promise<void>
  /** Somebody in this process waits for this run. */
  want(runId: string): Promise<void>
  /** Ids of the runs that are executed here at this moment. */
  active(): readonly string[]
  /** Takes nothing new, asks what runs to stop, and waits until it has, at most `graceMs`. */
  stop(graceMs: number): Promise<void>
}

const longestPollMs = 5_000

export function createWorker(parts: EngineParts, scheduler: Scheduler): Worker {
  const stopping = new AbortController()
  const lifetime = new AbortController()
  const wanted = new Set<string>()
  const active = new Map<string, Promise<void>>()
  let all = false
  let waking: Promise<void> | undefined

  const execute = (run: Run) => {
    const done = executeRun(parts, run, 'work', stopping.signal).finally(() => {
      active.delete(run.id)
      puller.wake()
    })
    active.set(run.id, done)
  }
  const puller = createPuller(parts, lifetime.signal, stopping.signal, async (options) => {
    const free = parts.concurrency - active.size
    if (free <= 0 || (!all && wanted.size === 0)) return
    await keepOwnLeases(parts, options)
    const worker = { id: parts.workerId, offers: offersOf(parts), ...(!all && { only: [...wanted] }) }
    for (const run of await parts.store.runs.take(worker, parts.leaseMs, free, options)) execute(run)
  })
  // A retry is due between two polls.
  parts.events.on('run-retried', ({ delayMs }) => {
    const due = isoTime(parts.clock.now() + delayMs)
    scheduler.notify(due, { signal: lifetime.signal }).catch((error: unknown) => {
      parts.logger.warn('The scheduler did not take a hint.', { error: errorText(error) })
    })
  })
  /** A poll costs little, and a lost wake-up must not cost more than one of them. */
  const keepAwake = () => {
    const pollMs = Math.max(20, Math.min(longestPollMs, parts.leaseMs / 3))
    waking ??= scheduler.start(puller.wake, { signal: lifetime.signal, pollMs })
    return waking
  }

  return {
    async takeAll() {
      all = true
      wanted.clear()
      await keepAwake()
      puller.wake()
    },
    async want(runId) {
      if (!all) wanted.add(runId)
      await keepAwake()
      puller.wake()
    },
    active: () => [...active.keys()],
    async stop(graceMs) {
      stopping.abort(new HoldfastError('ENGINE_STOPPED', 'The engine was stopped.'))
      await atMost(parts, graceMs, Promise.allSettled([scheduler.stop(), puller.settled()]))
      await atMost(parts, graceMs, Promise.allSettled([...active.values()]))
      lifetime.abort(stopping.signal.reason)
    },
  }
}

/** Pulls once for each wake-up, never twice at the same time; a wake-up during a pull causes one more. */
function createPuller(parts: EngineParts, lifetime: AbortSignal, stopping: AbortSignal, pull: (options: CallOptions) => Promise<void>) {
  let again = false
  let pulling: Promise<void> | undefined
  let refused = false

  async function pullOn(): Promise<void> {
    while (again && !stopping.aborted && !refused) {
      again = false
      try {
        await pull({ signal: lifetime })
      } catch (error) {
        if (lifetime.aborted) return
        // The schema is newer than this code: what this process does not understand it must not touch.
        if (codeOf(error) === 'STORE_NEWER') refused = true
        parts.logger.warn('No runs could be taken.', { error: errorText(error) })
      }
    }
  }

  function wake(): void {
    again = true
    if (stopping.aborted || refused) return
    pulling ??= pullOn().finally(() => {
      pulling = undefined
      if (again) wake()
    })
  }
  return { wake, settled: async () => await pulling }
}

/** Waits for `work`, but not for longer. Never rejects because of the time. */
export async function atMost(parts: EngineParts, milliseconds: number, work: Promise<unknown>): Promise<void> {
  const ended = new AbortController()
  await Promise.race([work, parts.clock.sleep(milliseconds, { signal: ended.signal }).catch(() => undefined)])
  ended.abort()
}
