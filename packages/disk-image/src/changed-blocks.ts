import type { BlockSource, CallOptions, MappedBlocks } from './blocks.ts'
import { createClusterSet } from './cluster-set.ts'
import { type ClusterSum, type SumBatches, sameSum, sumsOf, zeroSum } from './cluster-sums.ts'
import { checkSize, clustersOf } from './clusters.ts'
import { takeOver } from './dispose.ts'
import { withExtents } from './map-blocks.ts'
import { eachSum } from './merge-sums.ts'
import { readAhead, wholeDisk } from './read-ahead.ts'

/** Answers the sum the base has for a cluster; to be asked in ascending order. What the base does not hold is zero. */
function createLookup(base: AsyncGenerator<ClusterSum, void, undefined>, clusters: number) {
  let head: ClusterSum | undefined
  let ended = false
  return async (index: number): Promise<Uint8Array> => {
    while (!ended && (head === undefined || head.index < index)) {
      const next = await base.next()
      ended = next.done === true
      head = next.done ? undefined : next.value
    }
    return head?.index === index && index < clusters ? head.sum : zeroSum
  }
}

/**
 * What differs from a base, found by reading a disk once and comparing the sum of every cluster with the merged sums of the base: changed clusters are `data`,
 * those that became zero are `zero`, gaps are as in the base. For `encodeQcow2` with `covers: 'changes'`. Takes the source over.
 * @param options `baseSize`: virtual size of the base in bytes; the disk may have grown or shrunk since.
 * @throws INVALID_OPTIONS: sums out of order. What source and sums throw passes through; an aborted signal rejects with its reason.
 */
export function changedBlocks(
  source: BlockSource,
  base: SumBatches,
  options: CallOptions & { readonly baseSize: number },
): Promise<MappedBlocks> {
  return takeOver(source, async () => {
    checkSize(options.baseSize, 'baseSize')
    const data = createClusterSet()
    const zero = createClusterSet()
    const sums = eachSum(base)
    try {
      const baseSum = createLookup(sums, clustersOf(options.baseSize))
      for await (const { runs, prepared } of readAhead(source, wholeDisk(source.size), sumsOf, { signal: options.signal })) {
        const first = runs[0]?.index ?? 0
        for (const [position, sum] of prepared.entries()) {
          const index = first + position
          if (sameSum(sum, await baseSum(index))) continue
          if (sum === zeroSum) zero.add(index)
          else data.add(index)
        }
      }
      for await (const _ of sums); // to its end: sums that are not whole must throw, also behind the last cluster
    } finally {
      await sums.return()
    }
    return withExtents(source, data, zero)
  })
}
