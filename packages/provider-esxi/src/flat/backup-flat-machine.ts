import {
  type BackupResult,
  type BackupSink,
  type BlocksItem,
  bytesOf,
  HoldfastError,
  type Json,
  type Receipt,
  type RunContext,
} from '@holdfast/core/spec'
import type { BackupOptions } from '../backup/backup-options.ts'
import { type PointDescription, sourceOf } from '../backup/describe-point.ts'
import { fileNameOf, isIndependent, skippedIndependent } from '../backup/export-files.ts'
import { forAll } from '../backup/for-all.ts'
import { snapshotOf, type TakenSnapshot } from '../backup/open-export.ts'
import { bytesToRead, type ChangedDisk, changedItem, type OpenDisk } from '../changed-areas/changed-disk.ts'
import type { Connection } from '../connection.ts'
import { datacenterPath } from '../inventory/datacenter-path.ts'
import type { FoundDisk } from '../inventory/disks.ts'
import type { FoundMachine } from '../inventory/found-machine.ts'
import { writeOvf } from '../ovf/write-ovf.ts'
import { type FoundSnapshot, readSnapshots } from '../snapshots/snapshot-tree.ts'
import { type DatastoreFiles, openDatastoreFiles } from './datastore-files.ts'
import { type FlatDisk, flatDisks, flatFileOf, readLayout } from './flat-disks.ts'
import { skippedImages, storeSmallFile } from './small-files.ts'

/** A machine that does not change while it is read. */
export interface FrozenMachine {
  readonly machine: FoundMachine
  /** Undefined: the machine is off, and must stay so. */
  readonly snapshot: FoundSnapshot | undefined
  /** Nothing ran that could write. */
  readonly off: boolean
  readonly disks: readonly FlatDisk[]
  /** By the keys of disks: what is read of them alone. Absent: everything. */
  readonly changes?: ReadonlyMap<string, ChangedDisk>
}

type Skipped = BackupResult['skipped'][number]

/** Everything that can be refused is refused before a snapshot is made. */
async function freeze(
  connection: Connection,
  machine: FoundMachine,
  { quiesce }: BackupOptions,
  run: RunContext,
  taken: TakenSnapshot | undefined,
): Promise<FrozenMachine> {
  const off = machine.powerState === 'poweredOff'
  const wanted = (disk: FoundDisk): boolean => off || !isIndependent(disk)
  if (taken !== undefined) return { machine, ...taken, disks: await flatDisks(connection, machine, taken.snapshot.ref, wanted, run) }
  const disks = await flatDisks(connection, machine, undefined, wanted, run)
  if (off) return { machine, snapshot: undefined, off, disks }
  const snapshot = await snapshotOf(connection, machine, quiesce, run)
  return { machine, snapshot, off, disks: await flatDisks(connection, machine, snapshot.ref, wanted, run) }
}

/** What was read is of one moment only if nothing has let the machine write these files meanwhile. */
async function requireStillFrozen(connection: Connection, { machine, snapshot }: FrozenMachine, run: RunContext): Promise<void> {
  const { powerState, snapshots } = await readSnapshots(connection, machine.ref, run)
  const gone = snapshot !== undefined && !snapshots.some(({ ref }) => ref.value === snapshot.ref.value)
  const on = snapshot === undefined && powerState !== 'poweredOff'
  if (!gone && !on) return
  throw new HoldfastError(
    'IN_USE',
    gone
      ? `The snapshot "${snapshot.name}" of ${machine.name} was removed while its disks were read.`
      : `${machine.name} was switched on while its disks were read.`,
    { retryable: true, remedy: 'Nothing of it is kept, and it is tried again. Let nobody else remove the snapshots of backups.' },
  )
}

/** How far all disks are together. */
function createProgress({ machine, disks, changes }: FrozenMachine, run: RunContext) {
  const bytesOf = ({ key, sizeBytes }: FlatDisk): number => {
    const changed = changes?.get(key)
    return changed === undefined ? sizeBytes : bytesToRead(changed, sizeBytes)
  }
  const total = disks.reduce((sum, disk) => sum + bytesOf(disk), 0)
  let done = 0
  return ({ name }: FlatDisk, count: number): void => {
    done += count
    run.step(`reading ${name} of ${machine.name}`, total === 0 ? 1 : Math.min(1, done / total))
  }
}

async function storeDisks(
  files: DatastoreFiles,
  frozen: FrozenMachine,
  parallel: number,
  sink: BackupSink,
  run: RunContext,
): Promise<void> {
  const { machine, disks } = frozen
  const base = fileNameOf(machine.name)
  const progress = createProgress(frozen, run)
  const numbered = disks.map((disk, index) => ({ disk, name: `${base}-disk-${index + 1}` }))
  await forAll(
    numbered,
    parallel,
    async ({ disk, name }, outer) => {
      const { key, sizeBytes: size } = disk
      const what = `${disk.name} of ${machine.name}`
      const open: OpenDisk = async ({ signal }) => {
        const file = await flatFileOf(files, disk, what, { signal: AbortSignal.any([signal, outer.signal]) })
        return files.blocks({ file, what }, size, (count) => progress(disk, count))
      }
      const whole: BlocksItem = { covers: 'unmapped', disk: { key, name, size }, open }
      const changed = frozen.changes?.get(key)
      await sink.blocks(changed === undefined ? whole : changedItem(whole.disk, changed, open))
    },
    run,
  )
}

