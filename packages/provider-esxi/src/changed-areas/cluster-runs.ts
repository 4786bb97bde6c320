/** What increments consist of, and what their sums are about: see `docs/design/format.md`. */
export const clusterBytes = 65_536

/** Clusters one after the other: `index` is the offset of the first, divided by `clusterBytes`. */
export interface ClusterRun {
  readonly index: number
  readonly count: number
}

export const clustersOf = (bytes: number): number => Math.ceil(bytes / clusterBytes)

export const countClusters = (runs: readonly ClusterRun[]): number => runs.reduce((sum, { count }) => sum + count, 0)

/** The bytes of clusters of a disk: the last one may be short. */
export function bytesOfRun({ index, count }: ClusterRun, diskBytes: number): { readonly offset: number; readonly length: number } {
  const offset = index * clusterBytes
  return { offset, length: Math.min(count * clusterBytes, diskBytes - offset) }
}

/** Adds clusters behind those that are there, which they may touch or overlap at their end. */
export function appendRun(runs: ClusterRun[], { index, count }: ClusterRun): void {
  const last = runs.at(-1)
  if (last === undefined || index > last.index + last.count) runs.push({ index, count })
  else runs[runs.length - 1] = { index: last.index, count: Math.max(last.count, index + count - last.index) }
}

/** Whether a cluster is among sorted runs. */
export function includesCluster(runs: readonly ClusterRun[], cluster: number): boolean {
  let [low, high] = [0, runs.length]
  while (low < high) {
    const middle = (low + high) >>> 1
    const { index, count } = runs[middle] as ClusterRun
    if (cluster < index) high = middle
    else if (cluster >= index + count) low = middle + 1
    else return true
  }
  return false
}

/** The cluster at a position among those of the runs, counted from 0. */
export function nthCluster(runs: readonly ClusterRun[], position: number): number | undefined {
  let left = position
  for (const { index, count } of runs) {
    if (left < count) return index + left
    left -= count
  }
  return undefined
}
