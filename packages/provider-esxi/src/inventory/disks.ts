import type { Machine } from '@holdfast/core/spec'
import type { Data, MoRef } from '../vim25/values.ts'
import { type Device, isOf, labelOf, slotOf } from './devices.ts'

/** What a disk is behind its controller. `other`: nothing that we know. */
export type BackingKind = 'flat' | 'sparse' | 'seSparse' | 'rdmVirtual' | 'rdmPhysical' | 'other'

/** A disk of a machine. */
export interface FoundDisk {
  /** Outlives renames, and is not used for another disk: the UUID of the disk, else its slot. Unique within the machine. */
  readonly key: string
  /** As keys of leases name it: `ParaVirtualSCSIController0:0`. */
  readonly slot: string
  /** The host's number for the device, for as long as it is plugged in. */
  readonly deviceKey: number
  /** What people call it: `Hard disk 1`. */
  readonly name: string
  readonly sizeBytes: number
  /** `[datastore] folder/file.vmdk`; undefined where there is no file. */
  readonly fileName: string | undefined
  readonly datastore: MoRef<'Datastore'> | undefined
  readonly backing: BackingKind
  /** The host's word for the backing, for messages. */
  readonly backingType: string
  /** `persistent`, `independent_persistent` and so on. */
  readonly mode: string
  readonly uuid: string | undefined
  readonly thin: boolean
  readonly encrypted: boolean
  /** Other machines may write it too. */
  readonly shared: boolean
  /** How far its changes are tracked: of the snapshot that the device was read from, or of the disk as it is. */
  readonly changeId: string | undefined
  readonly bus: Machine['disks'][number]['bus']
}

const buses: readonly (readonly [type: Parameters<typeof isOf>[1], bus: FoundDisk['bus']])[] = [
  ['VirtualSCSIController', 'scsi'],
  ['VirtualSATAController', 'sata'],
  ['VirtualIDEController', 'ide'],
  ['VirtualNVMEController', 'nvme'],
]

function kindOf(backing: unknown): BackingKind {
  if (isOf(backing, 'VirtualDiskFlatVer2BackingInfo') || isOf(backing, 'VirtualDiskFlatVer1BackingInfo')) return 'flat'
  if (isOf(backing, 'VirtualDiskSparseVer2BackingInfo') || isOf(backing, 'VirtualDiskSparseVer1BackingInfo')) return 'sparse'
  if (isOf(backing, 'VirtualDiskSeSparseBackingInfo')) return 'seSparse'
  if (isOf(backing, 'VirtualDiskRawDiskMappingVer1BackingInfo'))
    return backing.compatibilityMode === 'virtualMode' ? 'rdmVirtual' : 'rdmPhysical'
  return 'other'
}

/** The fields that backings of disks share, of any kind. */
interface AnyBacking {
  readonly diskMode?: string
  readonly uuid?: string
  readonly changeId?: string
  readonly sharing?: string
  readonly thinProvisioned?: boolean
  readonly keyId?: Data<'CryptoKeyId'>
}

function diskOf(disk: Data<'VirtualDisk'>, devices: readonly Device[]): FoundDisk {
  const plugged = slotOf(disk, devices)
  const slot = plugged?.slot ?? `device${disk.key}`
  const { backing } = disk
  const facts = (backing ?? {}) as AnyBacking
  const onFile = isOf(backing, 'VirtualDeviceFileBackingInfo') ? backing : undefined
  return {
    key: facts.uuid ?? slot,
    slot,
    deviceKey: disk.key,
    name: labelOf(disk),
    sizeBytes: disk.capacityInBytes ?? disk.capacityInKB * 1024,
    fileName: onFile?.fileName,
    datastore: onFile?.datastore,
    backing: kindOf(backing),
    backingType: backing?.$type ?? 'none',
    mode: facts.diskMode ?? 'persistent',
    uuid: facts.uuid,
    thin: facts.thinProvisioned ?? false,
    encrypted: facts.keyId !== undefined,
    shared: facts.sharing === 'sharingMultiWriter',
    changeId: facts.changeId,
    bus: buses.find(([type]) => isOf(plugged?.controller, type))?.[1] ?? 'scsi',
  }
}

/** All disks of a machine, or of a snapshot of it, in the order of the host. */
export function disksOf(devices: readonly Device[]): readonly FoundDisk[] {
  const disks = devices.flatMap((device) => (isOf(device, 'VirtualDisk') ? [diskOf(device, devices)] : []))
  // A disk whose files were copied by hand has the UUID of the original; plugged into the same machine, only the slot tells them apart.
  const alone = (disk: FoundDisk) => disks.filter(({ key }) => key === disk.key).length === 1
  return disks.map((disk) => (alone(disk) ? disk : { ...disk, key: `${disk.key}@${disk.slot}` }))
}
