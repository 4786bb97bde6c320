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

/** See the head of this file. Several processes of one host (SQLite) or many hosts (PostgreSQL) may have the same store open. */
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
  /** The plan and its cursors go; its runs stay. Idempotent. */
  remove(id: string, options: CallOptions): Promise<void>
  /** Cursors whose time has come, oldest first, and the store's now. Reads only; the caller expands workloads before it claims. */
  due(limit: number, options: CallOptions): Promise<{ readonly now: StoreTime; readonly cursors: readonly Cursor[] }>
  /** The claim: moves the cursor from `from.due` to `next` and creates the runs, or does nothing and returns false. A cursor never moves back. */
  advance(from: Cursor, next: StoreTime | null, runs: readonly RunRequest[], options: CallOptions): Promise<boolean>
}

// ---------- runs: they are also the leases, the slots and the intents ----------

/** Where a run stands. The last four are final: nothing changes them, only what is left to undo is still closed. */
export type RunState = 'queued' | 'running' | 'succeeded' | 'failed' | 'cancelled' | 'skipped'

/** A limit shared by running runs: 'workload:esx/vm-12' 1 of 1, 'host:esx1' 1 of 2, 'repository:main' 1 of 4. Traffic control only: no data is safe because of it. */
export interface Resource {
  /** What is limited. */
  readonly name: string
  /** How much this run takes. */
  readonly units: number
  /** How much there is; the smallest of those that hold or want it counts. */
  readonly capacity: number
}

/** A run to be created. JSON. */
export interface RunRequest {
  /** Unique for ever: `plan/workload/dueAt`, `restore/point/target`, or the caller's own. Creating it again returns the first. */
  readonly key: string
  /** `backup`, `restore`, `verify`, `prune`, `rescan`. */
  readonly operation: string
  /** The plan it belongs to; absent for one by hand. */
  readonly planId?: string
  /** `<provider>/<id>`; names of providers, repositories and plans match `[a-z0-9][a-z0-9-]*`, so the first slash parts them. */
  readonly workload?: string
  /** Absent: the store's now. */
  readonly dueAt?: StoreTime
  /** Milliseconds after dueAt before it may be taken: the jitter, a function of `key`, so that every node computes the same. */
  readonly delay: number
  /** Higher first; among equals the one that is due first. */
  readonly priority: number
  /** The run is `failed` when it has failed so often. */
  readonly maxFailures: number
  /** What a worker must be configured with: 'provider:esx-main', 'repository:main'. */
  readonly needs: readonly string[]
  /** Held from `take` until the run is queued again or final; time alone never frees them. */
  readonly resources: readonly Resource[]
  /** Checked when the run is created: 'skip' if any unfinished run has the key (the row is written as `skipped`), 'queue-one' if one is already queued. */
  readonly overlap?: { readonly key: string; readonly policy: 'skip' | 'queue-one' }
  /** What the operation takes, parsed. */
  readonly input: Json
}

/** A manifest by name: `<folder>/manifest.<number>.json`. */
export interface ManifestRef {
  /** Name under which the application registered the repository. */
  readonly repository: string
  /** `<workload folder>/<point folder>`. */
  readonly folder: string
  /** From 1. */
  readonly number: number
}

/** "If I die, undo this." `until` is set when its attempt was lost: it is undone again by each health check until then. The provider's `Intent` is this plus the mark, made from the run and `attempt`. */
export interface StoredIntent {
  /** Unique within the run. */
  readonly id: string
  /** That wrote it. */
  readonly attempt: number
  /** Name of the provider that undoes it. */
  readonly provider: string
  /** The provider's word. */
  readonly kind: string
  /** The provider's own. */
  readonly data: Json
  /** What was made shall stay if the run commits. */
  readonly kept: boolean
  /** The end of the grace time, set once it was undone because its attempt was lost. */
  readonly until?: StoreTime
}

/** A run as it is kept. JSON. */
export interface Run extends RunRequest {
  /** Made by the store. */
  readonly id: string
  /** As asked for, or when it was created. */
  readonly dueAt: StoreTime
  /** Not taken before: `dueAt` + `delay`, later after a failure. */
  readonly notBefore: StoreTime
  /** Where it stands. */
  readonly state: RunState
  /** Grows by one at every take. The fencing token, not a budget. */
  readonly attempt: number
  /** Counted against `maxFailures`: errors and lost leases, not graceful releases. */
  readonly failures: number
  /** Id of the worker that has it, or had it last. */
  readonly worker?: string
  /** Afterwards anybody may take it. Present while it is running. */
  readonly leaseUntil?: StoreTime
  /** Present once somebody asked it to stop. */
  readonly cancelReason?: string
  /** The number this attempt writes under, stored before its first byte. */
  readonly target?: ManifestRef
  /** Manifests that must not be deleted while this run is unfinished: what it reads, and what its result will build on. */
  readonly reads: readonly ManifestRef[]
  /** What is still to undo, oldest first; also of earlier attempts, and of a run that is final. */
  readonly intents: readonly StoredIntent[]
  /** As of the last renewal. */
  readonly progress?: Json
  /** Of a run that succeeded. */
  readonly result?: Json
  /** The last failure; without a stack or a secret. */
  readonly error?: Json
}

