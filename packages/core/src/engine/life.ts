import type { Plan } from '../model/plan.ts'
import type { CallOptions } from '../spec/blocks.ts'
import { HoldfastError } from '../spec/errors.ts'
import type { Scheduler } from '../spec/scheduler.ts'
import { doChores, report } from './chores.ts'
import { errorText } from './error-text.ts'
import { reconcilePlans } from './firing/plans.ts'
import { createHealth, type Health } from './health/health.ts'
import { createDelivery, type Delivery } from './notices/outbox.ts'
import type { EngineParts, Identity } from './parts.ts'
import { claimRepositories, recover } from './recovery.ts'
import { undoOpenIntents } from './runs/undo-leftovers.ts'
import { atMost, createWorker } from './runs/worker.ts'

/** An engine's life: created, started, stopped; never started again. */
export interface EngineLife {
  start(): Promise<void>
  recover(): Promise<void>
  /** One pass of everything that is due, without a timer. */
  runDue(options: CallOptions): Promise<void>
  stop(graceMs: number): Promise<void>
  want(runId: string): Promise<void>
  activeRuns(): readonly string[]
  assertNotStopped(): void
  readonly health: Health
}

/** How long the end of an engine waits for notifications. */
const lastWordsMs = 5_000

interface Ends {
  setIdentity(identity: Identity): void
  abandon(reason: unknown): void
}
type CodePlans = ReadonlyMap<string, Plan>

export function createLife(parts: EngineParts, scheduler: Scheduler, { setIdentity, abandon }: Ends, codePlans: CodePlans): EngineLife {
  const worker = createWorker(parts, scheduler)
  const health = createHealth(parts)
  const deliver = createDelivery(parts)
  const ending = new AbortController()
  const claimed = Promise.withResolvers<void>()
  const options = { signal: ending.signal }
  let started: Promise<void> | undefined
  let stopped: Promise<void> | undefined
  const atWork: Promise<unknown>[] = []

  const assertNotStopped = () => refuseStopped(parts, stopped)
  const prepare = onceUnlessFailed(async () => {
    await claimRepositories(parts, setIdentity, options)
    claimed.resolve()
    await reconcilePlans(parts, codePlans, options)
    await recover(parts, options)
  })
  const stopOnce = async (graceMs: number) => {
    await worker.stop(graceMs)
    // What the last runs have to tell must not wait for the next start.
    await atMost(parts, Math.min(graceMs, lastWordsMs), Promise.allSettled([deliver(options)]))
    ending.abort(stoppedError(parts))
    await atMost(parts, graceMs, Promise.allSettled([started, ...atWork]))
    abandon(stoppedError(parts))
    await disposeAll(parts, scheduler)
  }
  const alive = async (body: () => Promise<void>) => {
    assertNotStopped()
    await body()
  }
  return {
    async start() {
      assertNotStopped()
      if (!started) {
        started = health.starting(prepare().then(() => worker.takeAll()))
        atWork.push(started.then(() => doChores(parts, deliver, options)).catch(() => undefined))
        atWork.push(report(parts, health, { claimed: claimed.promise, started }, options))
        started.catch(() => {
          started = undefined
        })
      }
      await started
    },
    recover: () => alive(() => recover(parts, options)),
    runDue: ({ signal }) =>
      alive(async () => {
        await prepare()
        await worker.drain({ signal: AbortSignal.any([signal, ending.signal]) })
        await lastOnce(parts, deliver, options)
      }),
    async stop(graceMs) {
      stopped ??= stopOnce(graceMs)
      await stopped
    },
    want: (runId) => alive(() => worker.want(runId)),
    activeRuns: () => worker.active(),
    assertNotStopped,
    health,
  }
}

/** What the chores of a started engine do again and again. */
async function lastOnce(parts: EngineParts, deliver: Delivery, options: CallOptions): Promise<void> {
  await undoOpenIntents(parts, {}, options)
  await deliver(options)
}

function refuseStopped(parts: EngineParts, stopped: Promise<void> | undefined): void {
  if (stopped) throw stoppedError(parts)
}

const stoppedError = ({ name }: EngineParts) =>
  new HoldfastError(
    'ENGINE_STOPPED',
    `The engine "${name}" was stopped. Runs that had not ended are kept, and go on when an engine with its catalog starts.`,
  )

/** The next call after a failure tries again: it may find the repository mounted. */
function onceUnlessFailed(body: () => Promise<void>): () => Promise<void> {
  let done: Promise<void> | undefined
  return async () => {
    done ??= body()
    try {
      await done
    } catch (error) {
      done = undefined
      throw error
    }
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
