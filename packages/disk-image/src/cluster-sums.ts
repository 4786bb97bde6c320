import { hash } from 'node:crypto'
import { asBuffer, clusterBytes, isZero, zeroCluster } from './clusters.ts'

/** Bytes of a cluster sum. */
export const sumBytes = 16

/** The sum of one cluster: the first 16 bytes of the SHA-256 of its 65,536 bytes, the last one of a disk padded with zeros. `index` is the guest offset divided by 65,536. */
export interface ClusterSum {
  readonly index: number
  /** `zero`: explicitly zero, hides what an older layer has there. */
  readonly kind: 'data' | 'zero'
  readonly sum: Uint8Array
}

/** Sums in ascending order of index, in batches; a batch is the reader's. A series that is not whole throws. */
export type SumBatches = AsyncIterable<readonly ClusterSum[]>

/** The sum of at most one cluster of bytes, padded with zeros. */
export function sumOf(bytes: Uint8Array): Uint8Array {
  const whole = bytes.length < clusterBytes ? Buffer.concat([bytes, zeroCluster.subarray(bytes.length)]) : bytes
  return hash('sha256', whole, 'buffer').subarray(0, sumBytes)
}

/** The sum of a cluster of zeros. */
export const zeroSum: Uint8Array = sumOf(zeroCluster)

export function sameSum(one: Uint8Array, other: Uint8Array): boolean {
  return asBuffer(one).equals(other)
}

/** Sums of all clusters in a buffer of whole clusters. Zeros are recognised, which is much faster than to hash them. */
export function sumsOf(bytes: Uint8Array): readonly Uint8Array[] {
  const sums: Uint8Array[] = []
  for (let at = 0; at < bytes.length; at += clusterBytes) {
    const cluster = bytes.subarray(at, at + clusterBytes)
    sums.push(isZero(cluster) ? zeroSum : sumOf(cluster))
  }
  return sums
}
