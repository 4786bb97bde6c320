import type { BackupRequest, BackupResult, BackupSink } from './backup.ts'
import type { CallOptions } from './blocks.ts'
import type { Check } from './check.ts'
import type { FenceResult } from './failover.ts'
import type { Json } from './json.ts'
import type { RestoreRequest, RestoreResult, RestoreSource } from './restore.ts'
import type { Intent, Mark, RunContext } from './run-context.ts'
import type { Workload } from './workload.ts'

export interface Provider extends AsyncDisposable {
  readonly specVersion: 1
  /** For example `esxi`. Written into manifests. */
  readonly kind: string
  /** Reads only. Never a trial write. */
  check(options: CallOptions): Promise<readonly Check[]>
  workloads(options: CallOptions & { readonly id?: string }): AsyncIterable<Workload>
  backup(request: BackupRequest, sink: BackupSink, run: RunContext): Promise<BackupResult>
  restore(request: RestoreRequest, source: RestoreSource, run: RunContext): Promise<RestoreResult>
  /**
   * Idempotent; "already gone" is success. May run on another node, in a later version, beside a dying attempt, and again later. The only
   * clean-up code. It removes only what still carries "unfinished", or, where no such tag can be, what nobody uses. `delivered`: the thing has lost
   * its "unfinished" or taken its final name; nothing was touched, and settle finishes the run with this result.
   */
  undo(intent: Intent, options: CallOptions): Promise<'undone' | { readonly delivered: RestoreResult }>
  /** What any attempt of this run has already delivered, found by its mark: asked before a restore starts (the database may have been rolled back). */
  delivered?(run: Omit<Mark, 'attempt'>, options: CallOptions): Promise<RestoreResult | undefined>
  /** What still carries "unfinished" on the platform, as intents: the engine undoes those whose run is not alive (after the loss of a catalog). */
  leftovers?(options: CallOptions): AsyncIterable<Intent>
  /** Strict; throws with the path of the mistake. Called when a plan is put, not at 3 a.m. Absent: any options are accepted. */
  parseOptions?(use: 'backup' | 'restore' | 'probe', input: unknown): Json
  readonly snapshots?: SnapshotAbility
  readonly power?: PowerAbility
  readonly probe?: ProbeAbility
}
export interface Snapshot {
  readonly id: string
  readonly name: string
  readonly createdAt: string
  readonly memory: boolean
  readonly quiesced: boolean
  readonly mark?: Mark
}
export interface SnapshotAbility {
  create(
    workload: string,
    request: { readonly name: string; readonly memory: boolean; readonly quiesce: boolean },
    run: RunContext,
  ): Promise<Snapshot>
  list(workload: string, options: CallOptions): Promise<readonly Snapshot[]>
  revert(workload: string, snapshot: string, options: CallOptions): Promise<void>
  /** Removes this one only, never its children; no time limit but progress. */
  remove(workload: string, snapshot: string, options: CallOptions): Promise<void>
}
/** Every call is idempotent: "already so" is success. */
export interface PowerAbility {
  state(workload: string, options: CallOptions): Promise<'on' | 'off' | 'suspended'>
  start(workload: string, options: CallOptions & { readonly network: 'as-configured' | 'connected' | 'disconnected' }): Promise<void>
  /** Asks the guest and waits `graceMs`; then forces, if `force`. */
  stop(workload: string, options: CallOptions & { readonly graceMs: number; readonly force: boolean }): Promise<void>
  /** Off, network cut, automatic start off, marked; `confirmed` only when read back. */
  fence(workload: string, run: RunContext): Promise<FenceResult>
}
/** Does the workload do its job? For test restores and after a failover. */
export interface ProbeAbility {
  run(
    workload: string,
    options: Json,
    run: RunContext,
  ): Promise<{ readonly verdict: 'ok' | 'failed' | 'unknown'; readonly evidence: string }>
}
