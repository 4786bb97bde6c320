import type { Plan } from '../model/plan.ts'
import { HoldfastError } from '../spec/errors.ts'
import type { Scheduler } from '../spec/scheduler.ts'
import { deliverOutbox } from './outbox.ts'
import type { EngineParts, Identity } from './parts.ts'
import { putPlan } from './plans.ts'
import { claimRepositories, recover } from './recovery.ts'
import { undoOpenIntents } from './undo-leftovers.ts'
import { createWorker } from './worker.ts'

/** An engine's life: created, started, stopped; never started again. */
export interface EngineLife {
  start(): Promise<void>
  recover(): Promise<void>
  stop(graceMs: number): Promise<void>
  want(runId: string): Promise<void>
  activeRuns(): readonly string[]
  assertNotStopped(): void
}

const choreMs = 5_000

export function createLife(parts: EngineParts, scheduler: Scheduler, setIdentity: (identity: Identity) => void, codePlans: ReadonlyMap<string, Plan>): EngineLife {
  const worker = createWorker(parts, scheduler)
  const ending = new AbortController()
  const options = { signal: ending.signal }
  const offers = [...[...parts.providers.keys()].map((name) => `provider:${name}`), ...[...parts.repositories.keys()].map((name) => `repository:${name}`)]
  let started: Promise<void> | undefined
  let stopped: Promise<void> | undefined
  let chores: Promise<void> | undefined

  const assertNotStopped = () => {
    if (stopped) throw new HoldfastError('ENGINE_STOPPED', `The engine "${parts.name}" was stopped.`)
  }

  async function startOnce(): Promise<void> {
    await claimRepositories(parts, setIdentity, ending.signal, options)
    for (const [id, plan] of codePlans) await putPlan(parts.store, id, plan, options)
    await recover(parts, offers, ending.signal, options)
    worker.takeAll()
    chores = doChores()
  }

  /** What must happen again and again while the engine lives: failed undos are retried, notifications delivered. */
  async function doChores(): Promise<void> {
    while (!ending.signal.aborted) {
      try {
        await undoOpenIntents(parts, {}, options)
        await deliverOutbox(parts, options)
        await parts.clock.sleep(Math.min(choreMs, parts.leaseMs), options)
      } catch (error) {
        if (ending.signal.aborted) return
        parts.logger.warn('A chore failed; it is done again.', { error: String(error) })
        await parts.clock.sleep(choreMs, options).catch(() => undefined)
      }
    }
  }

  async function stopOnce(graceMs: number): Promise<void> {
    await started?.catch(() => undefined)
    await worker.stop(graceMs)
    ending.abort(new HoldfastError('ENGINE_STOPPED', `The engine "${parts.name}" was stopped.`))
    await chores
    const opened: AsyncDisposable[] = [scheduler, ...parts.providers.values(), ...parts.notifiers.values(), ...parts.repositories.values(), parts.store]
    for (const each of opened) await each[Symbol.asyncDispose]()
  }

  return {
    start() {
      assertNotStopped()
      started ??= startOnce()
      return started
    },
    recover() {
      assertNotStopped()
      return recover(parts, offers, ending.signal, options)
    },
    stop(graceMs) {
      stopped ??= stopOnce(graceMs)
      return stopped
    },
    want(runId) {
      assertNotStopped()
      return worker.want(runId)
    },
    activeRuns: () => worker.active(),
    assertNotStopped,
  }
}
