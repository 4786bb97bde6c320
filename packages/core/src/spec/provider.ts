import type { BackupRequest, BackupResult, BackupSink } from './backup.ts'
import type { CallOptions } from './blocks.ts'
import type { Check } from './check.ts'
import type { FenceResult } from './failover.ts'
import type { Json } from './json.ts'
import type { RestoreRequest, RestoreResult, RestoreSource } from './restore.ts'
import type { Intent, Mark, RunContext } from './run-context.ts'
import type { Workload } from './workload.ts'

/**
 * One platform's API. `backup` and `restore` are each one straight line; the engine gives them everything that lasts. Calls for different workloads may
 * run in parallel, also from several nodes. When `signal` aborts, a call starts nothing new and rejects soon; it does not clean up, because that is
 * `undo`, which gets a fresh signal. Codes: PROVIDER_FAILED, UNREACHABLE, ACCESS_DENIED, NOT_FOUND, UNSUPPORTED, STALLED, TIMED_OUT, ABORTED, and those
 * named below.
 */
export interface Provider extends AsyncDisposable {
  /** Version of this contract. */
  readonly specVersion: 1
  /** For example `esxi`. Written into manifests. */
  readonly kind: string
  /** Can work be done now? Reads only, never a trial write. Problems are findings, not rejections. */
  check(options: CallOptions): Promise<readonly Check[]>
  /** What can be protected, in any order; with `id` only that one, or nothing. Reads only. */
  workloads(options: CallOptions & { readonly id?: string }): AsyncIterable<Workload>
  /**
   * Puts every disk and file of the workload into `sink`. An intent is awaited before each side effect on the platform. Not idempotent: each attempt is a
   * new call with a new mark, after the last one was settled. NOT_FOUND: the workload is gone. BASE_LOST: the platform cannot build on `base`; asked
   * again without it at once, and it costs no failure.
   */
  backup(request: BackupRequest, sink: BackupSink, run: RunContext): Promise<BackupResult>
  /**
   * Makes `source` into a workload. Resolves when it is whole, has its final name and no "unfinished". NAME_TAKEN, IN_USE: see the request. A hash
   * that does not match rejects in a read; nothing of it may be delivered.
   */
  restore(request: RestoreRequest, source: RestoreSource, run: RunContext): Promise<RestoreResult>
  /**
   * The only clean-up code. Idempotent; "already gone" is success. May run on another node, in a later version, beside a dying attempt, and again later.
   * It removes only what still carries "unfinished", or, where no such tag can be, what nobody uses. `delivered`: the thing has lost its "unfinished"
   * or taken its final name; nothing was touched, and settle finishes the run with this result. A rejection keeps the intent open; it is tried again.
   */
  undo(intent: Intent, options: CallOptions): Promise<'undone' | { readonly delivered: RestoreResult }>
  /** What any attempt of this run has already delivered, found by its mark: asked before a restore starts (the database may have been rolled back). Reads only. */
  delivered?(run: Omit<Mark, 'attempt'>, options: CallOptions): Promise<RestoreResult | undefined>
  /** What still carries "unfinished" on the platform, as intents: the engine undoes those whose run is not alive (after the loss of a catalog). Reads only. */
  leftovers?(options: CallOptions): AsyncIterable<Intent>
  /**
   * Parses what a person wrote for this use and fills in defaults; parsing its answer again gives the same. Strict: throws INVALID_OPTIONS with the path of
   * the mistake (`parseStrict` does). Called when a plan is put, not at 3 a.m., and again before the call that gets its answer. Pure. Where nothing was
   * written `input` is `{}`, never undefined. Absent: any options are accepted.
   */
  parseOptions?(use: 'backup' | 'restore' | 'probe', input: unknown): Json
  /** Absent: the platform has no snapshots that people use. */
  readonly snapshots?: SnapshotAbility
  /** Absent: nothing here can be switched on and off. */
  readonly power?: PowerAbility
  /** Absent: there is no way to tell whether a workload does its job. */
  readonly probe?: ProbeAbility
}

/** A snapshot on the platform. JSON. */
export interface Snapshot {
  /** The platform's. */
  readonly id: string
  /** What people call it; not unique. */
  readonly name: string
  /** ISO 8601 UTC, by the platform's clock. */
  readonly createdAt: string
  /** Holds the guest's memory. */
  readonly memory: boolean
  /** The guest was asked to flush. */
  readonly quiesced: boolean
  /** Absent: not ours. Such a snapshot is never removed. */
  readonly mark?: Mark
}

/** Snapshots that people keep, with retention of their own. */
export interface SnapshotAbility {
  /**
   * Makes one that carries the run's mark. Await an intent first, whose undo removes the snapshot of this mark, and keep it: the snapshot stays once the
   * run is final. It is whole from its first moment, so it is none of the leftovers, also when no intent is known any more.
   */
  create(
    workload: string,
    request: { readonly name: string; readonly memory: boolean; readonly quiesce: boolean },
    run: RunContext,
  ): Promise<Snapshot>
  /** All of them, ours or not, oldest first. */
  list(workload: string, options: CallOptions): Promise<readonly Snapshot[]>
  /** The workload becomes as it was then; what was written since is lost. NOT_FOUND if it is gone. */
  revert(workload: string, snapshot: string, options: CallOptions): Promise<void>
  /** Removes this one only, never its children; "already gone" is success; no time limit but progress. */
  remove(workload: string, snapshot: string, options: CallOptions): Promise<void>
}

/** Switching a workload on and off. Every call is idempotent: "already so" is success. */
export interface PowerAbility {
  /** As the platform says now. */
  state(workload: string, options: CallOptions): Promise<'on' | 'off' | 'suspended'>
  /** Resolves when it is on; not when the guest is up. `network` overrides what is configured, for a replica that was kept without one. */
  start(workload: string, options: CallOptions & { readonly network: 'as-configured' | 'connected' | 'disconnected' }): Promise<void>
  /** Asks the guest and waits `graceMs` milliseconds; then forces, if `force`, or rejects with TIMED_OUT. */
  stop(workload: string, options: CallOptions & { readonly graceMs: number; readonly force: boolean }): Promise<void>
  /** Off, network cut, automatic start off, marked; `confirmed` only when all of it was read back. */
  fence(workload: string, run: RunContext): Promise<FenceResult>
}

/** Does the workload do its job? For test restores and after a failover. */
export interface ProbeAbility {
  /**
   * `workload` is an id of the inventory, or what a test restore returned: then `run` has the mark of that restore, by which a copy without a name of its
   * own is found. `options` are those of `parseOptions('probe', ...)`. A workload that fails its probe is a verdict, not a rejection; `evidence` is for
   * people.
   */
  run(
    workload: string,
    options: Json,
    run: RunContext,
  ): Promise<{ readonly verdict: 'ok' | 'failed' | 'unknown'; readonly evidence: string }>
}
