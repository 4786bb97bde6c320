import type { Json } from './json.ts'

/** Names a workload everywhere: in plans, the store and the repository. JSON. */
export interface WorkloadRef {
  /** The name under which the application registered the provider, not its kind. It matches `[a-z0-9][a-z0-9-]*`. */
  readonly provider: string
  /** The platform's id. */
  readonly id: string
}

/** Something that can be protected, as the platform shows it now. JSON. */
export interface Workload {
  /** Outlives renames and re-registration, and is never reused. */
  readonly id: string
  /** What people call it. */
  readonly name: string
  /**
   * `machine`: has disks, and its backup a {@link Machine}. `project`: a set of volumes that must be consistent with each other. `volume`: anything else,
   * also what no platform calls so: a database, a folder, an image. For people and filters; the engine treats all alike.
   */
  readonly kind: 'machine' | 'volume' | 'project'
  /** Bytes that hold data; absent when that is not known without a scan. */
  readonly usedBytes?: number
  /** The platform's labels or tags. */
  readonly labels?: { readonly [name: string]: string }
  /** The provider's own; for people, never a secret. */
  readonly details?: Json
}

/** What every hypervisor can build a machine from: it makes a restore onto another platform possible. JSON. */
export interface Machine {
  /** Its name when it was backed up. */
  readonly name: string
  /** All virtual CPUs. */
  readonly cpus: number
  /** Default: all on one socket each as the platform likes. */
  readonly coresPerSocket?: number
  /** Bytes. */
  readonly memoryBytes: number
  /** What it boots with. */
  readonly firmware: 'bios' | 'efi'
  /** Default false. */
  readonly secureBoot?: boolean
  /** Default false. A TPM's content does not travel. */
  readonly tpm?: boolean
  /** What runs in it; `id` is the platform's own word. */
  readonly guest: { readonly family: 'linux' | 'windows' | 'other'; readonly id?: string }
  /** In boot order; their keys are those of the stored disks. */
  readonly disks: readonly { readonly key: string; readonly bus: 'virtio' | 'virtio-scsi' | 'scsi' | 'sata' | 'ide' | 'nvme' }[]
  /** In the order of their slots. `mac` is `00:50:56:aa:bb:cc`. */
  readonly networks: readonly { readonly name: string; readonly mac?: string; readonly model?: string }[]
}
