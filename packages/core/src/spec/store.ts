import type { CallOptions } from './blocks.ts'
import type { Json } from './json.ts'
import type { PointStore } from './point-store.ts'
import type { RunRequest, RunStore } from './run-store.ts'

export type { Catalog, Flags, ManifestRef, PointRow, PointStore } from './point-store.ts'
export type { Lease, Outcome, Resource, Run, RunFilter, RunRequest, RunState, RunStore, StoredIntent } from './run-store.ts'

/** Milliseconds since 1970-01-01 UTC on the store's clock. */
export type StoreTime = number

/**
 * The Store contract: the truth about work. Every method is ONE transaction, durable when its promise resolves
 * (SQLite: BEGIN IMMEDIATE, synchronous=FULL; PostgreSQL: synchronous_commit=on, `take` and `advance` under one
 * advisory lock). There is no `transaction()`: what must happen together is one method. Times are milliseconds UTC read
 * from the store's own clock; callers pass durations, never "now". Every method may throw STORE_BUSY (retryable) and
 * STORE_NEWER (the schema is newer than this code: the engine stops taking runs). Abort before the commit leaves nothing.
 *
 * Several processes of one host (SQLite) or many hosts (PostgreSQL) may have the same store open.
 */
export interface Store extends AsyncDisposable {
  /** Version of this contract. */
  readonly specVersion: 1
  /**
   * Migrates and returns who this store is. `epoch` grows by one at each open; a repository that has seen a higher one proves that this database was
   * rolled back. May be called again; with `above` the new epoch is also higher than that number, which is how a rolled-back store catches up.
   */
  open(
    options: CallOptions & { readonly above?: number },
  ): Promise<{ readonly storeId: string; readonly epoch: number; readonly now: StoreTime }>
  /** Plans and when they are due. */
  readonly plans: PlanStore
  /** Work, its leases and what is to undo. */
  readonly runs: RunStore
  /** What is known of the repositories. */
  readonly points: PointStore
  /** Health of the nodes. */
  readonly nodes: NodeStore
  /** State of failover pairs. */
  readonly replications: ReplicationStore
  /** Notifications on their way. */
  readonly outbox: OutboxStore
}

// ---------- plans and due times ----------

/** A plan as it is kept. JSON. */
export interface PlanRow {
  /** The plan's name. */
  readonly id: string
  /** Grows by one at every change; 0 stands for a plan that is not there yet. */
  readonly revision: number
  /** Parsed, with its defaults filled in. */
  readonly plan: Json
}
/** One schedule of one plan and the next time it is due. Null: nothing more is due. */
export interface Cursor {
  /** The plan's name. */
  readonly planId: string
  /** Which of the plan's schedules; the plan's own word. */
  readonly schedule: string
  /** When it is due next. */
  readonly due: StoreTime | null
}

/** Plans and when they are due. */
export interface PlanStore {
  /** Compare-and-set on `revision`, the one that the caller has seen (0 = must be new); stores `revision + 1`. Cursors of schedules that remain keep their time. False: somebody else changed it. */
  put(plan: PlanRow, cursors: readonly Cursor[], options: CallOptions): Promise<boolean>
  /** One plan, or undefined. */
  get(id: string, options: CallOptions): Promise<PlanRow | undefined>
  /** All plans, by name. */
  list(options: CallOptions): AsyncIterable<PlanRow>
  /** The plan and its cursors go; its runs stay. With `revision` only if it still is that one. Idempotent; false: there was nothing to remove. */
  remove(id: string, options: CallOptions & { readonly revision?: number }): Promise<boolean>
  /** Cursors whose time has come, oldest first, and the store's now. Reads only; the caller expands workloads before it claims. */
  due(limit: number, options: CallOptions): Promise<{ readonly now: StoreTime; readonly cursors: readonly Cursor[] }>
  /** All cursors, due or not, and the store's now. */
  cursors(options: CallOptions): Promise<{ readonly now: StoreTime; readonly cursors: readonly Cursor[] }>
  /**
   * Moves a cursor from `from.due`, also from null, back to the earlier `due`, or does nothing and returns false: a clock that was ahead for a minute has
   * moved it too far. What it becomes due for again has its runs already, and keys keep those from being made twice.
   */
  setBack(from: Cursor, due: StoreTime, options: CallOptions): Promise<boolean>
  /**
   * The claim: moves the cursor from `from.due` to `next`, creates the runs and writes the notifications `events`, or does nothing and returns false. It
   * never moves a cursor back.
   */
  advance(
    from: Cursor,
    next: StoreTime | null,
    runs: readonly RunRequest[],
    options: CallOptions & { readonly events?: readonly OutboxEvent[] },
  ): Promise<boolean>
}

