import { type ClusterSum, sumBytes, zeroSum } from '../../cluster-sums.ts'
import type { PackedChunk } from './packed-chunks.ts'

const sumsPerBatch = 4096

function* sumsIn({ runs, slot }: PackedChunk, covers: 'all' | 'changes'): Generator<ClusterSum> {
  const sums = Uint8Array.from(slot.sums) // the slot is used again
  let position = 0
  for (const { index: first, count, kind } of runs) {
    for (let index = first; index < first + count; index += 1) {
      const at = position * sumBytes
      if (kind === 'data' && slot.lengths[position++] !== 0) yield { index, kind: 'data', sum: sums.subarray(at, at + sumBytes) }
      else if (covers === 'changes') yield { index, kind: 'zero', sum: zeroSum }
    }
  }
}

/** The sums of the clusters that a chunk brings into the file, in the order of the disk. */
export function* chunkSums(chunk: PackedChunk, covers: 'all' | 'changes'): Generator<readonly ClusterSum[]> {
  let batch: ClusterSum[] = []
  for (const sum of sumsIn(chunk, covers)) {
    batch.push(sum)
    if (batch.length < sumsPerBatch) continue
    yield batch
    batch = []
  }
  if (batch.length > 0) yield batch
}
