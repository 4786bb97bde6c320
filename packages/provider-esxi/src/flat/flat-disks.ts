import { type CallOptions, HoldfastError } from '@holdfast/core/spec'
import type { Connection } from '../connection.ts'
import { type Device, isOf } from '../inventory/devices.ts'
import { type BackingKind, disksOf, type FoundDisk } from '../inventory/disks.ts'
import type { FoundMachine } from '../inventory/found-machine.ts'
import { readSnapshots } from '../snapshots/snapshot-tree.ts'
import { retrieveOne } from '../vim25/retrieve.ts'
import type { Data, MoRef } from '../vim25/values.ts'
import type { DatastoreFiles } from './datastore-files.ts'
import { besideOf, type DatastorePath, parseDatastorePath } from './datastore-path.ts'
import { longestDiskDescriptor, parseFlatDescriptor } from './vmdk-descriptor.ts'

/** A disk whose bytes lie as they are in one file. */
export interface FlatDisk extends FoundDisk {
  readonly fileName: string
}

type LaidFile = Data<'VirtualMachineFileLayoutExFileInfo'>

/** Which files a machine is made of, as far as its host says so. */
export interface Layout {
  readonly files: readonly LaidFile[]
  readonly disks: readonly Data<'VirtualMachineFileLayoutExDiskLayout'>[]
}

/** Reads it as it is now. Source: https://developer.broadcom.com/xapis/vsphere-web-services-api/latest/vim.vm.FileLayoutEx.html. */
export async function readLayout({ session }: Connection, { ref }: FoundMachine, options: CallOptions): Promise<Layout> {
  const { values } = await retrieveOne(session, ref, ['layoutEx.file', 'layoutEx.disk'], options)
  return { files: (values['layoutEx.file'] ?? []) as Layout['files'], disks: (values['layoutEx.disk'] ?? []) as Layout['disks'] }
}

const reasons: { readonly [Kind in Exclude<BackingKind, 'flat'>]: string } = {
  sparse: 'it is kept as sparse',
  seSparse: 'it is kept as sesparse, which only its host can read',
  rdmVirtual: 'it is a raw device',
  rdmPhysical: 'it is a raw device',
  other: 'nothing is known of what is behind it',
}

const noFlat = (
  machine: string,
  { name, slot }: FoundDisk,
  why: string,
  remedy = 'Back the machine up with the mode "ovf".',
): HoldfastError =>
  new HoldfastError('UNSUPPORTED', `${name} (${slot}) of ${machine} has no flat file that can be read: ${why}.`, {
    remedy,
    details: { disk: slot },
  })

const hasParent = ({ backing }: Device): boolean => isOf(backing, 'VirtualDiskFlatVer2BackingInfo') && backing.parent !== undefined

/** A host that lists the files of a disk, but none with its bytes, keeps it as an object. */
function isObject({ deviceKey, fileName }: FoundDisk, { files, disks }: Layout): boolean {
  const chain = disks.find(({ key }) => key === deviceKey)?.chain ?? []
  const units = chain.map(({ fileKey }) => files.filter(({ key }) => fileKey.includes(key)))
  const own = units.find((unit) => unit.some(({ name }) => name === fileName))
  return own !== undefined && !own.some(({ type }) => type === 'diskExtent')
}

/** Why the bytes of a disk do not lie in one file; undefined: nothing speaks against it. */
function obstacleOf(disk: FoundDisk, { datastores }: FoundMachine, layout: Layout): string | undefined {
  const store = datastores.find(({ ref }) => ref.value === disk.datastore?.value)
  if (disk.backing !== 'flat') return `${reasons[disk.backing]} (${disk.backingType})`
  if (disk.fileName === undefined) return `it is no file (${disk.backingType})`
  if (store !== undefined && /^(vsan|vvol)/i.test(store.type)) return `${store.name} is ${store.type}, which holds objects instead of files`
  return isObject(disk, layout) ? 'its datastore holds it as an object' : undefined
}

/** Names of the snapshots that keep a machine from writing its disks themselves. */
async function olderSnapshots(connection: Connection, { ref }: FoundMachine, ours: string | undefined, options: CallOptions) {
  const { snapshots } = await readSnapshots(connection, ref, options)
  return snapshots.filter(({ ref: one }) => one.value !== ours).map(({ name }) => `"${name}"`)
}

/**
 * The disks whose flat files hold what the machine, or a snapshot of it, has now.
 * @param snapshot Undefined: the machine itself.
 * @param wanted Whether a disk is to be looked at.
 * @throws UNSUPPORTED with the reason: a disk that is not in one flat file. NOT_FOUND: the snapshot has gone.
 */
export async function flatDisks(
  connection: Connection,
  machine: FoundMachine,
  snapshot: MoRef<'VirtualMachineSnapshot'> | undefined,
  wanted: (disk: FoundDisk) => boolean,
  options: CallOptions,
): Promise<readonly FlatDisk[]> {
  const { values } = await retrieveOne(connection.session, snapshot ?? machine.ref, ['config.hardware.device'], options)
  const devices = (values['config.hardware.device'] ?? []) as readonly Device[]
  const layout = await readLayout(connection, machine, options)
  const found: FlatDisk[] = []
  for (const disk of disksOf(devices).filter(wanted)) {
    const why = obstacleOf(disk, machine, layout)
    if (why !== undefined || disk.fileName === undefined) throw noFlat(machine.name, disk, why ?? 'it is no file')
    if (devices.some((device) => device.key === disk.deviceKey && hasParent(device))) {
      const names = await olderSnapshots(connection, machine, snapshot?.value, options)
      const of = names.length === 0 ? 'a snapshot that its host does not list' : `the snapshot ${names.join(' and ')}`
      const remedy = `Remove ${of}${names.length === 0 ? ' by consolidating the disks' : ''}, or back the machine up with the mode "ovf".`
      throw noFlat(machine.name, disk, `${disk.fileName} is a delta, because of ${of}`, remedy)
    }
    found.push({ ...disk, fileName: disk.fileName })
  }
  return found
}

/**
 * The file with the bytes of a disk, by its descriptor.
 * @throws UNSUPPORTED: it lies otherwise than in one flat file. PROVIDER_FAILED: the descriptor is none, or says another size than the machine.
 */
export async function flatFileOf(files: DatastoreFiles, disk: FlatDisk, what: string, options: CallOptions): Promise<DatastorePath> {
  const descriptor = parseDatastorePath(disk.fileName)
  const text = await files.readWhole({ file: descriptor, what: `the descriptor of ${what}` }, longestDiskDescriptor, options)
  const { extent, size } = parseFlatDescriptor(Buffer.from(text).toString('utf8'), what)
  if (size === disk.sizeBytes) return besideOf(descriptor, extent)
  throw new HoldfastError('PROVIDER_FAILED', `${what} has ${disk.sizeBytes} bytes, but ${disk.fileName} says ${size}.`, {
    retryable: true,
    remedy: 'If the disk was made larger just now, run it again.',
  })
}
