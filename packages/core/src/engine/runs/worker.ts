import { isoTime } from '../../model/names.ts'
import type { CallOptions } from '../../spec/blocks.ts'
import { codeOf, HoldfastError } from '../../spec/errors.ts'
import { abortError, throwIfAborted } from '../../spec/helpers/abort.ts'
import type { Scheduler } from '../../spec/scheduler.ts'
import type { Run } from '../../spec/store.ts'
import { errorText } from '../error-text.ts'
import { createFiring } from '../firing/fire-due.ts'
import { createInventories, type Inventories } from '../firing/inventories.ts'
import { type EngineParts, offersOf } from '../parts.ts'
import { executeRun } from './execute.ts'
import { keepOwnLeases } from './hold.ts'

/** Takes runs from the store and executes them, a few at a time. */
export interface Worker {
  /** From now on takes any run it can do; before, only those this process was asked for. */
  takeAll(): Promise<void>
  /** Somebody in this process waits for this run. */
  want(runId: string): Promise<void>
  /** Turns due times into runs and executes whatever this process can do now, to the end. For those who bring their own timer. */
  drain(options: CallOptions): Promise<void>
  /** Ids of the runs that are executed here at this moment. */
  active(): readonly string[]
  /** Takes nothing new, asks what runs to stop, and waits until it has, at most `graceMs`. */
  stop(graceMs: number): Promise<void>
}

const longestPollMs = 5_000

export function createWorker(parts: EngineParts, scheduler: Scheduler): Worker {
  const stopping = new AbortController()
  const lifetime = new AbortController()
  const inventories = createInventories(parts, { signal: stopping.signal }, () => puller.wake())
  const fire = createHintedFiring(parts, scheduler, inventories, lifetime.signal)
  const taking = createTaking(parts, stopping.signal, fire, () => puller.wake())
  const puller = createPuller(parts, lifetime.signal, stopping.signal, taking.pull)
  let waking: Promise<void> | undefined
  /** A poll costs little, and a lost wake-up must not cost more than one of them. */
  const keepAwake = () => {
    const pollMs = Math.max(20, Math.min(longestPollMs, parts.leaseMs / 3))
    waking ??= scheduler.start(puller.wake, { signal: lifetime.signal, pollMs })
    return waking
  }

  return {
    async takeAll() {
      taking.takeAll()
      await keepAwake()
      puller.wake()
    },
    async want(runId) {
      taking.want(runId)
      await keepAwake()
      puller.wake()
    },
    async drain({ signal }) {
      const release = taking.takeAllFor()
      try {
        const underWay = () => [...taking.active.values(), ...inventories.underWay()]
        // Over when a whole pull, begun after the last run and inventory had ended, took nothing: what has ended may have made others due.
        for (let before = -1; underWay().length > 0 || before !== taking.taken(); ) {
          if (underWay().length > 0) await untilAborted(Promise.race(underWay()), signal)
          before = taking.taken()
          puller.wake()
          await untilAborted(puller.settled(), signal)
          if (stopping.signal.aborted && taking.active.size === 0) break
        }
      } finally {
        release()
      }
    },
    active: () => [...taking.active.keys()],
    async stop(graceMs) {
      stopping.abort(new HoldfastError('ENGINE_STOPPED', 'The engine was stopped.'))
      await atMost(parts, graceMs, Promise.allSettled([scheduler.stop(), puller.settled(), ...inventories.underWay()]))
      await atMost(parts, graceMs, Promise.allSettled([...taking.active.values()]))
      lifetime.abort(stopping.signal.reason)
    },
  }
}

/** What this process takes: everything once it was started or while somebody drains, otherwise what was asked for by name. */
function createTaking(parts: EngineParts, stopping: AbortSignal, fire: (options: CallOptions) => Promise<void>, wake: () => void) {
  const wanted = new Set<string>()
  const active = new Map<string, Promise<void>>()
  let all = false
  let everything = 0
  let taken = 0

  parts.events.on('run-finished', ({ id }) => wanted.delete(id))
  const execute = (run: Run) => {
    const done = executeRun(parts, run, 'work', stopping).finally(() => {
      active.delete(run.id)
      wake()
    })
    active.set(run.id, done)
  }
  const takeAllFor = () => {
    everything++
    return () => {
      everything--
    }
  }
  return {
    active,
    takeAllFor,
    takeAll() {
      if (!all) takeAllFor()
      all = true
      wanted.clear()
    },
    want(runId: string) {
      if (!all) wanted.add(runId)
    },
    /** How many runs were taken so far. */
    taken: () => taken,
    async pull(options: CallOptions) {
      if (everything > 0) await fire(options)
      const free = parts.concurrency - active.size
      if (free <= 0 || (everything === 0 && wanted.size === 0)) return
      await keepOwnLeases(parts, options)
      const holds = [...parts.holds.keys()]
      const worker = { id: parts.workerId, offers: offersOf(parts), holds, ...(everything === 0 && { only: [...wanted] }) }
      const runs = await parts.store.runs.take(worker, parts.leaseMs, free, options)
      taken += runs.length
      for (const run of runs) execute(run)
    },
  }
}

/** Claims what is due, and tells the scheduler when to look again: the next due times, and a retry that is due between two polls. */
function createHintedFiring(
  parts: EngineParts,
  scheduler: Scheduler,
  inventories: Inventories,
  signal: AbortSignal,
): (options: CallOptions) => Promise<void> {
  const firing = createFiring(parts, inventories)
  const hint = (at: number) => {
    scheduler.notify(isoTime(at), { signal }).catch((error: unknown) => {
      parts.logger.warn('The scheduler did not take a hint.', { error: errorText(error) })
    })
  }
  parts.events.on('run-retried', ({ delayMs }) => hint(parts.clock.now() + delayMs))
  return async (options) => {
    for (const next of await firing.fire(options)) hint(next)
  }
}

/** Pulls once for each wake-up, never twice at the same time; a wake-up during a pull causes one more. */
function createPuller(parts: EngineParts, lifetime: AbortSignal, stopping: AbortSignal, pull: (options: CallOptions) => Promise<void>) {
  let again = false
  let pulling: Promise<void> | undefined
  let refused = false
  let failure: { readonly error: unknown } | undefined

  async function pullOn(): Promise<void> {
    while (again && !stopping.aborted && !refused) {
      again = false
      try {
        await pull({ signal: lifetime })
        failure = undefined
      } catch (error) {
        if (lifetime.aborted) return
        failure = { error }
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
  return {
    wake,
    /** Nothing pulls: what woke it during a pull has had its own. Rejects with what the last pull failed of. */
    async settled() {
      while (pulling) await pulling
      if (failure) throw failure.error
    },
  }
}

/** Waits for `work`, but not for longer. Never rejects because of the time. */
export async function atMost(parts: EngineParts, milliseconds: number, work: Promise<unknown>): Promise<void> {
  const ended = new AbortController()
  await Promise.race([work, parts.clock.sleep(milliseconds, { signal: ended.signal }).catch(() => undefined)])
  ended.abort()
}

/** The wait ends when the signal aborts, the work does not. */
async function untilAborted(work: Promise<unknown>, signal: AbortSignal): Promise<void> {
  throwIfAborted(signal)
  const ended = new AbortController()
  const aborted = new Promise<never>((_, reject) => {
    signal.addEventListener('abort', () => reject(abortError(signal)), { signal: ended.signal, once: true })
  })
  try {
    await Promise.race([work, aborted])
  } finally {
    ended.abort()
  }
}
