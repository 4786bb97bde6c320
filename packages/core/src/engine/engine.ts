import type { ClusterStatus, NodeHistoryEntry } from '../model/health.ts'
import type { Plan, PlanInput } from '../model/plan.ts'
import type { PointSummary } from '../model/point-row.ts'
import type {
  BackupOutcome,
  CopyOutcome,
  MergeOutcome,
  PruneOutcome,
  RescanOutcome,
  RestoreOutcome,
  SnapshotOutcome,
  VerifyOutcome,
} from '../model/run-outcome.ts'
import type { RunView } from '../model/run-view.ts'
import type { PlanSavings, RunSavings } from '../model/savings.ts'
import type { CallOptions } from '../spec/blocks.ts'
import type { Clock, Ids } from '../spec/clock.ts'
import type { Json } from '../spec/json.ts'
import type { Logger } from '../spec/logger.ts'
import type { Notifier } from '../spec/notifier.ts'
import type { Provider, Snapshot } from '../spec/provider.ts'
import type { Repository } from '../spec/repository.ts'
import type { Scheduler } from '../spec/scheduler.ts'
import type { Store } from '../spec/store.ts'
import type { WorkloadRef } from '../spec/workload.ts'
import type { EventListener, EventName } from './events.ts'
import type { PrunePreview, RunPreview } from './firing/previews.ts'
import type { RetryPolicy } from './parts.ts'
import type { CancelAnswer, RunHandle } from './runs/run-handle.ts'

type Named<Value> = { readonly [name: string]: Value }

/** What an engine is made of. Names match `[a-z0-9][a-z0-9-]*` and are what everything else refers to. Durations are milliseconds. */
export interface EngineOptions {
  /** This node; shown in health and leases. */
  readonly name: string
  /** Written on everything that is made on a platform, so keep it for ever. The same on all nodes of one store. Default: `name`. */
  readonly system?: string
  /** The engine disposes everything it is given when it stops. */
  readonly store: Store
  readonly repositories: Named<Repository>
  readonly providers: Named<Provider>
  /**
   * Put into the store by `start()`, which also removes those that a node of this name has put before and that are not here any more. Plans put by hand are
   * left alone.
   */
  readonly plans?: Named<PlanInput>
  readonly notifiers?: Named<Notifier>
  /** When to look for work. Default: a timer in this process. */
  readonly scheduler?: Scheduler
  readonly logger?: Logger
  readonly clock?: Clock
  readonly ids?: Ids
  /** How long a run belongs to a process that has stopped renewing it. Default 30,000; at least 100. */
  readonly leaseMs?: number
  /** How long a request of a lost attempt may be on its way: so long it is undone again, and twice as long its dead numbers stay. Default 24 hours. */
  readonly graceMs?: number
  /** How long a stream may stand still before it is given up. Default 120,000. */
  readonly stallMs?: number
  /** Deadline of each clean-up. Default 15 minutes. */
  readonly cleanUpMs?: number
  /** How often this node reports how it is. Default 30,000. */
  readonly healthEveryMs?: number
  /** A node that was silent for longer is `Stale`; the same on all nodes. Default 120,000. */
  readonly nodeStaleMs?: number
  /** A node that was silent for longer is not shown any more. Default 7 days, which is as long as the store keeps reports. */
  readonly nodeForgetMs?: number
  /** Name of this host, shown in the details of the status: `os.hostname()`. Default: none. */
  readonly hostName?: string
  /** Default: 3 failures, the second attempt after 10 seconds. */
  readonly retry?: Partial<RetryPolicy>
  /** Runs at once in this process. Default 4. */
  readonly concurrency?: number
  /** Runs at once on all nodes together, by the name of a provider or repository. Default: none. */
  readonly limits?: {
    readonly providers?: { readonly [name: string]: number }
    readonly repositories?: { readonly [name: string]: number }
  }
  /** Limit for all bytes of one run. Default: none. */
  readonly bytesPerSecond?: number
  /**
   * A local folder for what must be known before it can be streamed: what has changed of a disk that comes as a stream and cannot be read again. It must have
   * room for that, for all disks that come at once; files there have no names and are gone when the process is. Default: `/var/tmp`.
   */
  readonly scratch?: string
}

