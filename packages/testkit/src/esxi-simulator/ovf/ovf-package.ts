/** A machine as a descriptor tells it: what an export writes, and an import reads. Nothing of it is shared with what is tested. */
export interface OvfPackage {
  readonly name: string
  readonly guestId: string
  /** Hardware version, for example `vmx-19`. */
  readonly version: string
  readonly cpus: number
  readonly memoryMb: number
  readonly firmware: 'bios' | 'efi'
  readonly secureBoot: boolean
  readonly annotation?: string
  readonly uuid?: string
  readonly files: readonly OvfFile[]
  readonly disks: readonly OvfDisk[]
  readonly cards: readonly OvfCard[]
  /** Id of the file behind the drive; undefined: an empty drive. */
  readonly drives: readonly { readonly file?: string }[]
  /** Id of the file. */
  readonly nvram?: string
  readonly networks: readonly string[]
}

/** A file beside the descriptor. */
export interface OvfFile {
  readonly id: string
  readonly href: string
  readonly size: number | undefined
  readonly compression?: string
  readonly chunkSize?: number
}

/** A disk and where it is plugged in. */
export interface OvfDisk {
  /** Bytes. */
  readonly capacity: number
  readonly populatedSize?: number
  /** Id of the file; undefined: an empty disk. */
  readonly file?: string
  readonly controller: OvfController
  readonly unit: number
}

/** Which controller: its class, as the API calls it, and its number among those of one bus. */
export interface OvfController {
  readonly type: string
  readonly bus: number
}

/** A network card. */
export interface OvfCard {
  /** Class, as the API calls it. */
  readonly type: string
  /** Name in the descriptor. */
  readonly network: string
  readonly mac?: string
}

/** Resource types of CIM, as descriptors use them. */
export const resourceTypes = {
  cpu: '3',
  memory: '4',
  ide: '5',
  scsi: '6',
  card: '10',
  cd: '15',
  disk: '17',
  sata: '20',
  nvme: '20',
} as const

/** Classes of controllers by what a descriptor calls them: type and subtype. */
export const controllerTypes: readonly { readonly type: string; readonly resource: string; readonly subtype: string }[] = [
  { type: 'ParaVirtualSCSIController', resource: '6', subtype: 'VirtualSCSI' },
  { type: 'VirtualLsiLogicController', resource: '6', subtype: 'lsilogic' },
  { type: 'VirtualLsiLogicSASController', resource: '6', subtype: 'lsilogicsas' },
  { type: 'VirtualBusLogicController', resource: '6', subtype: 'buslogic' },
  { type: 'VirtualIDEController', resource: '5', subtype: '' },
  { type: 'VirtualAHCIController', resource: '20', subtype: 'vmware.sata.ahci' },
  { type: 'VirtualNVMEController', resource: '20', subtype: 'vmware.nvme.controller' },
]

/** The same for network cards, which have one resource type. */
export const cardTypes: readonly { readonly type: string; readonly subtype: string }[] = [
  { type: 'VirtualVmxnet3', subtype: 'VmxNet3' },
  { type: 'VirtualE1000', subtype: 'E1000' },
  { type: 'VirtualE1000e', subtype: 'E1000e' },
]
