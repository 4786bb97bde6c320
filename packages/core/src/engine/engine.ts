import type { Plan, PlanInput } from '../model/plan.ts'
import type { PointSummary } from '../model/point-row.ts'
import type { BackupOutcome, PruneOutcome, RescanOutcome, RestoreOutcome, VerifyOutcome } from '../model/run-outcome.ts'
import type { RunView } from '../model/run-view.ts'
import type { CallOptions } from '../spec/blocks.ts'
import type { Clock, Ids } from '../spec/clock.ts'
import type { Json } from '../spec/json.ts'
import type { Logger } from '../spec/logger.ts'
import type { Notifier } from '../spec/notifier.ts'
import type { Provider } from '../spec/provider.ts'
import type { Repository } from '../spec/repository.ts'
import type { Scheduler } from '../spec/scheduler.ts'
import type { Flags, Store } from '../spec/store.ts'
import type { WorkloadRef } from '../spec/workload.ts'
import type { EventListener, EventName } from './events.ts'
import type { RetryPolicy } from './parts.ts'
import type { RunHandle } from './run-handle.ts'

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
  /** Put into the store by `start()`. Plans put by hand are left alone. */
  readonly plans?: Named<PlanInput>
  readonly notifiers?: Named<Notifier>
  /** When to look for work. Default: a timer in this process. */
  readonly scheduler?: Scheduler
  readonly logger?: Logger
  readonly clock?: Clock
  readonly ids?: Ids
  /** How long a run belongs to a process that has stopped renewing it. Default 30,000. */
  readonly leaseMs?: number
  /** How long dead numbers stay and lost attempts are undone again. Default 24 hours. */
  readonly graceMs?: number
  /** How long a stream may stand still before it is given up. Default 120,000. */
  readonly stallMs?: number
  /** Deadline of each clean-up. Default 15 minutes. */
  readonly cleanUpMs?: number
  /** Default: 3 failures, the second attempt after 10 seconds. */
  readonly retry?: Partial<RetryPolicy>
  /** Runs at once in this process. Default 4. */
  readonly concurrency?: number
  /** Limit for all bytes of one run. Default: none. */
  readonly bytesPerSecond?: number
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
  /** Same key = same run. Default: a new run. */
  readonly key?: string
}

/** A restore point as the catalog shows it. */
export interface PointInfo {
  readonly id: string
  readonly repository: string
  /** `<provider>/<id>`. */
  readonly workload: string
  /** Place in the order of the workload's points. */
  readonly sequence: number
  /** ISO 8601 UTC. */
  readonly createdAt: string
  readonly parents: readonly string[]
  readonly flags: Flags
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
  readonly operation: 'backup' | 'restore' | 'verify' | 'prune' | 'rescan'
  readonly [field: string]: unknown
}

/** Protects workloads: composes a store, repositories and providers, and runs operations on them. */
export interface Engine extends AsyncDisposable {
  /** Recovers what was interrupted, then works off queued runs until {@link stop}. Resolves when recovery is done. */
  start(): Promise<void>
  /** Takes nothing new, stops what runs so that it can go on later, and disposes what the engine was given. */
  stop(options?: { readonly graceMs?: number }): Promise<void>
  /** Resolves when nothing queued is due, nothing runs and nothing is left to undo. */
  idle(options?: Partial<CallOptions>): Promise<void>
  /** Settles what dead processes have left, then removes leftovers. `start` does it first. */
  recover(): Promise<void>
  /** Runs a plan now: one backup for each of its workloads. */
  runPlan(id: string): RunHandle<readonly BackupOutcome[]>
  restore(workload: WorkloadRef, options?: RestoreOptions): RunHandle<RestoreOutcome>
  /** Reads every byte again. Damage is a finding, not an error. */
  verify(options: {
    readonly repository: string
    readonly workload?: WorkloadRef
    readonly points?: readonly string[]
    readonly mode?: 'quick' | 'full'
    readonly key?: string
  }): RunHandle<VerifyOutcome>
  /** Deletes the named points and nothing else. */
  prune(options: { readonly repository: string; readonly points: readonly string[]; readonly key?: string }): RunHandle<PruneOutcome>
  /** Makes the catalog say what the repository holds. */
  rescan(options: { readonly repository: string; readonly takeOver?: string; readonly key?: string }): RunHandle<RescanOutcome>
  /** Any operation as plain data, for orchestrators. The same key attaches to the same run. */
  run(order: RunOrder): RunHandle<Json>
  getRun(idOrKey: string): Promise<RunView | undefined>
  putPlan(id: string, plan: PlanInput): Promise<Plan>
  removePlan(id: string): Promise<void>
  plans(): Promise<readonly { readonly id: string; readonly plan: Plan }[]>
  /** Newest first. */
  points(filter: { readonly repository: string; readonly workload?: WorkloadRef }): Promise<readonly PointInfo[]>
  /** A pinned point is never deleted. Acknowledged means durable in the repository. */
  pin(point: PointChoice, reason: string): Promise<void>
  unpin(point: PointChoice): Promise<void>
  /** Held points are not deleted before `until` (ISO 8601 UTC). */
  hold(point: PointChoice, until: string): Promise<void>
  release(point: PointChoice): Promise<void>
  /** For a point that was mended by hand: verify it afterwards. */
  liftQuarantine(point: PointChoice): Promise<void>
  on<Name extends EventName>(name: Name, listener: EventListener<Name>): void
  off<Name extends EventName>(name: Name, listener: EventListener<Name>): void
}
