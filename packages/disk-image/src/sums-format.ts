import { type ClusterSum, sameSum, sumBytes, zeroSum } from './cluster-sums.ts'
import { asBuffer, clusterBytes, clustersOf } from './clusters.ts'
import { DiskImageError, damaged } from './errors.ts'

/**
 * A sums file, format version 1. All numbers little-endian; the length is exactly 32 + 24 x count.
 *
 *     header, 32 bytes
 *      0  8  magic: "HFSUMS\r\n"
 *      8  4  version: 1
 *     12  4  cluster size: 65536
 *     16  8  virtual size of the disk in bytes
 *     24  8  count of records
 *     record, 24 bytes, ascending by index, no index twice
 *      0  6  index: guest offset / 65536, less than virtual size / 65536 rounded up
 *      6  1  kind: 1 data, 2 zero
 *      7  1  reserved: 0, checked
 *      8 16  first 16 bytes of the SHA-256 of the cluster, padded with zeros at the end of the disk; of a zero cluster always that of 65,536 zeros
 */
export const headerBytes = 32
export const recordBytes = 24
const magic = Buffer.from('HFSUMS\r\n', 'latin1')
const version = 1
const kinds = { data: 1, zero: 2 } as const

/** What a sums file says before its records. The length of the file follows from it: 32 + 24 x `count` bytes. */
export interface SumsHeader {
  /** Virtual size of the disk in bytes. */
  readonly size: number
  /** Number of records. */
  readonly count: number
}

/** A size above 2^53 reads as Infinity: no file is that large, so the checks refuse it. */
function readSize(buffer: Buffer, at: number): number {
  const value = buffer.readUInt32LE(at) + buffer.readUInt32LE(at + 4) * 2 ** 32
  return Number.isSafeInteger(value) ? value : Number.POSITIVE_INFINITY
}

function writeSize(buffer: Buffer, at: number, value: number): void {
  buffer.writeUInt32LE(value % 2 ** 32, at)
  buffer.writeUInt32LE(Math.floor(value / 2 ** 32), at + 4)
}

export function encodeSumsHeader({ size, count }: SumsHeader): Buffer {
  const buffer = Buffer.alloc(headerBytes)
  magic.copy(buffer)
  buffer.writeUInt32LE(version, 8)
  buffer.writeUInt32LE(clusterBytes, 12)
  writeSize(buffer, 16, size)
  writeSize(buffer, 24, count)
  return buffer
}

/** Checks a header against the length of its file. */
export function parseSumsHeader(buffer: Buffer, fileSize: number): SumsHeader {
  if (buffer.length < 12 || !buffer.subarray(0, 8).equals(magic)) throw new DiskImageError('UNSUPPORTED_FORMAT', 'this is not a sums file')
  if (buffer.readUInt32LE(8) !== version) {
    throw new DiskImageError('UNSUPPORTED_FORMAT', `sums file version ${buffer.readUInt32LE(8)} is not read, only ${version}`)
  }
  if (buffer.length < headerBytes) throw damaged(`the sums file ends in its header, after ${buffer.length} bytes`)
  if (buffer.readUInt32LE(12) !== clusterBytes) throw damaged(`the sums file says clusters of ${buffer.readUInt32LE(12)} bytes`)
  const size = readSize(buffer, 16)
  const count = readSize(buffer, 24)
  if (!Number.isFinite(size) || count > clustersOf(size)) throw damaged(`the sums file says ${count} records for a disk of ${size} bytes`)
  if (fileSize !== headerBytes + recordBytes * count) throw damaged(`the sums file has ${fileSize} bytes, not those of ${count} records`)
  return { size, count }
}

export function writeRecord(buffer: Buffer, at: number, { index, kind, sum }: ClusterSum): void {
  buffer.writeUIntLE(index, at, 6)
  buffer.writeUInt8(kinds[kind], at + 6)
  buffer.writeUInt8(0, at + 7)
  asBuffer(sum).copy(buffer, at + 8)
}

export function readIndex(buffer: Buffer, record: number): number {
  return buffer.readUIntLE(record * recordBytes, 6)
}

/** Checks every record of a page without making anything of it. `first` is the number of its first record, `after` the index before it (-1 for none). */
export function checkRecords(page: Buffer, first: number, after: number, header: SumsHeader): void {
  const clusters = clustersOf(header.size)
  let previous = after
  for (let at = 0; at < page.length; at += recordBytes) {
    const index = page.readUIntLE(at, 6)
    const kind = page.readUInt8(at + 6)
    const ordered = index > previous && index < clusters
    const known = (kind === kinds.data || kind === kinds.zero) && page.readUInt8(at + 7) === 0
    const right = kind === kinds.data || sameSum(page.subarray(at + 8, at + 8 + sumBytes), zeroSum)
    if (!ordered || !known || !right) {
      throw damaged(`record ${first + at / recordBytes} of the sums file is not valid`, { record: first + at / recordBytes })
    }
    previous = index
  }
}

/** One record of a page that was checked. */
export function readRecord(page: Buffer, record: number): ClusterSum {
  const at = record * recordBytes
  const kind = page.readUInt8(at + 6) === kinds.data ? 'data' : 'zero'
  return { index: page.readUIntLE(at, 6), kind, sum: page.subarray(at + 8, at + 8 + sumBytes) }
}
