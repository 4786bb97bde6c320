import type { BlockSource, CallOptions, MappedBlocks } from './blocks.ts'
import { type ClusterSet, createClusterSet, extentsOf } from './cluster-set.ts'
import { clusterBytes, isZero } from './clusters.ts'
import { disposeOnce, takeOver } from './dispose.ts'
import { fileBlocks } from './file-blocks.ts'
import { readAhead, wholeDisk } from './read-ahead.ts'

/** A source with the extents of two sets. Takes the source over. */
export function withExtents(source: BlockSource, data: ClusterSet, zero: ClusterSet): MappedBlocks {
  return {
    size: source.size,
    ...(source.readers !== undefined && { readers: source.readers }),
    ...(source.readBytes !== undefined && { readBytes: source.readBytes }),
    readInto: (target, offset, options) => source.readInto(target, offset, options),
    async *extents(options) {
      options.signal.throwIfAborted()
      yield* extentsOf(data, zero, source.size)
    },
    [Symbol.asyncDispose]: disposeOnce([source]),
  }
}

/** One bit per cluster of the buffer: is it all zero? Most buffers are all data or all zero, which one comparison tells. */
function dataClusters(bytes: Buffer): readonly boolean[] {
  const count = bytes.length / clusterBytes
  if (isZero(bytes)) return new Array<boolean>(count).fill(false)
  return Array.from({ length: count }, (_, index) => !isZero(bytes.subarray(index * clusterBytes, (index + 1) * clusterBytes)))
}

/**
 * Finds where the data of a disk is by reading it once: clusters of zeros are gaps. What it finds is kept as one bit per cluster. Takes the source over.
 * @throws what the source throws; an aborted signal rejects with its reason.
 */
export function mapBlocks(source: BlockSource, options: CallOptions): Promise<MappedBlocks> {
  return takeOver(source, async () => {
    const data = createClusterSet()
    for await (const { runs, prepared } of readAhead(source, wholeDisk(source.size), dataClusters, options)) {
      const first = runs[0]?.index ?? 0
      prepared.forEach((isData, position) => {
        if (isData) data.add(first + position)
      })
    }
    return withExtents(source, data, createClusterSet())
  })
}

/** A raw disk image: the bytes of a file are the bytes of the disk. Reads it once to find its zeros; see `fileBlocks` and `mapBlocks`. */
export async function openRawFile(path: string, options: CallOptions): Promise<MappedBlocks> {
  return mapBlocks(await fileBlocks(path, options), options)
}