interface StoredFiles {
  readonly vmx: Receipt | undefined
  readonly nvram: Receipt | undefined
  readonly skipped: readonly Skipped[]
}

async function storeSettings(
  connection: Connection,
  files: DatastoreFiles,
  machine: FoundMachine,
  sink: BackupSink,
  run: RunContext,
): Promise<StoredFiles> {
  const skipped: Skipped[] = [...(await skippedImages(connection, machine, run))]
  const store = async (ending: 'nvram' | 'vmx', fileName: string | undefined, title: string): Promise<Receipt | undefined> => {
    if (fileName === undefined) return undefined
    const file = { name: `${fileNameOf(machine.name)}.${ending}`, fileName, what: `${title} of ${machine.name}` }
    const stored = await storeSmallFile(files, file, sink, run)
    if (typeof stored !== 'string') return stored
    skipped.push({ name: title, reason: stored })
    return undefined
  }
  const layout = await readLayout(connection, machine, run)
  const nvram = await store('nvram', layout.files.find(({ type }) => type === 'nvram')?.name, 'the NVRAM')
  const vmx = await store('vmx', machine.configFile, 'the settings')
  return { vmx, nvram, skipped }
}

/** A restore makes a VMDK of each disk, under the name that the descriptor has for it. */
async function storeDescriptor(connection: Connection, { machine, disks }: FrozenMachine, { nvram, vmx }: StoredFiles, sink: BackupSink) {
  const base = fileNameOf(machine.name)
  const packaged = disks.map(({ key, sizeBytes }, index) => ({
    key,
    href: `${base}-disk-${index + 1}.vmdk`,
    fileBytes: sizeBytes,
    capacity: sizeBytes,
  }))
  const described = { ...machine.machine, disks: machine.machine.disks.filter(({ key }) => disks.some((disk) => disk.key === key)) }
  const text = writeOvf(described, packaged, nvram && { href: `${base}.nvram`, fileBytes: nvram.size })
  await sink.stream({ format: 'bytes', name: `${base}.ovf`, open: async () => bytesOf(text) })
  const description: PointDescription = {
    v: 1,
    mode: 'vmdk',
    descriptor: `${base}.ovf`,
    files: {
      ...Object.fromEntries(packaged.map(({ href, key }, index) => [href, { device: disks[index]?.slot ?? '', disk: key }])),
      ...(nvram !== undefined && { [`${base}.nvram`]: { device: 'nvram' } }),
      ...(vmx !== undefined && { [`${base}.vmx`]: { device: 'vmx' } }),
    },
    source: sourceOf(connection, machine),
  }
  return description
}

/** Reads a machine that does not change: its disks, its NVRAM and settings, and a descriptor written from the machine. See `backupFlatMachine`. */
export async function backupFrozenMachine(
  connection: Connection,
  files: DatastoreFiles,
  frozen: FrozenMachine,
  parallel: number,
  sink: BackupSink,
  run: RunContext,
): Promise<BackupResult> {
  const { machine, snapshot, off } = frozen
  await storeDisks(files, frozen, parallel, sink, run)
  const stored = await storeSettings(connection, files, machine, sink, run)
  await requireStillFrozen(connection, frozen, run)
  const description = await storeDescriptor(connection, frozen, stored, sink)
  const left = snapshot === undefined ? [] : machine.disks.filter(isIndependent)
  return {
    description: description as unknown as Json,
    machine: machine.machine,
    consistency: off ? 'off' : snapshot?.quiesced === true ? 'quiesced' : 'crash',
    skipped: [...left.map(skippedIndependent), ...stored.skipped],
  }
}

/**
 * Backs a machine up by reading the flat files of its disks from their datastores: as disks that the engine looks at as a whole, so that with a base it keeps what has
 * changed. NVRAM and the settings come beside them, and a descriptor written from the machine, by which it is restored. A machine that is not off is read below a
 * snapshot, which an intent removes.
 * @param taken Read below this one.
 * @throws UNSUPPORTED with the reason: a disk has no flat file, or lies in deltas because of other snapshots; nothing was made then. IN_USE: a file is locked, or the
 * machine was switched on, or the snapshot removed, meanwhile. ACCESS_DENIED, UNREACHABLE, PROVIDER_FAILED. An aborted signal rejects with its reason.
 */
export async function backupFlatMachine(
  connection: Connection,
  machine: FoundMachine,
  options: BackupOptions,
  sink: BackupSink,
  run: RunContext,
  taken?: TakenSnapshot,
): Promise<BackupResult> {
  const frozen = await freeze(connection, machine, options, run, taken)
  const files = openDatastoreFiles(connection, await datacenterPath(connection.session, machine.ref, run))
  try {
    return await backupFrozenMachine(connection, files, frozen, options.parallel, sink, run)
  } finally {
    await files[Symbol.asyncDispose]()
  }
}
