import { type CallOptions, type Clock, type Ids, type Store, throwIfAborted } from '@holdfast/core/spec'
import { memoryNodes, memoryReplications } from './memory-nodes.ts'
import { memoryOutbox } from './memory-outbox.ts'
import { memoryPlans } from './memory-plans.ts'
import { memoryPoints } from './memory-points.ts'
import { memoryRuns } from './memory-runs.ts'
import { copyState, emptyState, type StoreContext, type StoreState } from './store-state.ts'

/** What a memory store needs. */
export interface MemoryStoreOptions {
  /** The store's own clock: `now()` is its time. */
  readonly clock: Pick<Clock, 'now'>
  /** Makes the ids of runs and, without `storeId`, of the store. */
  readonly ids: Ids
  /** The id that `open` returns. Default: a new one. */
  readonly storeId?: string
  /**
   * Awaited before each method takes effect and again when it took effect but has not answered yet. `label` is the method, such as `runs.take`.
   * A rejection leaves through the method: before, nothing has happened; after, the answer is lost. For schedules, kills and lost answers.
   */
  readonly turn?: (label: string, moment: 'before' | 'after') => Promise<void>
}

/** A copy of everything a memory store knew at one moment. */
export interface MemoryStoreCopy {
  readonly state: unknown
}

/** A {@link Store} in memory, and the means to take "yesterday's copy" of it and to put that back. */
export interface MemoryStore extends Store {
  /** A copy that later changes do not touch. */
  dump(): MemoryStoreCopy
  /** Puts a copy back, as often as you like. */
  load(copy: MemoryStoreCopy): void
}

/**
 * A complete {@link Store} that keeps plain data in memory: each method takes effect in one synchronous step. It may be given to several engines, at the
 * same time or one after the other: disposing it does nothing.
 *
 * @example
 * ```ts
 * const store = memoryStore({ clock, ids })
 * const yesterday = store.dump()
 * store.load(yesterday)
 * ```
 */
export function memoryStore(options: MemoryStoreOptions): MemoryStore {
  const state = emptyState(options.storeId ?? options.ids.next())
  const context = createContext(state, options)
  return {
    specVersion: 1,
    open: (call) =>
      context.perform('open', call, () => {
        state.epoch = Math.max(state.epoch, call.above ?? 0) + 1
        return { storeId: state.storeId, epoch: state.epoch, now: context.now() }
      }),
    plans: memoryPlans(context),
    runs: memoryRuns(context),
    points: memoryPoints(context),
    nodes: memoryNodes(context),
    replications: memoryReplications(context),
    outbox: memoryOutbox(context),
    dump: () => ({ state: copyState(state) }),
    load: (copy) => replaceState(state, copyState(copy.state as StoreState)),
    [Symbol.asyncDispose]: async () => {},
  }
}

function createContext(state: StoreState, { clock, ids, turn }: MemoryStoreOptions): StoreContext {
  const perform = async <T>(label: string, { signal }: CallOptions, action: () => T): Promise<T> => {
    throwIfAborted(signal)
    if (turn !== undefined) await turn(label, 'before')
    throwIfAborted(signal)
    const result = action()
    if (turn !== undefined) await turn(label, 'after')
    return result
  }
  return {
    state,
    ids,
    now: () => clock.now(),
    perform,
    iterate: async function* (label, options, read) {
      yield* await perform(label, options, read)
    },
  }
}

/** The parts hold on to the maps, so their contents are exchanged, not they. */
function replaceState(state: StoreState, next: StoreState): void {
  state.epoch = next.epoch
  state.reports.splice(0, state.reports.length, ...next.reports)
  for (const [name, map] of Object.entries(next)) {
    if (!(map instanceof Map)) continue
    const own = state[name as 'runs'] as Map<unknown, unknown>
    own.clear()
    for (const [key, value] of map) own.set(key, value)
  }
}
