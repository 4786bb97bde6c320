import type { Json } from './json.ts'

/** `provider` is the name under which the application registered the provider, not its kind. */
export interface WorkloadRef {
  readonly provider: string
  readonly id: string
}
/** `id` outlives re-registration and is never reused. A project is a set of volumes that must be consistent with each other. */
export interface Workload {
  readonly id: string
  readonly name: string
  readonly kind: 'machine' | 'volume' | 'project'
  readonly usedBytes?: number
  readonly labels?: { readonly [name: string]: string }
  readonly details?: Json
}
/** What every hypervisor can build a machine from. `disks` are in boot order; their keys are those of the stored disks. */
export interface Machine {
  readonly name: string
  readonly cpus: number
  readonly coresPerSocket?: number
  readonly memoryBytes: number
  readonly firmware: 'bios' | 'efi'
  readonly secureBoot?: boolean
  readonly tpm?: boolean
  readonly guest: { readonly family: 'linux' | 'windows' | 'other'; readonly id?: string }
  readonly disks: readonly { readonly key: string; readonly bus: 'virtio' | 'virtio-scsi' | 'scsi' | 'sata' | 'ide' | 'nvme' }[]
  readonly networks: readonly { readonly name: string; readonly mac?: string; readonly model?: string }[]
}
