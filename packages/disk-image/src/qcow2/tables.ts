import type { ClusterSet } from '../cluster-set.ts'
import { clusterBytes } from '../clusters.ts'
import type { Run } from '../read-ahead.ts'
import { countsPerBlock, tableEntries } from './format.ts'
import type { Layout } from './layout.ts'
import { writeCopied, writeSize } from './numbers.ts'

/** Each function makes one kind of table, a cluster at a time, in one buffer that it uses again. */

export function* l1Clusters(layout: Layout, touched: ClusterSet): Generator<Buffer> {
  const buffer = Buffer.alloc(clusterBytes)
  let table = layout.l2Start
  for (let cluster = 0; cluster < layout.l1Clusters; cluster += 1) {
    buffer.fill(0)
    for (let entry = 0; entry < tableEntries; entry += 1) {
      if (!touched.has(cluster * tableEntries + entry)) continue
      writeCopied(buffer, entry * 8, table * clusterBytes)
      table += 1
    }
    yield buffer
  }
}

export function* refcountTableClusters(layout: Layout): Generator<Buffer> {
  const buffer = Buffer.alloc(clusterBytes)
  for (let cluster = 0; cluster < layout.refcountTableClusters; cluster += 1) {
    buffer.fill(0)
    const first = cluster * tableEntries
    const entries = Math.min(tableEntries, layout.refcountBlocks - first)
    for (let entry = 0; entry < entries; entry += 1) {
      writeSize(buffer, entry * 8, (layout.refcountBlocksStart + first + entry) * clusterBytes)
    }
    yield buffer
  }
}

/** Every cluster of the file is used exactly once. */
export function* refcountBlockClusters(layout: Layout): Generator<Buffer> {
  const buffer = Buffer.alloc(clusterBytes)
  for (let block = 0; block < layout.refcountBlocks; block += 1) {
    const used = Math.min(countsPerBlock, Math.max(0, layout.totalClusters - block * countsPerBlock))
    buffer.fill(0)
    buffer.fill(Buffer.from([0, 1]), 0, used * 2)
    yield buffer
  }
}

/** L2 tables in the order of the L1 table; data clusters get their places in guest order. A zero cluster reads as zero and hides the backing file: bit 0. */
export async function* l2Clusters(layout: Layout, runs: AsyncIterable<Run>): AsyncGenerator<Buffer> {
  const buffer = Buffer.alloc(clusterBytes)
  let slot = -1
  let data = layout.dataStart
  for await (const run of runs) {
    for (let index = run.index; index < run.index + run.count; index += 1) {
      const own = Math.floor(index / tableEntries)
      if (own !== slot) {
        if (slot >= 0) yield buffer
        buffer.fill(0)
        slot = own
      }
      const at = (index - slot * tableEntries) * 8
      if (run.kind === 'zero') buffer.writeUInt8(1, at + 7)
      else {
        writeCopied(buffer, at, data * clusterBytes)
        data += 1
      }
    }
  }
  if (slot >= 0) yield buffer
}
