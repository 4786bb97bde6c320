import type { CallOptions } from './blocks.ts'
import type { Json } from './json.ts'

/**
 * The Store contract: the truth about work. Every method is ONE transaction, durable when its promise resolves
 * (SQLite: BEGIN IMMEDIATE, synchronous=FULL; PostgreSQL: synchronous_commit=on, `take` and `advance` under one
 * advisory lock). There is no `transaction()`: what must happen together is one method. Times are milliseconds UTC read
 * from the store's own clock; callers pass durations, never "now". Every method may throw STORE_BUSY (retryable) and
 * STORE_NEWER (the schema is newer than this code: the engine stops taking runs). Abort before the commit leaves nothing.
 */

/** Milliseconds since 1970-01-01 UTC on the store's clock. */
export type StoreTime = number

export interface Store extends AsyncDisposable {
  readonly specVersion: 1
  /**
   * Migrates and returns who this store is. `epoch` grows by one at each open; a repository that has seen a higher one proves that this database was
   * rolled back. May be called again; with `above` the new epoch is also higher than that number, which is how a rolled-back store catches up.
   */
  open(
    options: CallOptions & { readonly above?: number },
  ): Promise<{ readonly storeId: string; readonly epoch: number; readonly now: StoreTime }>
  readonly plans: PlanStore
  readonly runs: RunStore
  readonly points: PointStore
  readonly nodes: NodeStore
  readonly replications: ReplicationStore
  readonly outbox: OutboxStore
}

// ---------- plans and due times ----------

export interface PlanRow {
  readonly id: string
  readonly revision: number
  readonly plan: Json
}
/** One schedule of one plan and the next time it is due. Null: nothing more is due. */
export interface Cursor {
  readonly planId: string
  readonly schedule: string
  readonly due: StoreTime | null
}

export interface PlanStore {
  /** Compare-and-set on `revision` (0 = must be new). Cursors of schedules that remain keep their time. False: somebody else changed it. */
  put(plan: PlanRow, cursors: readonly Cursor[], options: CallOptions): Promise<boolean>
  get(id: string, options: CallOptions): Promise<PlanRow | undefined>
  list(options: CallOptions): AsyncIterable<PlanRow>
  remove(id: string, options: CallOptions): Promise<void>
  /** Cursors whose time has come, oldest first, and the store's now. Reads only; the caller expands workloads before it claims. */
  due(limit: number, options: CallOptions): Promise<{ readonly now: StoreTime; readonly cursors: readonly Cursor[] }>
  /** The claim: moves the cursor from `from.due` to `next` and creates the runs, or does nothing and returns false. A cursor never moves back. */
  advance(from: Cursor, next: StoreTime | null, runs: readonly RunRequest[], options: CallOptions): Promise<boolean>
}

// ---------- runs: they are also the leases, the slots and the intents ----------

export type RunState = 'queued' | 'running' | 'succeeded' | 'failed' | 'cancelled' | 'skipped'

/** A limit shared by running runs: 'workload:esx/vm-12' 1 of 1, 'host:esx1' 1 of 2, 'repository:main' 1 of 4. Traffic control only: no data is safe because of it. */
export interface Resource {
  readonly name: string
  readonly units: number
  readonly capacity: number
}

export interface RunRequest {
  /** Unique for ever: `plan/workload/dueAt`, `restore/point/target`, or the caller's own. Creating it again returns the first. */
  readonly key: string
  readonly operation: string
  readonly planId?: string
  /** `<provider>/<id>`; names of providers, repositories and plans match `[a-z0-9][a-z0-9-]*`, so the first slash parts them. */
  readonly workload?: string
  /** Absent: the store's now. */
  readonly dueAt?: StoreTime
  /** Milliseconds after dueAt before it may be taken: the jitter, a function of `key`, so that every node computes the same. */
  readonly delay: number
  readonly priority: number
  readonly maxFailures: number
  /** What a worker must be configured with: 'provider:esx-main', 'repository:main'. */
  readonly needs: readonly string[]
  /** Held from `take` until the run is queued again or final; time alone never frees them. */
  readonly resources: readonly Resource[]
  /** Checked when the run is created: 'skip' if any unfinished run has the key (the row is written as `skipped`), 'queue-one' if one is already queued. */
  readonly overlap?: { readonly key: string; readonly policy: 'skip' | 'queue-one' }
  readonly input: Json
}

/** A manifest by name: `<folder>/manifest.<number>.json`. */
export interface ManifestRef {
  readonly repository: string
  readonly folder: string
  readonly number: number
}

