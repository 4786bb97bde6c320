import type { BackupRequest, RunContext } from '@holdfast/core/spec'
import type { Connection } from '../connection.ts'
import type { DatastoreFiles } from '../flat/datastore-files.ts'
import { parseDatastorePath } from '../flat/datastore-path.ts'
import { type FlatDisk, flatDisks, flatFileOf, readLayout } from '../flat/flat-disks.ts'
import { longestSmallFile } from '../flat/small-files.ts'
import type { FoundMachine } from '../inventory/found-machine.ts'
import type { FoundSnapshot } from '../snapshots/snapshot-tree.ts'
import { whyNotSince } from './change-id.ts'
import { type ChangedDisk, changedDisk } from './changed-disk.ts'
import { whyDistrusted } from './distrust.ts'
import { queryAreas } from './query-areas.ts'
import { isReason, orReason, type Reason } from './reasons.ts'
import { compareSamples } from './samples.ts'
import { readCheckpoint, type TrackedCheckpoint } from './tracked-checkpoint.ts'

/** A machine below a snapshot of this backup, with its files. */
export interface TrackedMachine {
  readonly connection: Connection
  readonly machine: FoundMachine
  readonly snapshot: FoundSnapshot
  readonly files: DatastoreFiles
}

/** Increments in a row by changed areas. The next one reads everything, so that what tracking has missed does not stay missed. */
const mostInARow = 6

const plural = (count: number): string => `${count} increments in a row`

/** A frozen disk, to be read by position. */
export async function openFlat({ machine, files }: TrackedMachine, disk: FlatDisk, run: RunContext) {
  const what = `${disk.name} of ${machine.name}`
  const file = await flatFileOf(files, disk, what, { signal: run.signal })
  return files.blocks({ file, what }, disk.sizeBytes, () => {})
}

function whyNotOn({ machine }: TrackedMachine, { datastore, name, changeId }: FlatDisk): Reason | undefined {
  const store = machine.datastores.find(({ ref }) => ref.value === datastore?.value)
  if (store === undefined) return `it is not known on what kind of datastore ${name} lies`
  if (!/^(vmfs|nfs)/i.test(store.type)) return `${name} lies on ${store.name}, which is ${store.type} and neither VMFS nor NFS`
  return changeId === undefined ? `the host gives no change id of ${name}, as if its changes were not tracked` : undefined
}

/** Reads a bit of everything that an increment will read, from where a wrong size would show. */
async function probe(tracked: TrackedMachine, disks: readonly FlatDisk[], run: RunContext): Promise<void> {
  const { connection, machine, files } = tracked
  const bytes = new Uint8Array(512)
  for (const disk of disks) {
    const source = await openFlat(tracked, disk, run)
    const length = Math.min(bytes.length, disk.sizeBytes)
    await source.readInto(bytes.subarray(0, length), disk.sizeBytes - length, run)
  }
  const layout = await readLayout(connection, machine, run)
  const nvram = layout.files.find(({ type }) => type === 'nvram')?.name
  if (nvram === undefined) return
  await files.readWhole({ file: parseDatastorePath(nvram), what: `the NVRAM of ${machine.name}` }, longestSmallFile, run)
}

/** The disks of the snapshot, if changed areas of all of them can be asked for and read. */
export async function readableDisks(
  tracked: TrackedMachine,
  run: RunContext,
): Promise<{ readonly disks: readonly FlatDisk[] } | { readonly why: Reason }> {
  const { connection, machine, snapshot } = tracked
  run.step(`looking whether parts of the disks of ${machine.name} can be read`)
  const disks = await orReason(async () => flatDisks(connection, machine, snapshot.ref, () => true, run), run)
  if (isReason(disks)) return disks
  for (const disk of disks) {
    const why = whyNotOn(tracked, disk)
    if (why !== undefined) return { why }
  }
  const why = await whyDistrusted(connection, machine, disks, run)
  if (why !== undefined) return { why }
  return (await orReason(() => probe(tracked, disks, run), run)) ?? { disks }
}

/** What is to be read for an increment, or why everything is. */
export type PlannedChanges =
  | { readonly changes: ReadonlyMap<string, ChangedDisk>; readonly inARow: number; readonly compared: number }
  | {
      readonly why: Reason
      /** It is nothing that is wrong. */
      readonly expected?: true
      /** Disks of which a cluster has changed that tracking says has not. */
      readonly missed?: readonly { readonly disk: FlatDisk; readonly at: number }[]
    }

type Base = NonNullable<BackupRequest['base']>

/** Why a disk cannot build on the point, apart from what the host says. */
function whyNotUpon(disk: FlatDisk, base: Base, { disks }: TrackedCheckpoint): Reason | undefined {
  const before = Object.hasOwn(disks, disk.key) ? disks[disk.key] : undefined
  const known = base.disks.find(({ key }) => key === disk.key)
  if (before === undefined || known === undefined) return `${disk.name} is not in the last point`
  if (known.size !== disk.sizeBytes || before.sizeBytes !== disk.sizeBytes) return `${disk.name} has another size than in the last point`
  const why = whyNotSince(before.changeId, disk.changeId)
  return why && `${disk.name}: ${why}`
}

/** Asks for the changes of all disks, and compares samples of what has not changed. */
export async function planChanges(
  tracked: TrackedMachine,
  disks: readonly FlatDisk[],
  base: Base,
  run: RunContext,
): Promise<PlannedChanges> {
  const { connection, machine, snapshot } = tracked
  const checkpoint = readCheckpoint(base.checkpoint)
  if (checkpoint === undefined) return { why: 'the last point was made without a note of how far changes were tracked' }
  if (checkpoint.inARow >= mostInARow)
    return { why: `after ${plural(mostInARow)} everything is read once, so that nothing stays missed`, expected: true }
  const changes = new Map<string, ChangedDisk>()
  const missed: { readonly disk: FlatDisk; readonly at: number }[] = []
  let compared = 0
  for (const disk of disks) {
    const why = whyNotUpon(disk, base, checkpoint)
    if (why !== undefined) return { why }
    const { changeId = '', samples = [] } = checkpoint.disks[disk.key] ?? {}
    run.step(`asking for the changed areas of ${disk.name} of ${machine.name}`)
    const runs = await queryAreas(connection, machine, snapshot.ref, disk, changeId, run)
    if (isReason(runs)) return runs
    changes.set(disk.key, changedDisk(runs, disk.sizeBytes))
    const compare = async () => compareSamples(await openFlat(tracked, disk, run), samples, runs, run)
    const comparison = await orReason(compare, run)
    if (isReason(comparison)) return comparison
    compared += comparison.compared
    if (comparison.missedAt !== undefined) missed.push({ disk, at: comparison.missedAt })
  }
  if (missed.length > 0) return { why: 'tracking has missed a change', missed }
  return { changes, inARow: checkpoint.inARow + 1, compared }
}
