import type { BackupRequest, BackupResult, BackupSink, Json, RunContext } from '@holdfast/core/spec'
import type { BackupOptions } from '../backup/backup-options.ts'
import { snapshotOf, type TakenSnapshot } from '../backup/open-export.ts'
import type { Connection } from '../connection.ts'
import { backupFrozenMachine } from '../flat/backup-flat-machine.ts'
import { openDatastoreFiles } from '../flat/datastore-files.ts'
import type { FlatDisk } from '../flat/flat-disks.ts'
import { datacenterPath } from '../inventory/datacenter-path.ts'
import type { FoundMachine } from '../inventory/found-machine.ts'
import { readSnapshots } from '../snapshots/snapshot-tree.ts'
import type { ClusterRun } from './cluster-runs.ts'
import { distrust, howToReset } from './distrust.ts'
import { openFlat, type PlannedChanges, planChanges, readableDisks, type TrackedMachine } from './plan-changes.ts'
import { queryAreas } from './query-areas.ts'
import { isReason, noteNotUsed, orReason } from './reasons.ts'
import { chooseSamples, takeSamples } from './samples.ts'
import { switchOnTracking } from './switch-on-tracking.ts'
import type { TrackedCheckpoint, TrackedDisk } from './tracked-checkpoint.ts'

/** A backup that is to read changed areas where it can. */
export interface TrackedBackup {
  readonly connection: Connection
  readonly machine: FoundMachine
  readonly options: BackupOptions
  readonly base: BackupRequest['base']
  readonly sink: BackupSink
  readonly run: RunContext
  /** Reads everything, as a backup without changed areas does; from `taken`, if a snapshot is needed and there is one. */
  whole(taken?: TakenSnapshot): Promise<BackupResult>
}

async function takeSnapshot({ connection, machine, options, run }: TrackedBackup): Promise<TakenSnapshot> {
  const snapshot = await snapshotOf(connection, machine, options.quiesce, run)
  const { powerState } = await readSnapshots(connection, machine.ref, run)
  return { snapshot, off: machine.powerState === 'poweredOff' && powerState === 'poweredOff' }
}

type Missed = NonNullable<Extract<PlannedChanges, { readonly why: string }>['missed']>

/** Tracking has lied: from now on it is not believed, until it is begun anew. */
async function noteMissed({ connection, machine, run }: TrackedBackup, missed: Missed): Promise<void> {
  const disks = missed.map(({ disk }) => disk)
  const why = await distrust(connection, machine, disks, run)
  const where = missed.map(({ disk, at }) => `${disk.name} at ${at}`).join(', ')
  const then =
    why === undefined
      ? `Its tracking is not used any more until it is begun anew. ${howToReset}.`
      : `That could not be noted on the machine (${why}), so it will be used again: leave changedAreas out of the options.`
  run.note(
    'warning',
    'CHANGED_AREAS_WRONG',
    `The host says that parts of ${machine.name} have not changed which have: ${where}. All of it is read now. ${then}`,
  )
}

async function trackDisk(
  tracked: TrackedMachine,
  disk: FlatDisk,
  written: readonly ClusterRun[] | undefined,
  run: RunContext,
): Promise<TrackedDisk> {
  const { connection, machine, snapshot } = tracked
  // Of a full nobody knows what has changed last: what is used is the next best.
  const used = written ?? (await queryAreas(connection, machine, snapshot.ref, disk, '*', run))
  const indexes = chooseSamples(disk.sizeBytes, isReason(used) ? [] : used, `${run.mark.run}.${run.mark.attempt}/${disk.key}`)
  const samples = await takeSamples(await openFlat(tracked, disk, run), indexes, run)
  return { changeId: disk.changeId ?? '', sizeBytes: disk.sizeBytes, samples: samples.map(([index, sum]) => [index, sum]) }
}

/** What the next increment needs to know. Undefined: it will read everything. */
async function nextCheckpoint(
  tracked: TrackedMachine,
  disks: readonly FlatDisk[],
  planned: PlannedChanges | undefined,
  run: RunContext,
): Promise<Json | undefined> {
  const [changes, inARow] = planned === undefined || 'why' in planned ? [undefined, 0] : [planned.changes, planned.inARow]
  const made = await orReason(async () => {
    const tracking: { [key: string]: TrackedDisk } = {}
    for (const disk of disks) tracking[disk.key] = await trackDisk(tracked, disk, changes?.get(disk.key)?.runs, run)
    return tracking
  }, run)
  if (!isReason(made)) return { v: 1, inARow, disks: made } satisfies TrackedCheckpoint as Json
  run.note(
    'warning',
    'CHANGED_AREAS_NOT_USED',
    `The next increment of ${tracked.machine.name} will read all of it: ${made.why}, so that it cannot be proven later what has not changed.`,
  )
  return undefined
}

async function backUpChanges(backup: TrackedBackup, tracked: TrackedMachine, taken: TakenSnapshot): Promise<BackupResult> {
  const { connection, machine, options, base, sink, run, whole } = backup
  const readable = await readableDisks(tracked, run)
  if (isReason(readable)) {
    noteNotUsed(run, machine.name, readable.why)
    return whole(taken)
  }
  const { disks } = readable
  const planned = base === undefined ? undefined : await planChanges(tracked, disks, base, run)
  let result: BackupResult
  if (planned === undefined) result = await whole(taken)
  else if ('why' in planned) {
    if (planned.missed !== undefined) {
      await noteMissed(backup, planned.missed)
      return whole(taken)
    }
    if (planned.expected === true) run.note('info', 'CHANGED_AREAS_NOT_USED', `All of ${machine.name} is read: ${planned.why}.`)
    else noteNotUsed(run, machine.name, planned.why)
    result = await whole(taken)
  } else {
    const frozen = { machine, ...taken, disks, changes: planned.changes }
    result = await backupFrozenMachine(connection, tracked.files, frozen, options.parallel, sink, run)
    const total = disks.reduce((sum, { sizeBytes }) => sum + sizeBytes, 0)
    const told = `${tracked.files.received()} bytes came for disks of ${total}; ${planned.compared} clusters that had not changed were compared`
    run.note('info', 'CHANGED_AREAS_READ', `Of ${machine.name} only changed areas were read: ${told}.`)
  }
  const checkpoint = await nextCheckpoint(tracked, disks, planned, run)
  return { ...result, ...(checkpoint !== undefined && { checkpoint }) }
}

/**
 * Backs a machine up so that its next increment can read changed areas only, and reads them where this one can. Where something speaks against it, everything is read, and
 * a warning says what. An increment never builds on tracking alone: samples of what shall not have changed are compared each time, and after some increments
 * everything is read.
 * @throws What the other ways of reading throw. BASE_LOST: an increment by changed areas broke in the middle for a reason that they may not have.
 */
export async function backupTrackedMachine(backup: TrackedBackup): Promise<BackupResult> {
  const { connection, machine, run, whole } = backup
  const untracked = await switchOnTracking(connection, machine, run)
  if (untracked !== undefined) {
    noteNotUsed(run, machine.name, untracked)
    return whole()
  }
  // A machine that is off can be read without a snapshot.
  const taken = await (machine.powerState === 'poweredOff' ? orReason(() => takeSnapshot(backup), run) : takeSnapshot(backup))
  if (isReason(taken)) {
    noteNotUsed(run, machine.name, taken.why)
    return whole()
  }
  const files = openDatastoreFiles(connection, await datacenterPath(connection.session, machine.ref, run))
  try {
    return await backUpChanges(backup, { connection, machine, snapshot: taken.snapshot, files }, taken)
  } finally {
    await files[Symbol.asyncDispose]()
  }
}
