import type { Plan } from '../model/plan.ts'
import type { CallOptions } from '../spec/blocks.ts'
import { HoldfastError } from '../spec/errors.ts'
import type { Scheduler } from '../spec/scheduler.ts'
import { errorText } from './error-text.ts'
import { deliverOutbox } from './outbox.ts'
import type { EngineParts, Identity } from './parts.ts'
import { putPlan } from './plans.ts'
import { claimRepositories, recover } from './recovery.ts'
import { undoLostAgain, undoOpenIntents } from './undo-leftovers.ts'
import { atMost, createWorker } from './worker.ts'

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
/** How often intents of lost attempts are undone again within the grace time: hourly, if that is a day. */
const lostAgainTimes = 24

export function createLife(
  parts: EngineParts,
  scheduler: Scheduler,
  { setIdentity, abandon }: { setIdentity(identity: Identity): void; abandon(reason: unknown): void },
  codePlans: ReadonlyMap<string, Plan>,
): EngineLife {
  const worker = createWorker(parts, scheduler)
  const ending = new AbortController()
  const options = { signal: ending.signal }
  let started: Promise<void> | undefined
  let stopped: Promise<void> | undefined
  let chores: Promise<unknown> | undefined

  const stoppedError = () => new HoldfastError('ENGINE_STOPPED', `The engine "${parts.name}" was stopped.`)
  const assertNotStopped = () => {
    if (stopped) throw stoppedError()
  }
  const startOnce = async () => {
    await claimRepositories(parts, setIdentity, options)
    for (const [id, plan] of codePlans) await putPlan(parts.store, id, plan, options)
    await recover(parts, options)
    await worker.takeAll()
    const often = Math.min(choreMs, parts.leaseMs)
    // Apart from each other: a notifier that does not answer must keep nothing from being undone.
    chores = Promise.all([
      repeat(parts, options, often, () => undoOpenIntents(parts, {}, options)),
      repeat(parts, options, often, () => deliverOutbox(parts, options)),
      repeat(parts, options, parts.graceMs / lostAgainTimes, () => undoLostAgain(parts, options)),
    ])
  }
  const stopOnce = async (graceMs: number) => {
    await worker.stop(graceMs)
    ending.abort(stoppedError())
    await atMost(parts, graceMs, Promise.allSettled([started, chores]))
    abandon(stoppedError())
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
async function repeat(parts: EngineParts, options: CallOptions, everyMs: number, chore: () => Promise<void>): Promise<void> {
  while (!options.signal.aborted) {
    try {
      await chore()
    } catch (error) {
      if (!options.signal.aborted) parts.logger.warn('A chore failed; it is done again.', { error: errorText(error) })
    }
    await parts.clock.sleep(everyMs, options).catch(() => undefined)
  }
}

/** Plug-ins first, the store last: what they still have to say goes there. */
async function disposeAll(parts: EngineParts, scheduler: Scheduler): Promise<void> {
  const opened = [scheduler, ...parts.providers.values(), ...parts.notifiers.values(), ...parts.repositories.values(), parts.store]
  for (const each of opened) {
    try {
      await each[Symbol.asyncDispose]()
    } catch (error) {
      parts.logger.warn('Something could not be closed.', { error: errorText(error) })
    }
  }
}
