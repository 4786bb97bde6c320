import type { ClusterSet } from '../../cluster-set.ts'
import { clusterBytes } from '../../clusters.ts'
import type { Layout } from '../layout.ts'
import { l1Clusters, refcountTableClusters } from '../tables.ts'
import type { WriteAt } from './metadata-writers.ts'
import type { PackedChunk } from './packed-chunks.ts'
import { createPlacement } from './placement.ts'

/** What was written: clusters, and the length of the file in bytes. */
export interface Written {
  readonly counts: { readonly packed: number; readonly plain: number; readonly zero: number }
  readonly size: number
}

/** Writes an image chunk by chunk; all but its header. */
export async function createImageWriter(layout: Layout, touched: ClusterSet, covers: 'all' | 'changes', write: WriteAt) {
  const placement = await createPlacement(layout, touched, write)
  const counts = { packed: 0, plain: 0, zero: 0 }
  const addZeros = async (index: number, count: number) => {
    if (covers === 'all') return
    counts.zero += count
    await placement.note({ index, count, kind: 'zero', offset: 0, length: 0 })
  }
  return {
    async add({ runs, slot }: PackedChunk): Promise<void> {
      const data = runs.reduce((sum, run) => sum + (run.kind === 'data' ? run.count : 0), 0)
      const plain = slot.lengths.subarray(0, data).filter((length) => length === clusterBytes).length
      let packedAt = plain * clusterBytes
      let plainOffset = await placement.plain(slot.bytes.subarray(0, packedAt))
      const addData = async (index: number, length: number) => {
        if (length === 0) return addZeros(index, 1)
        const kind = length === clusterBytes ? 'plain' : 'packed'
        const offset = kind === 'plain' ? plainOffset : await placement.packed(slot.bytes.subarray(packedAt, packedAt + length))
        if (kind === 'plain') plainOffset += length
        else packedAt += length
        counts[kind] += 1
        await placement.note({ index, count: 1, kind, offset, length })
      }
      let position = 0
      for (const run of runs) {
        if (run.kind === 'zero') await addZeros(run.index, run.count)
        else for (let index = run.index; index < run.index + run.count; index += 1) await addData(index, slot.lengths[position++] as number)
      }
    },
    async end(): Promise<Written> {
      const size = await placement.end()
      let table = layout.l1Start
      for (const cluster of l1Clusters(layout, touched)) await write(cluster, table++ * clusterBytes)
      for (const cluster of refcountTableClusters(layout)) await write(cluster, table++ * clusterBytes)
      return { counts, size }
    },
  }
}
