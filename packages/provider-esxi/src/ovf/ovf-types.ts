/** A file that an OVF package holds beside its descriptor. Sizes are bytes. */
export interface OvfFile {
  readonly id: string
  /** A plain file name: it was checked. */
  readonly href: string
  /** Bytes of the file as it lies there; absent where its writer gave none. */
  readonly size?: number
  /** How the whole file is packed; absent: not at all. */
  readonly compression?: 'gzip'
  /** The file is cut into parts of so many bytes, `<href>.000000000`, `<href>.000000001` and so on. */
  readonly chunkSize?: number
}

/** A virtual disk of the package. */
export interface OvfDisk {
  readonly id: string
  /** Id of its file. Absent: an empty disk. */
  readonly fileRef?: string
  /** Bytes that the guest sees. */
  readonly capacity: number
  /** A URI that names the format. Only streamOptimized VMDK is imported by VMware. */
  readonly format?: string
  /** Bytes that are expected to hold data. */
  readonly populatedSize?: number
  /** Id of the disk that it holds the changes to. */
  readonly parentRef?: string
}

/** A network that adapters of the machine name. */
export interface OvfNetwork {
  readonly name: string
  readonly description?: string
}

/** What a disk or a drive is connected to. `subType` is the word of the descriptor, such as `lsilogic` or `VirtualSCSI`. */
export interface OvfController {
  readonly instance: string
  readonly bus: 'ide' | 'scsi' | 'virtio-scsi' | 'sata' | 'nvme'
  readonly subType?: string
  /** Its number on the machine, of several of one kind. */
  readonly address?: string
}

/** A disk as it sits in the machine. */
export interface OvfDrive {
  readonly diskId: string
  readonly controller?: OvfController
  /** Its place on the controller. */
  readonly addressOnParent?: string
}

/** A drive with a medium that can be taken out. */
export interface OvfRemovable {
  readonly kind: 'cd' | 'floppy'
  /** Id of the file of its image, if the package holds one. */
  readonly fileRef?: string
}

export interface OvfAdapter {
  readonly network: string
  /** `00:50:56:aa:bb:cc`. */
  readonly mac?: string
  /** The word of the descriptor, such as `VmxNet3` or `E1000e`. */
  readonly model?: string
  readonly connected: boolean
}

/** The one machine of a package. */
export interface OvfMachine {
  readonly id: string
  /** What people call it; its id when it has no name. */
  readonly name: string
  /** The word of VMware, such as `ubuntu64Guest`. */
  readonly osType?: string
  /** In the words of its writer. */
  readonly osDescription?: string
  /** Families of virtual hardware, such as `vmx-13`. */
  readonly hardware: readonly string[]
  readonly cpus: number
  readonly coresPerSocket?: number
  readonly memoryBytes: number
  readonly firmware: 'bios' | 'efi'
  readonly secureBoot: boolean
  /** Id of the file with the NVRAM. */
  readonly nvramFileRef?: string
  readonly controllers: readonly OvfController[]
  readonly drives: readonly OvfDrive[]
  readonly removables: readonly OvfRemovable[]
  readonly adapters: readonly OvfAdapter[]
}

/** A descriptor of the Open Virtualization Format, version 1. Source: DSP0243, https://www.dmtf.org/standards/ovf */
export interface Ovf {
  readonly files: readonly OvfFile[]
  readonly disks: readonly OvfDisk[]
  readonly networks: readonly OvfNetwork[]
  readonly machine: OvfMachine
}