/** What a restore may be told; the rest has defaults. */
export interface RestoreOptions {
  /** `latest` (default: the newest good point) or the id of a point. */
  readonly point?: string
  /** Needed when there is more than one. */
  readonly repository?: string
  /** Onto which provider. Default: the one it came from. */
  readonly provider?: string
  /** Default: the name it had. */
  readonly name?: string
  /** Replaces this workload instead of making a new one. */
  readonly target?: string
  /** Default false. */
  readonly start?: boolean
  /** `test`: made, probed and undone. Default `recover`. */
  readonly purpose?: 'recover' | 'test'
  readonly options?: unknown
  readonly probe?: unknown
  /** Same key = same run, as in `run`. Default: a new run. */
  readonly key?: string
}

/** What a snapshot by hand may be told; the rest has defaults. */
export interface SnapshotOptions {
  /** What people see on the platform. Default: `by hand` and the time. */
  readonly name?: string
  /** With the guest's memory: going back to it finds the guest running. Default false. */
  readonly memory?: boolean
  /** The guest is asked to flush first; the outcome tells what came of it. Default false. */
  readonly quiesce?: boolean
  /** Same key = same run, as in `run`. Default: a new run. */
  readonly key?: string
}

/** A snapshot on the platform, whoever made it. */
export interface SnapshotInfo extends Omit<Snapshot, 'mark'> {
  /** This system made it. Only such a one is ever removed. */
  readonly ours: boolean
  /** The plan that made it; absent for one by hand. */
  readonly plan?: string
}

/** What people and verifications have said of a point. Times are ISO 8601 UTC. */
export interface PointFlags {
  /** Why it is pinned. */
  readonly pin?: string
  readonly holdUntil?: string
  /** Why it is not trusted. */
  readonly quarantine?: string
  /** When every byte of it was last read and found good. */
  readonly verifiedAt?: string
}

/** A restore point as the catalog shows it. */
export interface PointInfo {
  readonly id: string
  readonly repository: string
  /** As `restore` and `points` take it. */
  readonly workload: WorkloadRef
  /** Place in the order of the workload's points. */
  readonly sequence: number
  /** ISO 8601 UTC. */
  readonly createdAt: string
  readonly parents: readonly string[]
  readonly flags: PointFlags
  readonly summary: PointSummary
}

/** Which point. */
export interface PointChoice {
  readonly repository: string
  readonly point: string
}

/** A run asked for by key: plain data in, plain data out. */
export type RunOrder = {
  readonly key: string
  readonly operation: 'backup' | 'restore' | 'verify' | 'prune' | 'merge' | 'copy' | 'rescan' | 'sweep' | 'snapshot' | 'prune-snapshots'
  readonly [field: string]: unknown
}

/**
 * Protects workloads: composes a store, repositories and providers, and runs operations on them.
 *
 * Every operation is a run in the store, so it survives this process: whoever starts the engine next settles it and, where it was not finished, tries
 * again. Methods that return a {@link RunHandle} return at once; awaiting the handle gives the result, or throws the run's error as a `HoldfastError`.
 * INVALID_OPTIONS comes from the handle too. All methods but `stop` reject with ENGINE_STOPPED once the engine was stopped.
 */
