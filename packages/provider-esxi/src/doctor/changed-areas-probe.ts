import { type CallOptions, HoldfastError } from '@holdfast/core/spec'
import type { Connection } from '../connection.ts'
import { besideOf, parseDatastorePath, textOfPath } from '../flat/datastore-path.ts'
import { type Device, isOf } from '../inventory/devices.ts'
import { disksOf, type FoundDisk } from '../inventory/disks.ts'
import { type MachineProperties, type Read, readMachines } from '../inventory/machine-properties.ts'
import { isFault } from '../vim25/faults.ts'
import { retrieveOne } from '../vim25/retrieve.ts'
import type { MoRef } from '../vim25/values.ts'
import { askForRange, type FolderAnswer } from './folder-range.ts'

/** What could be found out of changed areas by reading alone. */
export interface ChangedAreasReport {
  /** Machines whose changes are tracked. */
  readonly tracked: number
  /** Machines with a disk that nothing writes now: they are off, or have a snapshot. Only of them anything can be asked without making one. */
  readonly frozen: number
  /** Where the disk that was asked for is frozen; absent: there is none. */
  readonly by?: 'off' | 'snapshot'
  /** It has a change id: its changes are tracked. */
  readonly changeId?: boolean
  /** How the host took the question for the used areas of that disk: `answered`, or the fault it answered with. */
  readonly query?: string
  /** Bytes of the disk that the answer spoke of, and its areas. */
  readonly spanBytes?: number
  readonly areas?: number
  /** How the datastore answered when it was asked for the first 16 bytes of the flat file of the disk. They are not in the report. */
  readonly flat?: FolderAnswer
}

interface FrozenDisk {
  readonly machine: MoRef<'VirtualMachine'>
  readonly snapshot?: MoRef<'VirtualMachineSnapshot'>
  readonly disk: FoundDisk
  readonly tracked: boolean
}

const isBase = (device: Device): boolean => isOf(device.backing, 'VirtualDiskFlatVer2BackingInfo') && device.backing.parent === undefined

/** The first disk of a machine, or of its oldest snapshot, that is a flat file which nothing writes. */
async function frozenDisk(
  { session }: Connection,
  { ref, properties }: Read<MachineProperties>,
  options: CallOptions,
): Promise<FrozenDisk | undefined> {
  const snapshot = properties.snapshot?.rootSnapshotList[0]?.snapshot
  if (snapshot === undefined && properties['runtime.powerState'] !== 'poweredOff') return undefined
  const devices =
    snapshot === undefined
      ? (properties['config.hardware.device'] ?? [])
      : (((await retrieveOne(session, snapshot, ['config.hardware.device'], options)).values['config.hardware.device'] ??
          []) as readonly Device[])
  const base = devices.filter(isBase).map(({ key }) => key)
  const disk = disksOf(devices).find(({ deviceKey, mode }) => base.includes(deviceKey) && !mode.startsWith('independent'))
  const tracked = properties['config.changeTrackingEnabled'] ?? false
  return disk && { machine: ref, disk, tracked, ...(snapshot !== undefined && { snapshot }) }
}

/** Only reads: `*` asks what is used, and needs no earlier moment. */
async function query({ session }: Connection, { machine, snapshot, disk }: FrozenDisk, { signal }: CallOptions) {
  const asked = { deviceKey: disk.deviceKey, startOffset: 0, changeId: '*', ...(snapshot !== undefined && { snapshot }) }
  try {
    const { length, changedArea } = await session.call('QueryChangedDiskAreas', machine, asked, { signal })
    return { query: 'answered', spanBytes: length, areas: changedArea.length }
  } catch (error) {
    if (signal.aborted || !HoldfastError.isInstance(error)) throw error
    const { details } = error
    const fault = typeof details === 'object' && details !== null && 'fault' in details ? details.fault : undefined
    return { query: isFault(error, 'MethodFault') && typeof fault === 'string' ? fault : error.code }
  }
}

async function askForFlat(connection: Connection, { machine, disk }: FrozenDisk, options: CallOptions): Promise<FolderAnswer> {
  const descriptor = parseDatastorePath(disk.fileName ?? '')
  const name = (descriptor.path.split('/').at(-1) ?? '').replace(/\.vmdk$/, '-flat.vmdk')
  return askForRange(connection, textOfPath(besideOf(descriptor, name)), machine, options)
}

/** Finds a disk that nothing writes, asks for its used areas and for the beginning of its flat file. Reads only, and makes no snapshot. */
export async function probeChangedAreas(connection: Connection, options: CallOptions): Promise<ChangedAreasReport> {
  let [tracked, frozen] = [0, 0]
  let chosen: FrozenDisk | undefined
  for await (const read of readMachines(connection.session, options)) {
    if (read.properties['config.changeTrackingEnabled'] === true) tracked += 1
    const found = await frozenDisk(connection, read, options)
    if (found === undefined) continue
    frozen += 1
    // One whose changes are tracked tells more.
    if (chosen === undefined || (found.tracked && !chosen.tracked)) chosen = found
  }
  if (chosen === undefined) return { tracked, frozen }
  return {
    tracked,
    frozen,
    by: chosen.snapshot === undefined ? 'off' : 'snapshot',
    changeId: chosen.disk.changeId !== undefined,
    ...(await query(connection, chosen, options)),
    flat: await askForFlat(connection, chosen, options),
  }
}
