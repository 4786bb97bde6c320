import { sumBytes } from '../../cluster-sums.ts'
import { clusterBytes } from '../../clusters.ts'

/** Clusters that a worker is given at once: 1 MiB. */
export const slotClusters = 16

/** Memory that the threads share. What is read, packed and written never moves between them, only the numbers of slots do. */
export interface SharedSlots {
  readonly bytes: SharedArrayBuffer
  readonly lengths: SharedArrayBuffer
  readonly sums: SharedArrayBuffer
}

/** One piece of it, as each thread sees it. */
export interface Slot {
  readonly number: number
  /** Before: clusters of the disk. After: the plain ones of them, then the packed ones, each without a gap. */
  readonly bytes: Buffer
  /** Of each cluster: 0 when it is all zero, `clusterBytes` when it stays plain, otherwise the bytes it was packed into. */
  readonly lengths: Int32Array
  /** The cluster sums, where they are asked for. */
  readonly sums: Buffer
}

export function createSharedSlots(count: number): SharedSlots {
  const clusters = count * slotClusters
  return {
    bytes: new SharedArrayBuffer(clusters * clusterBytes),
    lengths: new SharedArrayBuffer(clusters * Int32Array.BYTES_PER_ELEMENT),
    sums: new SharedArrayBuffer(clusters * sumBytes),
  }
}

export function slotsOf({ bytes, lengths, sums }: SharedSlots): readonly Slot[] {
  const bytesPerSlot = slotClusters * clusterBytes
  return Array.from({ length: bytes.byteLength / bytesPerSlot }, (_, number) => ({
    number,
    bytes: Buffer.from(bytes, number * bytesPerSlot, bytesPerSlot),
    lengths: new Int32Array(lengths, number * slotClusters * Int32Array.BYTES_PER_ELEMENT, slotClusters),
    sums: Buffer.from(sums, number * slotClusters * sumBytes, slotClusters * sumBytes),
  }))
}