// ---------- nodes, replication, notifications ----------

/** How a node is. JSON. */
export interface NodeReport {
  /** `createEngine({ name })`. */
  readonly node: string
  /** The worst of its checks. */
  readonly state: 'OK' | 'Warning' | 'Error'
  /** Of the software. */
  readonly version: string
  /** Of the host it runs on, if it was told. */
  readonly hostName?: string
  /** A list of checks; the engine's own. */
  readonly checks: Json
}
/** Health of the nodes. */
export interface NodeStore {
  /**
   * Adds to the history and returns this node's last report time, so that the engine can compare wall time with its monotonic clock. The same transaction
   * drops what any node reported more than 7 days ago: the history does not grow for ever, and a node that never reports again is forgotten.
   */
  report(report: NodeReport, options: CallOptions): Promise<{ readonly now: StoreTime; readonly previous?: StoreTime }>
  /** The last report of each node, by name: when it was made, and its `age` in milliseconds. Staleness is the reader's rule. Negative: the store's clock was set back. */
  list(options: CallOptions): Promise<readonly (NodeReport & { readonly at: StoreTime; readonly age: number })[]>
  /** Reports of one node from `since` on, oldest first. */
  history(node: string, since: StoreTime, options: CallOptions): AsyncIterable<NodeReport & { readonly at: StoreTime }>
}

/** Where a failover pair stands. JSON. */
export interface Replication {
  /** Unique. */
  readonly id: string
  /** Grows by one at every transition; 0 stands for a pair that is not there yet. */
  readonly epoch: number
  /** The engine's word. */
  readonly state: string
  /** The engine's own. */
  readonly data: Json
}
/** One entry of a pair's timeline. JSON. */
export interface FailoverEvent {
  /** A function of the transition. */
  readonly id: string
  /** Of which pair. */
  readonly replicationId: string
  /** The epoch that the transition made. */
  readonly epoch: number
  /** When it was stored. */
  readonly at: StoreTime
  /** The engine's own. */
  readonly event: Json
}
/** State of failover pairs. */
export interface ReplicationStore {
  /** One pair, or undefined. */
  get(id: string, options: CallOptions): Promise<Replication | undefined>
  /** All pairs, by id. */
  list(options: CallOptions): AsyncIterable<Replication>
  /** Compare-and-set: stores epoch + 1 if the stored epoch is `replication.epoch` (0 = new), with its timeline and notifications. */
  put(
    replication: Replication,
    timeline: readonly Omit<FailoverEvent, 'epoch' | 'at'>[],
    events: readonly OutboxEvent[],
    options: CallOptions,
  ): Promise<boolean>
  /** Oldest first. */
  timeline(replicationId: string, options: CallOptions): AsyncIterable<FailoverEvent>
}

/** `id` is a function of the transition, so that writing it twice keeps one. Delivery is at least once, with this id as the message id. */
export interface OutboxEvent {
  /** See above. */
  readonly id: string
  /** What a notification is made of. */
  readonly event: Json
}
/** Notifications on their way: written with the transition, delivered at least once. */
export interface OutboxStore {
  /** Those whose id is known already, delivered or not, change nothing. */
  add(events: readonly OutboxEvent[], options: CallOptions): Promise<void>
  /** Up to `limit`, oldest first, that nobody else is given for `ttl` milliseconds; afterwards they come again. */
  take(ttl: number, limit: number, options: CallOptions): Promise<readonly OutboxEvent[]>
  /** Delivered: they do not come again. Idempotent. */
  done(ids: readonly string[], options: CallOptions): Promise<void>
}
