import type { CallOptions } from '../spec/blocks.ts'
import { codeOf, HoldfastError } from '../spec/errors.ts'
import type { Scheduler } from '../spec/scheduler.ts'
import { executeRun } from './execute.ts'
import type { EngineParts } from './parts.ts'

/** Takes runs from the store and executes them, a few at a time. */
export interface Worker {
  /** From now on takes any run it can do; before, only those this process was asked for. */
  takeAll(): void
  /** Somebody in this process waits for this run. */
  want(runId: string): Promise<void>
  /** Looks for work now. */
  wake(): void
  /** Ids of the runs that are executed here at this moment. */
  active(): readonly string[]
  /** Takes nothing new, asks what runs to stop, and waits until it has, at most `graceMs`. */
  stop(graceMs: number): Promise<void>
}

export function createWorker(parts: EngineParts, scheduler: Scheduler): Worker {
  const stopping = new AbortController()
  const lifetime = new AbortController()
  const wanted = new Set<string>()
  const active = new Map<string, Promise<void>>()
  const offers = [...[...parts.providers.keys()].map((name) => `provider:${name}`), ...[...parts.repositories.keys()].map((name) => `repository:${name}`)]
  let all = false
  let waking: Promise<void> | undefined
  let draining: Promise<void> | undefined
  let again = false

  async function takeSome(options: CallOptions): Promise<void> {
    const free = parts.concurrency - active.size
    if (free <= 0 || (!all && wanted.size === 0)) return
    const only = all ? undefined : [...wanted]
    const runs = await parts.store.runs.take({ id: parts.workerId, offers, ...(only && { only }) }, parts.leaseMs, free, options)
    for (const run of runs) {
      const done = executeRun(parts, run, 'work', stopping.signal).finally(() => {
        active.delete(run.id)
        wake()
      })
      active.set(run.id, done)
    }
  }

  async function drain(): Promise<void> {
    while (again && !stopping.signal.aborted) {
      again = false
      try {
        await takeSome({ signal: lifetime.signal })
      } catch (error) {
        if (lifetime.signal.aborted) return
        parts.logger.warn('No runs could be taken; trying again.', { error: String(error) })
        if (codeOf(error) === 'STORE_NEWER') all = false
      }
    }
  }

  function wake(): void {
    again = true
    if (stopping.signal.aborted) return
    draining ??= drain().finally(() => {
      draining = undefined
      if (again) wake()
    })
  }

  /** A poll costs little, a lost wake-up must not cost more than one of them. */
  async function keepAwake(): Promise<void> {
    waking ??= scheduler.start(wake, { signal: lifetime.signal, pollMs: Math.max(20, Math.min(5_000, parts.leaseMs / 3)) })
    await waking
  }

  return {
    takeAll() {
      all = true
      void keepAwake().then(wake)
    },
    async want(runId) {
      wanted.add(runId)
      await keepAwake()
      wake()
    },
    wake,
    active: () => [...active.keys()],
    async stop(graceMs) {
      stopping.abort(new HoldfastError('ENGINE_STOPPED', 'The engine was stopped.'))
      await scheduler.stop()
      await draining
      const ended = new AbortController()
      const grace = parts.clock.sleep(graceMs, { signal: ended.signal }).catch(() => undefined)
      await Promise.race([Promise.allSettled([...active.values()]), grace])
      ended.abort()
      lifetime.abort(stopping.signal.reason)
    },
  }
}
