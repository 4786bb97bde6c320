import { clusterBytes } from '../clusters.ts'
import { countsPerBlock, tableEntries } from './format.ts'

/** Where everything is, in clusters from the start of the file: header, L1, refcount table, refcount blocks, L2 tables, data in guest order. */
export interface Layout {
  readonly l1Start: number
  readonly l1Clusters: number
  readonly refcountTableStart: number
  readonly refcountTableClusters: number
  readonly refcountBlocksStart: number
  readonly refcountBlocks: number
  readonly l2Start: number
  readonly l2Tables: number
  readonly dataStart: number
  readonly totalClusters: number
}

/** The refcounts count themselves: grow until the table and the blocks fit. */
export function layOut(l1Entries: number, l2Tables: number, dataClusters: number): Layout {
  const l1Clusters = Math.max(1, Math.ceil(l1Entries / tableEntries))
  const others = 1 + l1Clusters + l2Tables + dataClusters
  let blocks = 1
  let table = 1
  for (;;) {
    const total = others + table + blocks
    const needed = Math.ceil(total / countsPerBlock)
    const neededTable = Math.ceil((needed * 8) / clusterBytes)
    if (needed <= blocks && neededTable <= table) break
    blocks = Math.max(blocks, needed)
    table = Math.max(table, neededTable)
  }
  const refcountTableStart = 1 + l1Clusters
  const refcountBlocksStart = refcountTableStart + table
  const l2Start = refcountBlocksStart + blocks
  return {
    l1Start: 1,
    l1Clusters,
    refcountTableStart,
    refcountTableClusters: table,
    refcountBlocksStart,
    refcountBlocks: blocks,
    l2Start,
    l2Tables,
    dataStart: l2Start + l2Tables,
    totalClusters: others + table + blocks,
  }
}
