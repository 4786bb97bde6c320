import type {
  CallOptions,
  Cursor,
  FailoverEvent,
  Flags,
  Ids,
  Json,
  NodeReport,
  PlanRow,
  PointRow,
  Replication,
  Run,
  StoreTime,
} from '@holdfast/core/spec'

export type KnownPoint = PointRow & { readonly condemned: boolean }
export type StoredReport = NodeReport & { readonly at: StoreTime }
export interface StoredEvent {
  readonly event: Json
  readonly hiddenUntil: StoreTime
  readonly done: boolean
}

/** Everything a memory store knows. The maps change, what is in them does not: a copy of the maps is a copy of the store. */
export interface StoreState {
  readonly storeId: string
  epoch: number
  readonly plans: Map<string, PlanRow>
  readonly cursors: Map<string, Cursor>
  /** By id, in the order of creation. */
  readonly runs: Map<string, Run>
  /** Run key to run id. */
  readonly keys: Map<string, string>
  /** Run id to the milliseconds for which its lease, or its wait in the queue, was set. */
  readonly setFor: Map<string, number>
  readonly versions: Map<string, number>
  readonly points: Map<string, KnownPoint>
  readonly flags: Map<string, Flags>
  readonly reports: StoredReport[]
  readonly replications: Map<string, Replication>
  readonly timeline: Map<string, FailoverEvent>
  readonly outbox: Map<string, StoredEvent>
}

/** What the parts of a memory store share. */
export interface StoreContext {
  readonly state: StoreState
  readonly ids: Ids
  now(): StoreTime
  /** One transaction: the action is synchronous and checks everything before it changes anything. */
  perform<T>(label: string, options: CallOptions, action: () => T): Promise<T>
  /** A list as it was at one moment. */
  iterate<T>(label: string, options: CallOptions, read: () => readonly T[]): AsyncIterable<T>
}

export function emptyState(storeId: string): StoreState {
  return {
    storeId,
    epoch: 0,
    plans: new Map(),
    cursors: new Map(),
    runs: new Map(),
    keys: new Map(),
    setFor: new Map(),
    versions: new Map(),
    points: new Map(),
    flags: new Map(),
    reports: [],
    replications: new Map(),
    timeline: new Map(),
    outbox: new Map(),
  }
}

export function copyState(state: StoreState): StoreState {
  return {
    storeId: state.storeId,
    epoch: state.epoch,
    plans: new Map(state.plans),
    cursors: new Map(state.cursors),
    runs: new Map(state.runs),
    keys: new Map(state.keys),
    setFor: new Map(state.setFor),
    versions: new Map(state.versions),
    points: new Map(state.points),
    flags: new Map(state.flags),
    reports: [...state.reports],
    replications: new Map(state.replications),
    timeline: new Map(state.timeline),
    outbox: new Map(state.outbox),
  }
}
