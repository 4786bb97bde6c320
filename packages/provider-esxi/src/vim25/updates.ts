import { type CallOptions, HoldfastError, throwIfAborted } from '@holdfast/core/spec'
import { closedError } from './closed-error.ts'
import { isFault } from './faults.ts'
import { type Session, tidily } from './session.ts'
import type { Data, MoRef } from './values.ts'

/** Properties of an object as they are now, by path. */
export interface Observed {
  readonly [path: string]: unknown
}

/** Waits for changes of objects, all with one call at a time: a property collector answers no second one meanwhile. Disposing ends all waits. */
export interface Updates extends AsyncDisposable {
  /**
   * Waits until `found` makes something of the properties of an object, which it is shown at first and after each change.
   * @throws NOT_FOUND: the object has gone. ACCESS_DENIED (retryable): the session was opened anew meanwhile, and what is waited for may belong to the old one.
   * What `found` throws, and of the calls; an aborted signal rejects with its reason.
   */
  until<Result>(
    ref: MoRef,
    paths: readonly string[],
    found: (observed: Observed) => Result | undefined,
    options: CallOptions,
  ): Promise<Result>
}

/** The host answers after so many seconds also when nothing has changed. */
const maxWaitSeconds = 60

interface Waiter {
  readonly ref: MoRef
  readonly observed: { [path: string]: unknown }
  look(): void
  fail(error: unknown): void
}

/** `answer` settles with the first thing that `found` makes of what was observed. */
function createWaiter<Result>(ref: MoRef, found: (observed: Observed) => Result | undefined): { waiter: Waiter; answer: Promise<Result> } {
  const { promise, resolve, reject } = Promise.withResolvers<Result>()
  promise.catch(() => {}) // it may fail before anybody waits
  const observed: { [path: string]: unknown } = {}
  const look = () => {
    try {
      const result = found(observed)
      if (result !== undefined) resolve(result)
    } catch (error) {
      reject(error)
    }
  }
  return { waiter: { ref, observed, look, fail: reject }, answer: promise }
}

/** The filters of some waiters on a collector of their own, and the one call that waits for all of them. */
interface Round {
  readonly collector: MoRef<'PropertyCollector'>
  readonly generation: number
  /** By the value of the reference of their filter. */
  readonly waiters: Map<string, Waiter>
  version: string | undefined
  /** Of the call, while it is made. */
  waiting: Promise<void> | undefined
  /** The call has failed: nobody begins to wait here any more. */
  isOver: boolean
}

function apply(waiter: Waiter, { kind, changeSet, missingSet }: Data<'ObjectUpdate'>): void {
  if (kind === 'leave') {
    waiter.fail(new HoldfastError('NOT_FOUND', `${waiter.ref.type} ${waiter.ref.value} has gone while it was waited for.`))
    return
  }
  for (const { name, val } of changeSet) waiter.observed[name] = val
  const [missing] = missingSet
  if (missing?.fault.fault.$type === 'ManagedObjectNotFound')
    waiter.fail(new HoldfastError('NOT_FOUND', `There is no ${waiter.ref.type} ${waiter.ref.value} (any more).`))
  else waiter.look()
}

function applyAll(round: Round, set: Data<'UpdateSet'>): void {
  round.version = set.version
  for (const { filter, objectSet } of set.filterSet) {
    const waiter = round.waiters.get(filter.value)
    if (waiter !== undefined) for (const update of objectSet) apply(waiter, update)
  }
}

async function openRound(session: Session, options: CallOptions): Promise<Round> {
  const collector = await session.call('CreatePropertyCollector', session.content.propertyCollector, {}, options)
  return { collector, generation: session.generation, waiters: new Map(), version: undefined, waiting: undefined, isOver: false }
}

/** Ends when nobody waits any more, or with what breaks the call. */
async function waitAll(session: Session, round: Round, options: CallOptions): Promise<void> {
  while (round.waiters.size > 0) {
    const parameters = { ...(round.version !== undefined && { version: round.version }), options: { maxWaitSeconds } }
    const set = await session.call('WaitForUpdatesEx', round.collector, parameters, options).catch((error: unknown) => {
      // Somebody has come or gone: the next call waits for whoever is there then.
      if (isFault(error, 'RequestCanceled')) return undefined
      throw error
    })
    if (set !== undefined) applyAll(round, set)
  }
}

/** The round that is under way, and the next one when that is over or the session has been opened anew. */
function createRounds(session: Session, forever: CallOptions) {
  let latest: Promise<Round> | undefined
  const waited = new Set<Promise<void>>()
  const isOpen = (round: Round | undefined): round is Round =>
    round !== undefined && !round.isOver && round.generation === session.generation
  const poke = ({ collector }: Round) =>
    tidily(session.clock, 'CancelWaitForUpdates', (inner) => session.call('CancelWaitForUpdates', collector, {}, inner))
  const rounds = {
    async current(): Promise<Round> {
      const asked = latest
      const round = await asked?.catch(() => undefined)
      if (isOpen(round)) return round
      // Of all who find none, the first opens one for the others.
      if (latest === asked || latest === undefined) latest = openRound(session, forever)
      return latest
    },
    /** Sees to it that somebody waits for all waiters of a round. */
    wait(own: Round): void {
      if (own.waiting !== undefined) return void poke(own)
      const waiting = waitAll(session, own, forever)
        .catch((error: unknown) => {
          own.isOver = true
          for (const waiter of own.waiters.values()) waiter.fail(error)
          own.waiters.clear()
        })
        .finally(() => {
          waited.delete(waiting)
          own.waiting = undefined
          // Somebody came when the last one had just left.
          if (own.waiters.size > 0) rounds.wait(own)
        })
      own.waiting = waiting
      waited.add(waiting)
    },
    async end(): Promise<void> {
      await Promise.all(waited)
      const own = await latest?.catch(() => undefined)
      if (!isOpen(own)) return
      await tidily(session.clock, 'DestroyPropertyCollector', (inner) => session.call('DestroyPropertyCollector', own.collector, {}, inner))
    },
  }
  return rounds
}

export function createUpdates(session: Session): Updates {
  const closed = new AbortController()
  const rounds = createRounds(session, { signal: closed.signal })
  return {
    async until(ref, paths, found, { signal }) {
      throwIfAborted(signal)
      const round = await rounds.current()
      const { waiter, answer } = createWaiter(ref, found)
      const spec: Data<'PropertyFilterSpec'> = { propSet: [{ type: ref.type, pathSet: paths }], objectSet: [{ obj: ref, selectSet: [] }] }
      const filter = await session.call('CreateFilter', round.collector, { spec, partialUpdates: false }, { signal })
      round.waiters.set(filter.value, waiter)
      const aborted = () => waiter.fail(signal.reason)
      signal.addEventListener('abort', aborted, { once: true })
      try {
        rounds.wait(round)
        return await answer
      } finally {
        signal.removeEventListener('abort', aborted)
        round.waiters.delete(filter.value)
        await tidily(session.clock, 'DestroyPropertyFilter', (inner) => session.call('DestroyPropertyFilter', filter, {}, inner))
      }
    },
    async [Symbol.asyncDispose]() {
      closed.abort(closedError())
      await rounds.end()
    },
  }
}
