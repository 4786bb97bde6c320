import { sumBytes, sumOf } from '../../cluster-sums.ts'
import { clusterBytes, isZero } from '../../clusters.ts'
import type { Compress } from './compress.ts'
import type { Slot } from './shared-slots.ts'

/** Packs the first clusters of a slot in place, and sums them up if asked to. See `Slot` for what it holds before and after. */
export function packSlot({ bytes, lengths, sums }: Slot, clusters: number, compress: Compress, withSums: boolean): void {
  const packed: Buffer[] = []
  let used = 0
  for (let position = 0; position < clusters; position += 1) {
    const at = position * clusterBytes
    const cluster = bytes.subarray(at, at + clusterBytes)
    if (isZero(cluster)) {
      lengths[position] = 0
      continue
    }
    if (withSums) sums.set(sumOf(cluster), position * sumBytes)
    const result = compress(cluster)
    lengths[position] = result?.length ?? clusterBytes
    if (result !== undefined) packed.push(result)
    else {
      // Forward only, so nothing is overwritten that is still to be packed.
      if (used < at) bytes.copyWithin(used, at, at + clusterBytes)
      used += clusterBytes
    }
  }
  for (const result of packed) used += result.copy(bytes, used)
}
