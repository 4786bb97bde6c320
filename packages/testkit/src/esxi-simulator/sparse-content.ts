import { clusterBytes } from '../bytes.ts'
import { joinClusters } from '../memory-blocks.ts'
import type { DiskContent } from './simulated-disk.ts'

/** A disk of which only the clusters that hold data take memory. */
export interface SparseContent extends DiskContent {
  /** Copies the bytes of a cluster. `index` is its offset divided by 65,536. */
  put(index: number, bytes: Uint8Array): void
}

/** @param size Of the disk, in bytes. */
export function createSparseContent(size: number): SparseContent {
  const clusters = new Map<number, Uint8Array>()
  const copy = (target: Uint8Array, offset: number): void => {
    for (let at = 0; at < target.length; ) {
      const [index, from] = [Math.floor((offset + at) / clusterBytes), (offset + at) % clusterBytes]
      const length = Math.min(clusterBytes - from, target.length - at)
      const found = clusters.get(index)?.subarray(from, from + length)
      target.fill(0, at, at + length)
      if (found !== undefined) target.set(found, at)
      at += length
    }
  }
  return {
    size,
    put: (index, bytes) => void clusters.set(index, new Uint8Array(bytes)),
    open: () => ({
      size,
      readers: 4,
      async readInto(target, offset, { signal }) {
        signal.throwIfAborted()
        if (!(offset >= 0) || offset + target.length > size)
          throw new RangeError(`read of ${target.length} bytes at ${offset} leaves the disk`)
        copy(target, offset)
      },
      async *extents() {
        const indexes = [...clusters.keys()].sort((one, other) => one - other)
        yield* joinClusters(
          indexes.map((index) => ({ index, kind: 'data' as const })),
          size,
        )
      },
      async [Symbol.asyncDispose]() {},
    }),
  }
}
