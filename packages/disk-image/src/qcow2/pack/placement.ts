import type { ClusterSet } from '../../cluster-set.ts'
import { clusterBytes, clustersOf } from '../../clusters.ts'
import type { Layout } from '../layout.ts'
import { createL2Writer, createRefcountWriter, type Placed, type WriteAt } from './metadata-writers.ts'

/** Packed clusters are gathered to so many bytes: each time at most one of them does not fit, and the place it leaves empty is a small part. */
const gatheredBytes = 4 * 1024 * 1024
/** Entries of tables that wait for the place of the gathered bytes. */
const mostWaiting = 8192

/** How often each cluster of gathered bytes is used. Sectors do not cross clusters, so the bytes are as good as the sectors they touch. */
function usesOf(waiting: readonly Placed[], clusters: number): Uint16Array {
  const uses = new Uint16Array(clusters)
  for (const { kind, offset, length } of waiting) {
    if (kind !== 'packed') continue
    const last = Math.floor((offset + length - 1) / clusterBytes)
    for (let cluster = Math.floor(offset / clusterBytes); cluster <= last; cluster += 1) uses[cluster] = (uses[cluster] as number) + 1
  }
  return uses
}

/** Whether a run goes on where another one ends, on the disk and in the file. */
function follows(last: Placed | undefined, next: Placed): last is Placed {
  if (last === undefined || last.kind !== next.kind || last.index + last.count !== next.index) return false
  return next.kind === 'zero' || (next.kind === 'plain' && last.offset + last.count * clusterBytes === next.offset)
}

/**
 * Gives clusters their places. Plain ones go to the end of the file at once, packed ones are gathered and go there together; so the file has no holes, every write
 * begins and ends with a cluster, and each refcount is final when its cluster is written. The entries of L2 tables wait until all before them have a place.
 */
export async function createPlacement(layout: Layout, touched: ClusterSet, write: WriteAt) {
  const l2 = createL2Writer(layout, touched, write)
  const refcounts = createRefcountWriter(layout, write)
  await refcounts.add(1, layout.dataStart)
  const gathered = Buffer.allocUnsafeSlow(Math.min(gatheredBytes, (layout.totalClusters - layout.dataStart) * clusterBytes))
  let used = 0
  let waiting: Placed[] = []
  let end = layout.dataStart * clusterBytes
  const append = async (bytes: Uint8Array): Promise<number> => {
    const start = end
    if (bytes.length > 0) await write(bytes, start)
    end += bytes.length
    return start
  }
  const flush = async () => {
    const clusters = clustersOf(used)
    gathered.fill(0, used, clusters * clusterBytes)
    const start = await append(gathered.subarray(0, clusters * clusterBytes))
    for (const uses of usesOf(waiting, clusters)) await refcounts.add(uses, 1)
    for (const placed of waiting) await l2.add(placed.kind === 'packed' ? { ...placed, offset: start + placed.offset } : placed)
    waiting = []
    used = 0
  }
  return {
    /** Writes plain clusters and answers where they begin; whoever calls notes each of them. */
    async plain(clusters: Uint8Array): Promise<number> {
      const start = await append(clusters)
      await refcounts.add(1, clusters.length / clusterBytes)
      return start
    },
    /** Takes the bytes of a packed cluster, which are noted with what it answers. */
    async packed(bytes: Buffer): Promise<number> {
      if (used + bytes.length > gathered.length) await flush()
      used += bytes.copy(gathered, used)
      return used - bytes.length
    },
    /** In the order of the disk. */
    async note(placed: Placed): Promise<void> {
      const last = waiting.at(-1)
      if (follows(last, placed)) waiting[waiting.length - 1] = { ...last, count: last.count + placed.count }
      else if (waiting.push(placed) === mostWaiting) await flush()
    },
    /** Writes what was gathered and the rest of L2 tables and refcounts. Answers the length of the file. */
    async end(): Promise<number> {
      await flush()
      await l2.end()
      await refcounts.end()
      return end
    },
  }
}
