import { createHash } from 'node:crypto'
import { type ClusterSum, type SumBatches, sameSum, zeroSum } from './cluster-sums.ts'
import { clustersOf } from './clusters.ts'
import { DiskImageError } from './errors.ts'

/** The sums of one image of a chain. */
export interface SumLayer {
  /** Virtual size of the disk in this image: what a smaller newer image cut off does not come back. */
  readonly size: number
  readonly batches: SumBatches
}

const batchSums = 512

/** One sum after the other, ascending or refused. */
export async function* eachSum(batches: SumBatches): AsyncGenerator<ClusterSum, void, undefined> {
  let previous = -1
  for await (const batch of batches) {
    for (const sum of batch) {
      if (sum.index <= previous)
        throw new DiskImageError('INVALID_OPTIONS', `the sum of cluster ${sum.index} comes after that of ${previous}`)
      previous = sum.index
      yield sum
    }
  }
}

interface Cursor {
  readonly clusters: number
  readonly sums: AsyncGenerator<ClusterSum, void, undefined>
  head: ClusterSum | undefined
}

async function advance(cursor: Cursor): Promise<void> {
  const next = await cursor.sums.next()
  cursor.head = next.done || next.value.index >= cursor.clusters ? undefined : next.value
}

async function* merged(layers: readonly SumLayer[]): AsyncGenerator<readonly ClusterSum[], void, undefined> {
  let clusters = Number.POSITIVE_INFINITY
  const cursors = layers.map(({ size, batches }): Cursor => {
    clusters = Math.min(clusters, clustersOf(size))
    return { clusters, sums: eachSum(batches), head: undefined }
  })
  let batch: ClusterSum[] = []
  try {
    for (const cursor of cursors) await advance(cursor)
    for (;;) {
      let winner: ClusterSum | undefined
      for (const { head } of cursors) if (head !== undefined && (winner === undefined || head.index < winner.index)) winner = head
      if (winner === undefined) break
      batch.push(winner)
      for (const cursor of cursors) if (cursor.head?.index === winner.index) await advance(cursor)
      if (batch.length < batchSums) continue
      yield batch
      batch = []
    }
    if (batch.length > 0) yield batch
  } finally {
    for (const cursor of cursors) await cursor.sums.return()
  }
}

/** The sums of a whole chain, newest image first: for each cluster that of the newest image that holds it. Memory does not depend on the size of the disk. */
export function overlaySums(layers: readonly SumLayer[]): SumBatches {
  return { [Symbol.asyncIterator]: () => merged(layers) }
}

/** The logical digest of a disk of which the sums come one after the other, in guest order. */
export function createLogicalDigest(): { add(index: number, sum: Uint8Array): void; value(): string } {
  const hash = createHash('sha256')
  const place = Buffer.alloc(8)
  return {
    add(index, sum) {
      if (sameSum(sum, zeroSum)) return
      place.writeUIntLE(index, 0, 6)
      hash.update(place).update(sum)
    },
    value: () => hash.digest('hex'),
  }
}

/**
 * The logical digest of a disk, in hexadecimal: SHA-256 over (index as u64 little-endian, its sum) of every cluster that is not all zero, in guest order.
 * It depends on what the disk holds only, not on how it is stored, so it is the same before and after a merge.
 */
export async function logicalDigest(sums: SumBatches): Promise<string> {
  const digest = createLogicalDigest()
  for await (const { index, sum } of eachSum(sums)) digest.add(index, sum)
  return digest.value()
}
