import { createHash } from 'node:crypto'
import type { BlockSource, CallOptions } from '@holdfast/core/spec'
import { bytesOfRun, type ClusterRun, clusterBytes, clustersOf, countClusters, includesCluster, nthCluster } from './cluster-runs.ts'

/** A cluster as it was at a point: its index, and the SHA-256 of its bytes as base64url. */
export type Sample = readonly [index: number, sha256: string]

/** At most so many of a disk, and no more than one in this many clusters. */
const most = 64
const oneIn = 32

/** Chance that is the same each time for a name: nobody who makes clusters can know it beforehand. */
const numberFor = (name: string, below: number): number => createHash('sha256').update(name).digest().readUIntBE(0, 6) % below

/**
 * Which clusters to remember: half of them spread over the whole disk, half of them where something was written, since what is written once is mostly written again.
 * @param written - Clusters that have changed last, or are used; none: all are spread.
 * @param name - Another one for each run and disk, so that each run remembers others.
 */
export function chooseSamples(sizeBytes: number, written: readonly ClusterRun[], name: string): readonly number[] {
  const clusters = clustersOf(sizeBytes)
  const count = Math.min(most, Math.ceil(clusters / oneIn))
  const of = countClusters(written)
  const near = of === 0 ? 0 : Math.floor(count / 2)
  const chosen = new Set<number>()
  for (let place = 0; place < count; place += 1) {
    if (place < near) {
      chosen.add(nthCluster(written, numberFor(`${name}/near/${place}`, of)) ?? 0)
      continue
    }
    const [from, to] = [place - near, place - near + 1].map((edge) => Math.floor((edge * clusters) / (count - near))) as [number, number]
    chosen.add(from + numberFor(`${name}/far/${place}`, Math.max(1, to - from)))
  }
  return [...chosen].sort((one, other) => one - other)
}

async function sumOf(source: BlockSource, index: number, buffer: Uint8Array, options: CallOptions): Promise<string> {
  const { offset, length } = bytesOfRun({ index, count: 1 }, source.size)
  const bytes = buffer.subarray(0, length)
  await source.readInto(bytes, offset, options)
  return createHash('sha256').update(bytes).digest('base64url')
}

/** Reads clusters of a frozen disk. */
export async function takeSamples(source: BlockSource, indexes: readonly number[], options: CallOptions): Promise<readonly Sample[]> {
  const buffer = new Uint8Array(clusterBytes)
  const samples: Sample[] = []
  for (const index of indexes) samples.push([index, await sumOf(source, index, buffer, options)])
  return samples
}

/** What came of comparing samples with what is on the disk now. */
export interface Comparison {
  /** Clusters that were read. */
  readonly compared: number
  /** Offset in bytes of a cluster that is another one although it shall not have changed. */
  readonly missedAt?: number
}

/** Reads those of the samples again that shall not have changed, to the first that has. */
export async function compareSamples(
  source: BlockSource,
  samples: readonly Sample[],
  changed: readonly ClusterRun[],
  options: CallOptions,
): Promise<Comparison> {
  const buffer = new Uint8Array(clusterBytes)
  let compared = 0
  for (const [index, sum] of samples) {
    if (includesCluster(changed, index)) continue
    compared += 1
    if ((await sumOf(source, index, buffer, options)) !== sum) return { compared, missedAt: index * clusterBytes }
  }
  return { compared }
}
