import type { CallOptions, MappedBlocks } from './blocks.ts'
import { createClusterSet } from './cluster-set.ts'
import { sameSum, zeroSum } from './cluster-sums.ts'
import { checkRange, checkSize, clusterBytes, clustersOf } from './clusters.ts'
import { withExtents } from './map-blocks.ts'
import { createLogicalDigest, eachSum, overlaySums } from './merge-sums.ts'
import { type ScratchSpace, sumOfPassing } from './passing-sums.ts'
import type { SumsFile } from './sums-file.ts'
import type { PassingCluster } from './vmdk/cluster-cutter.ts'

/** What has changed of a disk that passes once, in any order. */
export interface PassingChanges {
  /** A cluster that did not come before; its bytes are used up when it resolves. */
  add(cluster: PassingCluster): Promise<void>
  /**
   * After the last cluster: what differs from the base, read from the scratch space, for `encodeQcow2` with `covers: 'changes'`. What did not come is zero. `digest`:
   * the logical digest of the disk that passed; undefined when it did not pass in guest order.
   */
  end(): Promise<{ readonly blocks: MappedBlocks; readonly digest: string | undefined }>
}

export interface PassingChangesOptions extends CallOptions {
  /** Bytes of the disk. */
  readonly size: number
  /** Sums of the base, newest first, down to those of its full. They stay the caller's, and open until `end` has resolved. */
  readonly base: readonly SumsFile[]
  /** Holds each changed cluster at its guest offset. */
  readonly space: ScratchSpace
}

/** The sum that a chain has for a cluster, as `overlaySums` would find it, but for clusters in any order. What it does not hold is zero. */
async function sumInChain(chain: readonly SumsFile[], index: number, options: CallOptions): Promise<Uint8Array> {
  let clusters = Number.POSITIVE_INFINITY
  for (const sums of chain) {
    clusters = Math.min(clusters, clustersOf(sums.size))
    if (index >= clusters) break
    const found = await sums.find(index, options)
    if (found !== undefined) return found.sum
  }
  return zeroSum
}

/**
 * Finds what has changed since a base in clusters that pass once, by comparing the sum of each with that of the base. Only what differs goes to the scratch
 * space. Memory: up to 6 MiB for each TiB of disk touched, in it or in the base; 512 MiB count whole as soon as one cluster is in them.
 * @throws in `add` and `end`, what the sums and the scratch space throw; an aborted signal rejects with its reason.
 */
export function passingChanges({ size, base, space, signal }: PassingChangesOptions): PassingChanges {
  checkSize(size, 'the size of the disk')
  const present = createClusterSet()
  const data = createClusterSet()
  const zero = createClusterSet()
  const digest = createLogicalDigest()
  let last = -1
  let inOrder = true

  return {
    async add(cluster) {
      const { index, bytes } = cluster
      inOrder &&= index > last
      last = index
      const sum = sumOfPassing(cluster, size)
      if (sameSum(sum, zeroSum)) return
      present.add(index)
      digest.add(index, sum)
      if (sameSum(sum, await sumInChain(base, index, { signal }))) return
      data.add(index)
      await space.write(bytes.subarray(0, size - index * clusterBytes), index * clusterBytes)
    },
    async end() {
      for await (const { index, sum } of eachSum(overlaySums(base.map((sums) => ({ size: sums.size, batches: sums.batches({ signal }) })))))
        if (index < clustersOf(size) && !present.has(index) && !sameSum(sum, zeroSum)) zero.add(index)
      const source = {
        size,
        readers: 4,
        async readInto(target: Uint8Array, offset: number, options: CallOptions) {
          checkRange(size, offset, target.length)
          options.signal.throwIfAborted()
          await space.readInto(target, offset)
        },
        async [Symbol.asyncDispose]() {},
      }
      return { blocks: withExtents(source, data, zero), digest: inOrder ? digest.value() : undefined }
    },
  }
}