/** Proof of holding a run. Every method that takes one throws STALE_LEASE unless the run is `running` with this attempt. */
export interface Lease {
  /** The run's id. */
  readonly runId: string
  /** The attempt that was given by `take`: the fencing token. */
  readonly attempt: number
}

/** How an attempt ends. JSON. */
export type Outcome =
  /** Retry (`failure: true`) or graceful release on shutdown. */
  | { readonly state: 'queued'; readonly delay: number; readonly failure: boolean; readonly error?: Json }
  /** `points` are added to the catalog, `follow` is created, all in the same transaction. */
  | { readonly state: 'succeeded'; readonly result: Json; readonly points: readonly PointRow[]; readonly follow: readonly RunRequest[] }
  /** Final without a result. */
  | { readonly state: 'failed' | 'cancelled'; readonly error: Json }

/** Runs: they are also the leases, the slots and the intents. */
export interface RunStore {
  /** All or none, in order. A key that is there already answers with that run and `created: false`; nothing of it changes, so creating again is safe. */
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
  /** The lease lasts for `ttl` milliseconds from now. `cancel` is the reason once somebody asked for it. A lease that has ended but was not taken is renewed. */
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
  /** One run by id, otherwise by key. */
  get(idOrKey: string, options: CallOptions): Promise<Run | undefined>
  /** Runs that match everything given, oldest due first. `withIntents`: only those with something left to undo. */
  list(
    filter: { readonly states?: readonly RunState[]; readonly planId?: string; readonly workload?: string; readonly withIntents?: true },
    options: CallOptions,
  ): AsyncIterable<Run>
}

// ---------- points: a cache of the manifests, plus what is condemned ----------

/** What is known of one manifest: a function of it, so that a rescan makes the same row again. JSON. */
export interface PointRow extends ManifestRef {
  /** The last part of `folder`; the same under every number and in every copy. */
  readonly pointId: string
  /** `<provider>/<id>`. */
  readonly workload: string
  /** Point ids, never folders or files: a merge may change how a parent is stored. */
  readonly parents: readonly string[]
  /**
   * Highest sequence of this workload in this repository when the run planned, + 1, for a full too (a copy keeps its source's). Always above the
   * parents'. "Newest" is the highest sequence, then the higher folder name; never the latest clock.
   */
  readonly sequence: number
  /** As the manifest says. For people only. */
  readonly createdAt: StoreTime
  /** What lists and chain planning need of the manifest; opaque to the store. */
  readonly summary: Json
}
/** Cache of the flag files beside the manifest. */
export interface Flags {
  /** Why it stays until a person removes the pin. */
  readonly pin?: string
  /** Not deleted before. */
  readonly holdUntil?: StoreTime
  /** Why it does not count as good. */
  readonly quarantine?: string
  /** When every byte was last found right. */
  readonly verifiedAt?: StoreTime
}

/** All that is known of one workload in one repository, at one moment. */
export interface Catalog {
  /** Raised by every change to this workload's points, flags, reads and targets. */
  readonly version: number
  /** Every row, condemned ones included: one for each number. */
  readonly points: readonly (PointRow & { readonly condemned: boolean; readonly flags: Flags })[]
  /** Reads and targets of all unfinished runs. */
  readonly inUse: readonly ManifestRef[]
}

/** What is known of the repositories. */
export interface PointStore {
  /** Every workload with at least one row here, condemned ones included. */
  workloads(repository: string, options: CallOptions): AsyncIterable<string>
  /** One consistent reading; empty, with a version, for a workload that is not known. */
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
  /** After the bytes of condemned manifests are gone. Rows that are not condemned stay. Idempotent. */
  forget(lease: Lease, manifests: readonly ManifestRef[], options: CallOptions): Promise<void>
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
  /** A list of checks. */
  readonly checks: Json
}
/** Health of the nodes. */
export interface NodeStore {
  /** Adds to the history and returns this node's last report time, so that the engine can compare wall time with its monotonic clock. */
  report(report: NodeReport, options: CallOptions): Promise<{ readonly now: StoreTime; readonly previous?: StoreTime }>
  /** `age` in milliseconds; staleness is the reader's rule. */
  list(options: CallOptions): Promise<readonly (NodeReport & { readonly age: number })[]>
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
