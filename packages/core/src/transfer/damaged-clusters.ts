import { clusterBytes } from '@holdfast/disk-image'
import type { DamagedDisk, DamagedRange } from '../model/run-outcome.ts'

/** A disk that is damaged all over must not fill the memory, nor the result of a run. */
const mostRanges = 100

/** Gathers damaged clusters of one disk as ranges. */
export interface DamagedClusters {
  /** In guest order; what lies behind the end of the disk does not count. */
  add(cluster: number, count?: number): void
  readonly count: number
  /** `2 clusters differ from their sums, the first at guest offset 65536`, and so on. */
  text(one: string, many: string): string
  of(key: string): DamagedDisk
}

/** `size`: of the disk, bytes. */
export function damagedClusters(size: number): DamagedClusters {
  const ranges: DamagedRange[] = []
  const clustersOfDisk = Math.ceil(size / clusterBytes)
  const found = { count: 0, end: -1 }
  return {
    add(cluster, asked = 1) {
      const count = Math.min(asked, clustersOfDisk - cluster)
      if (count <= 0) return
      const follows = cluster === found.end
      const last = ranges.at(-1)
      if (follows && last !== undefined && last.offset + last.length === cluster * clusterBytes)
        ranges[ranges.length - 1] = rangeOf(last.cluster, cluster + count - last.cluster, size)
      else if (ranges.length < mostRanges) ranges.push(rangeOf(cluster, count, size))
      found.count += count
      found.end = cluster + count
    },
    get count() {
      return found.count
    },
    text(one, many) {
      const first = `guest offset ${ranges[0]?.offset}`
      return found.count === 1 ? `the cluster at ${first} ${one}` : `${found.count} clusters ${many}, the first at ${first}`
    },
    of: (key) => ({ key, clusters: found.count, ranges: [...ranges] }),
  }
}

function rangeOf(cluster: number, count: number, size: number): DamagedRange {
  const offset = cluster * clusterBytes
  return { cluster, offset, length: Math.min(count * clusterBytes, size - offset) }
}