/** "If I die, undo this." `until` is set when its attempt was lost: it is undone again by each health check until then. The provider's `Intent` is this plus the mark, made from the run and `attempt`. */
export interface StoredIntent {
  readonly id: string
  readonly attempt: number
  readonly provider: string
  readonly kind: string
  readonly data: Json
  readonly kept: boolean
  readonly until?: StoreTime
}

export interface Run extends RunRequest {
  readonly id: string
  readonly dueAt: StoreTime
  readonly notBefore: StoreTime
  readonly state: RunState
  /** Grows by one at every take. The fencing token, not a budget. */
  readonly attempt: number
  /** Counted against `maxFailures`: errors and lost leases, not graceful releases. */
  readonly failures: number
  readonly worker?: string
  readonly leaseUntil?: StoreTime
  readonly cancelReason?: string
  /** The number this attempt writes under, stored before its first byte. */
  readonly target?: ManifestRef
  /** Manifests that must not be deleted while this run is unfinished: what it reads, and what its result will build on. */
  readonly reads: readonly ManifestRef[]
  readonly intents: readonly StoredIntent[]
  readonly progress?: Json
  readonly result?: Json
  readonly error?: Json
}

/** Proof of holding a run. Every method that takes one throws STALE_LEASE unless the run is `running` with this attempt. */
export interface Lease {
  readonly runId: string
  readonly attempt: number
}

export type Outcome =
  /** Retry (`failure: true`) or graceful release on shutdown. */
  | { readonly state: 'queued'; readonly delay: number; readonly failure: boolean; readonly error?: Json }
  | { readonly state: 'succeeded'; readonly result: Json; readonly points: readonly PointRow[]; readonly follow: readonly RunRequest[] }
  | { readonly state: 'failed' | 'cancelled'; readonly error: Json }

export interface RunStore {
  create(requests: readonly RunRequest[], options: CallOptions): Promise<readonly { readonly run: Run; readonly created: boolean }[]>
  /**
   * Gives the worker up to `limit` runs it can do: queued ones whose time has come and whose resources are free (all or
   * nothing; an older run that waits for a resource is not overtaken on it), and running ones whose lease has ended (these
   * keep their resources). Each gets attempt + 1 and a lease; ended leases count as a failure. The first duty of a new
   * attempt is to settle the last one. `only` names run ids, for a caller that brings its own scheduler.
   */
  take(
    worker: { readonly id: string; readonly offers: readonly string[]; readonly only?: readonly string[] },
    ttl: number,
    limit: number,
    options: CallOptions,
  ): Promise<readonly Run[]>
  /** `cancel` is the reason once somebody asked for it. */
  renew(
    lease: Lease,
    ttl: number,
    progress: Json,
    options: CallOptions,
  ): Promise<{ readonly leaseUntil: StoreTime; readonly cancel?: string }>
  /** Replaces the given fields. Throws POINT_CONDEMNED if one of `reads` is condemned or unknown or `target` is a condemned number, NUMBER_TAKEN if `target` is another run's. New reads or target raise the catalog version. */
  save(
    lease: Lease,
    patch: { readonly target?: ManifestRef | null; readonly reads?: readonly ManifestRef[]; readonly intents?: readonly StoredIntent[] },
    options: CallOptions,
  ): Promise<void>
  /** Ends the attempt: state, points, following runs, what is still to undo, and notifications, together. Frees resources, reads and target. */
  finish(
    lease: Lease,
    outcome: Outcome,
    intents: readonly StoredIntent[],
    events: readonly OutboxEvent[],
    options: CallOptions,
  ): Promise<void>
  /** After an undo: removes these intents from the run, whatever its state. Idempotent, needs no lease. Intents with `until` stay until then. */
  undone(runId: string, intents: readonly string[], options: CallOptions): Promise<void>
  /** A queued run that never ran becomes `cancelled`; any other is asked to stop and is settled first. */
  cancel(runId: string, reason: string, options: CallOptions): Promise<'cancelled' | 'requested' | 'final' | 'unknown'>
  get(idOrKey: string, options: CallOptions): Promise<Run | undefined>
  list(
    filter: { readonly states?: readonly RunState[]; readonly planId?: string; readonly workload?: string; readonly withIntents?: true },
    options: CallOptions,
  ): AsyncIterable<Run>
}

// ---------- points: a cache of the manifests, plus what is condemned ----------

