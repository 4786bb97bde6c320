import type { Plan } from '../model/plan.ts'
import type { CallOptions } from '../spec/blocks.ts'
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

export function createLife(
  parts: EngineParts,
  scheduler: Scheduler,
  setIdentity: (identity: Identity) => void,
  codePlans: ReadonlyMap<string, Plan>,
): EngineLife {
  const worker = createWorker(parts, scheduler)
  const ending = new AbortController()
  const options = { signal: ending.signal }
  let started: Promise<void> | undefined
  let stopped: Promise<void> | undefined
  let chores: Promise<void> | undefined

  const stoppedError = () => new HoldfastError('ENGINE_STOPPED', `The engine "${parts.name}" was stopped.`)
  const assertNotStopped = () => {
    if (stopped) throw stoppedError()
  }
  const startOnce = async () => {
    await claimRepositories(parts, setIdentity, options)
    for (const [id, plan] of codePlans) await putPlan(parts.store, id, plan, options)
    await recover(parts, options)
    worker.takeAll()
    chores = doChores(parts, options)
  }
  const stopOnce = async (graceMs: number) => {
    await worker.stop(graceMs)
    ending.abort(stoppedError())
    await started?.catch(() => undefined)
    await chores
    await disposeAll(parts, scheduler)
  }

  return {
    async start() {
      assertNotStopped()
      started ??= startOnce()
      await started
    },
    async recover() {
      assertNotStopped()
      await recover(parts, options)
    },
    async stop(graceMs) {
      stopped ??= stopOnce(graceMs)
      await stopped
    },
    async want(runId) {
      assertNotStopped()
      await worker.want(runId)
    },
    activeRuns: () => worker.active(),
    assertNotStopped,
  }
}

/** What must happen again and again while the engine lives: failed undos are retried, notifications delivered. */
async function doChores(parts: EngineParts, options: CallOptions): Promise<void> {
  while (!options.signal.aborted) {
    try {
      await undoOpenIntents(parts, {}, options)
      await deliverOutbox(parts, options)
    } catch (error) {
      if (!options.signal.aborted) parts.logger.warn('A chore failed; it is done again.', { error: String(error) })
    }
    await parts.clock.sleep(Math.min(choreMs, parts.leaseMs), options).catch(() => undefined)
  }
}

/** Plug-ins first, the store last: what they still have to say goes there. */
async function disposeAll(parts: EngineParts, scheduler: Scheduler): Promise<void> {
  const opened = [scheduler, ...parts.providers.values(), ...parts.notifiers.values(), ...parts.repositories.values(), parts.store]
  for (const each of opened) {
    try {
      await each[Symbol.asyncDispose]()
    } catch (error) {
      parts.logger.warn('Something could not be closed.', { error: String(error) })
    }
  }
}
