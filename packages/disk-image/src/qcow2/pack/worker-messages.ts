import type { ClusterCodec } from '../decompress.ts'
import type { SharedSlots } from './shared-slots.ts'

/** What a worker is started with. */
export interface WorkerSetup {
  readonly shared: SharedSlots
  readonly codec: ClusterCodec
  readonly withSums: boolean
}

/** What it is told for each slot. It answers with the number of the slot, in the order in which it was told. */
export interface PackJob {
  readonly slot: number
  /** The first so many hold bytes. */
  readonly clusters: number
}
