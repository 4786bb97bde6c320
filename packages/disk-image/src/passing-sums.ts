import type { CallOptions } from './blocks.ts'
import { createClusterSet } from './cluster-set.ts'
import { type ClusterSum, type SumBatches, sumBytes, sumOf, zeroSum } from './cluster-sums.ts'
import { checkSize, clusterBytes, isZero } from './clusters.ts'
import type { PassingCluster } from './vmdk/cluster-cutter.ts'

/** A file for what must be known before it can be streamed: written and read by position, large and mostly holes. */
export interface ScratchSpace {
  /** Writes these bytes at this place. Writes do not overlap. Rejects when there is no room. */
  write(bytes: Uint8Array, offset: number): Promise<void>
  /** Only what was written is read. */
  readInto(target: Uint8Array, offset: number): Promise<void>
}

/** The sums of a disk that passes once, in any order. */
export interface PassingSums {
  /** A cluster that did not come before; its bytes are used up when it resolves. */
  add(cluster: PassingCluster): Promise<void>
  /** Clusters so far. */
  readonly count: number
  /** After the last cluster: all sums in guest order, as those of data. May be called again. */
  batches(options: CallOptions): SumBatches
}

/** The sum of a cluster of a disk of `size` bytes: what is behind its end does not count. */
export function sumOfPassing({ index, bytes }: PassingCluster, size: number): Uint8Array {
  const inside = bytes.subarray(0, Math.max(0, size - index * clusterBytes))
  return isZero(inside) ? zeroSum : sumOf(inside)
}

/** Sums that are written, and read, at once: 64 KiB. */
const batchSums = 4096

/**
 * Makes the sums of clusters while they pass. They lie in the scratch space until all have come, because a file of sums says first how many there are, and has
 * them in guest order. Takes 16 bytes of it per cluster, and 2 MiB of memory for each TiB of disk touched: 512 MiB count whole as
 * soon as one cluster is in them.
 */
export function passingSums(size: number, space: ScratchSpace): PassingSums {
  checkSize(size, 'the size of the disk')
  const seen = createClusterSet()
  const page = Buffer.allocUnsafeSlow(batchSums * sumBytes)
  let [count, first, used] = [0, 0, 0]

  async function flush(): Promise<void> {
    if (used > 0) await space.write(page.subarray(0, used * sumBytes), first * sumBytes)
    used = 0
  }

  async function* ordered({ signal }: CallOptions): AsyncGenerator<readonly ClusterSum[], void, undefined> {
    await flush()
    for (const run of seen.runs()) {
      for (let done = 0; done < run.count; done += batchSums) {
        signal.throwIfAborted()
        const length = Math.min(batchSums, run.count - done)
        const sums = Buffer.allocUnsafeSlow(length * sumBytes)
        await space.readInto(sums, (run.index + done) * sumBytes)
        yield Array.from({ length }, (_, at) => ({
          index: run.index + done + at,
          kind: 'data',
          sum: sums.subarray(at * sumBytes, (at + 1) * sumBytes),
        }))
      }
    }
  }

  return {
    async add(cluster) {
      if (used === batchSums || cluster.index !== first + used) {
        await flush()
        first = cluster.index
      }
      page.set(sumOfPassing(cluster, size), used * sumBytes)
      used += 1
      count += 1
      seen.add(cluster.index)
    },
    get count() {
      return count
    },
    batches: (options) => ({ [Symbol.asyncIterator]: () => ordered(options) }),
  }
}