export interface PointRow extends ManifestRef {
  readonly pointId: string
  readonly workload: string
  /** Point ids, never folders or files: a merge may change how a parent is stored. */
  readonly parents: readonly string[]
  /**
   * Highest sequence of this workload in this repository when the run planned, + 1, for a full too (a copy keeps its source's). Always above the
   * parents'. "Newest" is the highest sequence, then the higher folder name; never the latest clock.
   */
  readonly sequence: number
  readonly createdAt: StoreTime
  readonly summary: Json
}
/** Cache of the flag files beside the manifest. */
export interface Flags {
  readonly pin?: string
  readonly holdUntil?: StoreTime
  readonly quarantine?: string
  readonly verifiedAt?: StoreTime
}

export interface Catalog {
  /** Raised by every change to this workload's points, flags, reads and targets. */
  readonly version: number
  readonly points: readonly (PointRow & { readonly condemned: boolean; readonly flags: Flags })[]
  /** Reads and targets of all unfinished runs. */
  readonly inUse: readonly ManifestRef[]
}

export interface PointStore {
  /** Every workload with at least one row here, condemned ones included. */
  workloads(repository: string, options: CallOptions): AsyncIterable<string>
  catalog(repository: string, workload: string, options: CallOptions): Promise<Catalog>
  /** Rescan. Applies only to `version`; never touches condemned rows or targets of unfinished runs. False: look again. */
  sync(
    lease: Lease,
    repository: string,
    workload: string,
    version: number,
    add: readonly (PointRow & { readonly flags: Flags })[],
    remove: readonly ManifestRef[],
    options: CallOptions,
  ): Promise<boolean>
  /**
   * Changes only the named flags, null removes. Throws POINT_CONDEMNED. Set: store, then file, then acknowledge. Remove: file first, then store.
   * `lease`: for runs (verify); a person's pin has none.
   */
  flag(
    repository: string,
    folder: string,
    patch: { readonly [K in keyof Flags]: Flags[K] | null },
    options: CallOptions & { readonly lease?: Lease },
  ): Promise<void>
  /** Prune's point of no return: applies only to `version`, cannot be undone. False: plan again. */
  condemn(
    lease: Lease,
    repository: string,
    workload: string,
    version: number,
    manifests: readonly ManifestRef[],
    options: CallOptions,
  ): Promise<boolean>
  /** After the bytes of condemned manifests are gone. */
  forget(lease: Lease, manifests: readonly ManifestRef[], options: CallOptions): Promise<void>
}

// ---------- nodes, replication, notifications ----------

export interface NodeReport {
  readonly node: string
  readonly state: 'OK' | 'Warning' | 'Error'
  readonly version: string
  readonly checks: Json
}
export interface NodeStore {
  /** Adds to the history and returns this node's last report time, so that the engine can compare wall time with its monotonic clock. */
  report(report: NodeReport, options: CallOptions): Promise<{ readonly now: StoreTime; readonly previous?: StoreTime }>
  /** `age` in milliseconds; staleness is the reader's rule. */
  list(options: CallOptions): Promise<readonly (NodeReport & { readonly age: number })[]>
  history(node: string, since: StoreTime, options: CallOptions): AsyncIterable<NodeReport & { readonly at: StoreTime }>
}

export interface Replication {
  readonly id: string
  readonly epoch: number
  readonly state: string
  readonly data: Json
}
export interface FailoverEvent {
  readonly id: string
  readonly replicationId: string
  readonly epoch: number
  readonly at: StoreTime
  readonly event: Json
}
export interface ReplicationStore {
  get(id: string, options: CallOptions): Promise<Replication | undefined>
  list(options: CallOptions): AsyncIterable<Replication>
  /** Compare-and-set: stores epoch + 1 if the stored epoch is `replication.epoch` (0 = new), with its timeline and notifications. */
  put(
    replication: Replication,
    timeline: readonly Omit<FailoverEvent, 'epoch' | 'at'>[],
    events: readonly OutboxEvent[],
    options: CallOptions,
  ): Promise<boolean>
  timeline(replicationId: string, options: CallOptions): AsyncIterable<FailoverEvent>
}

/** `id` is a function of the transition, so that writing it twice keeps one. Delivery is at least once, with this id as the message id. */
export interface OutboxEvent {
  readonly id: string
  readonly event: Json
}
export interface OutboxStore {
  add(events: readonly OutboxEvent[], options: CallOptions): Promise<void>
  take(ttl: number, limit: number, options: CallOptions): Promise<readonly OutboxEvent[]>
  done(ids: readonly string[], options: CallOptions): Promise<void>
}