export interface Engine extends AsyncDisposable {
  /**
   * Recovers what was interrupted, then runs plans when they are due and works off queued runs until {@link stop}. Resolves when recovery is done; calling
   * it again changes nothing. A platform or repository that cannot be reached is a `warning` event, not a rejection.
   */
  start(): Promise<void>
  /**
   * For those who bring their own timer: recovers (once), turns what is due into runs, and resolves when nothing that is due is left for this node. A run
   * that fails is not a rejection; it is tried again by a later call, when its time has come. Abort: it stops waiting; what runs goes on.
   */
  runDue(options?: Partial<CallOptions>): Promise<void>
  /**
   * Takes nothing new, stops what runs so that it goes on later (it costs no failure), and disposes what the engine was given. `graceMs` is how long
   * running work may take to stop; default 30,000. An engine is not started again.
   */
  stop(options?: { readonly graceMs?: number }): Promise<void>
  /** Resolves when nothing queued is due, nothing runs on any node and nothing is left to undo. Rejects with the signal's reason when it aborts. */
  idle(options?: Partial<CallOptions>): Promise<void>
  /** Settles what dead processes have left, then removes leftovers from platforms and repositories. `start` does it first. May be called at any time. */
  recover(): Promise<void>
  /**
   * Runs a plan now, whatever its schedule says: for a backup plan, one backup for each of its workloads. NOT_FOUND if there is no such plan or nothing fits
   * its patterns. All runs are waited for; when some of several fail, the error is that of the first, and its `details` hold `outcomes` (of those that
   * succeeded) and `failures` (`{ workload, key, code, message }`).
   */
  runPlan<Outcome = BackupOutcome>(id: string): RunHandle<readonly Outcome[]>
  /** What would run from now until then (ISO 8601 UTC), in order of time. Asks the platforms which workloads there are; changes nothing. */
  previewRuns(options: { readonly until: string }): Promise<readonly RunPreview[]>
  /** What a prune by retention would keep and delete now, and why; `text` is a table. Reads the catalog; changes nothing. */
  previewPrune(options: { readonly repository: string; readonly workload?: WorkloadRef }): Promise<PrunePreview>
  /** Brings a workload back: by default from its newest good point, under its old name, onto the provider it came from. */
  restore(workload: WorkloadRef, options?: RestoreOptions): RunHandle<RestoreOutcome>
  /**
   * Takes a snapshot on the platform, which no retention removes. It is no backup: it is gone with the platform, takes room there and slows the workload
   * down. UNSUPPORTED when the provider has none.
   */
  snapshot(workload: WorkloadRef, options?: SnapshotOptions): RunHandle<SnapshotOutcome>
  /** All snapshots that the platform has of a workload, ours or not, newest first. Asks the platform. UNSUPPORTED, NOT_FOUND. */
  snapshots(workload: WorkloadRef, options?: Partial<CallOptions>): Promise<readonly SnapshotInfo[]>
  /**
   * The workload becomes as it was at this snapshot (its id); what was written since is lost. IN_USE while a run works on the workload, NOT_FOUND if the
   * snapshot is gone. Resolves when the platform is done; after an abort it may go on.
   */
  revertToSnapshot(workload: WorkloadRef, snapshot: string, options?: Partial<CallOptions>): Promise<void>
  /**
   * Removes one of our own snapshots (its id); what was written since stays. Nothing happens if it is gone. INVALID_OPTIONS for one that this system did
   * not make and for a name instead of an id, IN_USE while a run works on the workload. May take long; after an abort the platform may go on.
   */
  removeSnapshot(workload: WorkloadRef, snapshot: string, options?: Partial<CallOptions>): Promise<void>
  /** Reads every byte again (`mode: 'quick'`: names and sizes). Damage is a finding and quarantines the point; it is not an error. */
  verify(options: {
    readonly repository: string
    readonly workload?: WorkloadRef
    readonly points?: readonly string[]
    readonly mode?: 'quick' | 'full'
    readonly key?: string
  }): RunHandle<VerifyOutcome>
  /**
   * Deletes the named points and nothing else: POINT_NEEDED when one is pinned, held or built on; IN_USE when a run reads it. With `retention: true`
   * instead, whatever the retention of no plan keeps; {@link previewPrune} tells what that is.
   */
  prune(
    options: { readonly repository: string; readonly key?: string } & (
      | { readonly points: readonly string[] }
      | { readonly retention: true; readonly workload?: WorkloadRef }
    ),
  ): RunHandle<PruneOutcome>
  /**
   * Writes the disks of a point together with what they build on, so that it needs those points no more: all of them, or those in `absorb` as far as they
   * follow one another below it. Each cluster is verified while it is copied. Deletes nothing; POINT_DAMAGED when its chain is not good.
   */
  merge(options: PointChoice & { readonly absorb?: readonly string[]; readonly key?: string }): RunHandle<MergeOutcome>
  /**
   * Copies points of a workload from one repository to another, each verified on the way: those in `points`, or all that are newer than what is there and
   * that the retention there would keep. The handle is that of the first of them; the others follow as runs of their own.
   */
  copy(options: {
    readonly from: string
    readonly repository: string
    readonly workload: WorkloadRef
    readonly points?: readonly string[]
    readonly key?: string
  }): RunHandle<CopyOutcome>
  /** Makes the catalog say what the repository holds; deletes nothing. `takeOver`: id of the owning store that is gone for good; this one becomes the owner. */
  rescan(options: { readonly repository: string; readonly takeOver?: string; readonly key?: string }): RunHandle<RescanOutcome>
  /**
   * Any operation as plain data, for orchestrators. A key stands for one piece of work, for ever: asked again with the same key the handle attaches to that
   * run, also from another process and after it has ended. One that has failed stays failed, so work that shall be tried anew needs a new key. For
   * other work under a key that is taken: INVALID_OPTIONS, which names what differs.
   */
  run(order: RunOrder): RunHandle<Json>
  /** A run by its id or key, as plain data; undefined if there is none. */
  getRun(idOrKey: string): Promise<RunView | undefined>
  /** Runs, the last made first, of all nodes; what is absent is not asked. Read page by page: stop when you have seen enough. */
  runs(filter?: {
    readonly plan?: string
    readonly workload?: WorkloadRef
    readonly states?: readonly RunView['state'][]
  }): AsyncGenerator<RunView, void, undefined>
  /** Asks the run with this id or key to stop, whoever has begun it and wherever it works. Counts only before its commit. NOT_FOUND if there is none. */
  cancel(idOrKey: string, reason?: string): Promise<CancelAnswer>
  /** Stores a plan under this name, over an older one. The provider parses its options now: INVALID_OPTIONS names the path of a mistake. */
  putPlan(id: string, plan: PlanInput): Promise<Plan>
  /** Removes a stored plan; its points stay. False: there was none. */
  removePlan(id: string): Promise<boolean>
  /** All plans, by name, as they fire: those of the store, where `start` and `runDue` put those given in code; before that, these win over it. One that only a newer version can read is left out with the warning PLAN_UNREADABLE. */
  plans(): Promise<readonly { readonly id: string; readonly plan: Plan }[]>
  /** Points as the catalog knows them, newest first within a workload. */
  points(filter: { readonly repository: string; readonly workload?: WorkloadRef }): Promise<readonly PointInfo[]>
  /** What one backup cost in bytes, by the id or key of its run. NOT_FOUND for no such run, INVALID_OPTIONS for one that has made no backup. Reads the catalog. */
  savings(of: { readonly run: string }): Promise<RunSavings>
  /** What all backups of a plan cost, together and for each workload, and what they take now. NOT_FOUND if nothing is known of it. Reads the catalog. */
  savings(of: { readonly plan: string }): Promise<PlanSavings>
  /** A pinned point is never deleted. Acknowledged means durable in the repository. POINT_CONDEMNED when it is being deleted already, INVALID_OPTIONS without a reason. */
  pin(point: PointChoice, reason: string): Promise<void>
  /** Takes a pin off. Nothing happens if there is none. */
  unpin(point: PointChoice): Promise<void>
  /** Held points are not deleted before `until` (ISO 8601 UTC). INVALID_OPTIONS when that is in the past by the engine's clock. */
  hold(point: PointChoice, until: string): Promise<void>
  /** Ends a hold. Nothing happens if there is none. */
  release(point: PointChoice): Promise<void>
  /** For a point that was mended by hand: verify it afterwards. */
  liftQuarantine(point: PointChoice): Promise<void>
  /** How all nodes of the store are, as of their last reports. `details` adds checks and host names. A node reports while it is started. */
  status(options?: { readonly details?: boolean }): Promise<ClusterStatus>
  /**
   * What a node has reported since `since` (ISO 8601 UTC), oldest first, at most 7 days; with an entry `Stale` where it was silent. Empty for an unknown
   * node.
   */
  nodeHistory(node: string, since: string): Promise<readonly NodeHistoryEntry[]>
  /**
   * A person says that the clocks of this host and of the store are right as they are. Needed after one of them has jumped by more than 5 minutes: until
   * then, or until it is set back, this node is `Error` and deletes nothing because of its age. A restart of the node says the same.
   */
  confirmClock(): void
  /** Calls `listener` at each event of this process. A listener that throws becomes a line in the log and never a failed run. */
  on<Name extends EventName>(name: Name, listener: EventListener<Name>): void
  /** Takes a listener off. */
  off<Name extends EventName>(name: Name, listener: EventListener<Name>): void
}
