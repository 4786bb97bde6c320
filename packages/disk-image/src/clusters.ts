import { DiskImageError } from './errors.ts'

/** Bytes of a cluster: the unit of extents, sums and of every qcow2 file written here. */
export const clusterBytes = 65_536

/** One cluster of zeros, to compare with and to pad with. Never written to. */
export const zeroCluster: Uint8Array = Buffer.alloc(clusterBytes)

/** A run of clusters: `index` is the guest offset divided by `clusterBytes`. */
export interface ClusterRun {
  readonly index: number
  readonly count: number
}

/** Number of clusters that hold `bytes`. */
export function clustersOf(bytes: number): number {
  return Math.ceil(bytes / clusterBytes)
}

/** The bytes of a piece of memory as a Buffer, without a copy. */
export function asBuffer(bytes: Uint8Array): Buffer {
  return Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength)
}

/** True when all bytes are zero. Any length. */
export function isZero(bytes: Uint8Array): boolean {
  const buffer = asBuffer(bytes)
  for (let at = 0; at < buffer.length; at += clusterBytes) {
    const length = Math.min(clusterBytes, buffer.length - at)
    if (buffer.compare(zeroCluster, 0, length, at, at + length) !== 0) return false
  }
  return true
}

/** A read that leaves the disk is a mistake of the caller, found before any byte moves. */
export function checkRange(size: number, offset: number, length: number): void {
  if (Number.isSafeInteger(offset) && offset >= 0 && offset + length <= size) return
  throw new DiskImageError('INVALID_OPTIONS', `read of ${length} bytes at ${offset} leaves the disk of ${size} bytes`, {
    details: { offset, length, size },
  })
}

/** A size in bytes that arithmetic on numbers can carry. */
export function checkSize(size: number, what: string): void {
  if (Number.isSafeInteger(size) && size >= 0) return
  throw new DiskImageError('INVALID_OPTIONS', `${what} is ${size}, not a whole number of bytes from 0 to 2^53 - 1`)
}
