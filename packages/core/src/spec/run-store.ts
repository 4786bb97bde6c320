import type { CallOptions } from './blocks.ts'
import type { Json } from './json.ts'
import type { ManifestRef, PointRow } from './point-store.ts'
import type { OutboxEvent, StoreTime } from './store.ts'

// ---------- runs: they are also the leases, the slots and the intents ----------

/** Where a run stands. The last four are final: nothing changes them, only what is left to undo is still closed. */
export type RunState = 'queued' | 'running' | 'succeeded' | 'failed' | 'cancelled' | 'skipped'

/** A limit shared by running runs: 'workload:esx/vm-12' 1 of 1, 'host:esx1' 1 of 2, 'repository:main' 1 of 4. Traffic control only: no data is safe because of it. */
export interface Resource {
  /** What is limited. */
  readonly name: string
  /** How much this run takes: above 0, at most `capacity`; otherwise `create` throws INVALID_OPTIONS. */
  readonly units: number
  /** How much there is. A run is taken only if what all running ones hold and its own units stay within its own figure. */
  readonly capacity: number
}

/**
 * What one step of priority is worth, milliseconds: of the runs that could begin, the first is the one with the lowest `dueAt - priority * 15 minutes`. A
 * head start instead of a rank, so that a stream of urgent runs keeps nobody waiting for ever.
 */
export const priorityHeadStartMs = 900_000

/**
 * By how much the clocks of those who work on one store may differ, milliseconds. What one of them has set to last for a time lasts that much longer before
 * another takes it for the work of a clock that was ahead.
 */
export const clockSkewMs = 900_000

/** A run to be created. JSON. */
export interface RunRequest {
  /** Unique for ever: `plan/workload/dueAt`, `restore/point/target`, or the caller's own. Creating it again returns the first. */
  readonly key: string
  /** `backup`, `restore`, `verify`, `prune`, `rescan`, `sweep`. */
  readonly operation: string
  /** The plan it belongs to; absent for one by hand. */
  readonly planId?: string
  /** `<provider>/<id>`; names of providers, repositories and plans match `[a-z0-9][a-z0-9-]*`, so the first slash parts them. */
  readonly workload?: string
  /** Absent: the store's now. */
  readonly dueAt?: StoreTime
  /** Milliseconds after dueAt before it may be taken: the jitter, a function of `key`, so that every node computes the same. */
  readonly delay: number
  /** A head start of 15 minutes each, see {@link priorityHeadStartMs}; among equals the one that is due first. */
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

/** Which runs to list. What is absent is not asked. */
export interface RunFilter {
  /** In one of these. */
  readonly states?: readonly RunState[]
  /** Of this plan. */
  readonly planId?: string
  /** Of this workload. */
  readonly workload?: string
  /** With something left to undo. */
  readonly withIntents?: true
  /** By when they were created. Default `oldest-first`. */
  readonly order?: 'oldest-first' | 'newest-first'
}

/** Runs: they are also the leases, the slots and the intents. */
export interface RunStore {
  /** All or none, in order. A key that is there already answers with that run and `created: false`; nothing of it changes, so creating again is safe. */
  create(requests: readonly RunRequest[], options: CallOptions): Promise<readonly { readonly run: Run; readonly created: boolean }[]>
  /**
   * Gives the worker up to `limit` runs it can do: queued ones whose time has come and whose resources are free (all or
   * nothing; an older run that waits for a resource is not overtaken on it), and running ones whose lease has ended (these
   * keep their resources). Each gets attempt + 1 and a lease; ended leases count as a failure. The first duty of a new
   * attempt is to settle the last one. `only` names run ids, for a caller that brings its own scheduler. `holds` names those that the worker still
   * executes: one that stood still is not given its own runs, which would cost each of them an attempt, but everybody else is.
   *
   * The store remembers for how long a lease, or the wait of a queued run, was set. What would last longer than that now was set by a clock that was
   * ahead: each take first cuts it to its length from now, for all runs. So who is dead is found out, and who lives has the time to renew.
   */
  take(
    worker: {
      readonly id: string
      readonly offers: readonly string[]
      readonly only?: readonly string[]
      readonly holds?: readonly string[]
    },
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
  /** Runs that match everything given, in the order of the filter. A caller who has seen enough stops asking: a store need not read them all. */
  list(filter: RunFilter, options: CallOptions): AsyncIterable<Run>
}
