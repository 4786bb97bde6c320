import { clusterBytes, clustersOf } from '../clusters.ts'
import { DiskImageError } from '../errors.ts'
import type { ClusterCodec } from './decompress.ts'
import { clusterBits, extensions, headerBytes, longestBackingName, magic, refcountOrder, sectorBytes, tableEntries } from './format.ts'
import type { Layout } from './layout.ts'
import { writeSize } from './numbers.ts'

/** Entries of the L1 table of a disk. A table of no entries confuses some readers, so there is one at least. */
export function l1EntriesOf(size: number): number {
  return Math.max(1, Math.ceil(clustersOf(size) / tableEntries))
}

/** The bytes of a backing name, or a refusal: other programs take `a:b` for a protocol, and an image must not point to a fixed place. */
export function backingNameBytes(name: string): Buffer {
  const bytes = Buffer.from(name, 'utf8')
  const bad = name === '' || name.startsWith('/') || /^[^/]*:/.test(name) || /\p{Cc}/u.test(name) || bytes.length > longestBackingName
  if (bad || bytes.toString('utf8') !== name) {
    throw new DiskImageError(
      'INVALID_OPTIONS',
      `backing name ${JSON.stringify(name.slice(0, 80))} is not a relative path of 1 to ${longestBackingName} bytes without a protocol`,
    )
  }
  return bytes
}

/** What a backing file is: other programs are told, because they must never guess. */
export type BackingFormat = 'qcow2' | 'vmdk'

/** Incompatible feature: the packed clusters are not deflated, byte 104 says how they are packed. */
const compressionTypeBit = 8

function writeExtension(buffer: Buffer, at: number, type: number, data: Buffer): number {
  buffer.writeUInt32BE(type, at)
  buffer.writeUInt32BE(data.length, at + 4)
  data.copy(buffer, at + 8)
  return at + 8 + Math.ceil(data.length / 8) * 8
}

/** The first cluster of a file: header, extensions, backing name. `codec`: of its packed clusters, if it has any. */
export function encodeHeader(
  size: number,
  layout: Layout,
  backing: Buffer | undefined,
  codec: ClusterCodec = 'deflate',
  backingFormat: BackingFormat = 'qcow2',
): Buffer {
  const buffer = Buffer.alloc(clusterBytes)
  buffer.writeUInt32BE(magic, 0)
  buffer.writeUInt32BE(3, 4)
  buffer.writeUInt32BE(clusterBits, 20)
  writeSize(buffer, 24, Math.ceil(size / sectorBytes) * sectorBytes)
  buffer.writeUInt32BE(l1EntriesOf(size), 36)
  writeSize(buffer, 40, layout.l1Start * clusterBytes)
  writeSize(buffer, 48, layout.refcountTableStart * clusterBytes)
  buffer.writeUInt32BE(layout.refcountTableClusters, 56)
  buffer.writeUInt32BE(refcountOrder, 96)
  buffer.writeUInt32BE(headerBytes, 100)
  if (codec === 'zstd') {
    buffer.writeUInt32BE(compressionTypeBit, 76)
    buffer.writeUInt8(1, 104)
  }
  let at = headerBytes
  if (backing !== undefined) at = writeExtension(buffer, at, extensions.backingFormat, Buffer.from(backingFormat))
  if (size % sectorBytes !== 0) {
    const exact = Buffer.alloc(8)
    writeSize(exact, 0, size)
    at = writeExtension(buffer, at, extensions.exactSize, exact)
  }
  at = writeExtension(buffer, at, extensions.end, Buffer.alloc(0))
  if (backing !== undefined) {
    writeSize(buffer, 8, at)
    buffer.writeUInt32BE(backing.length, 16)
    backing.copy(buffer, at)
  }
  return buffer
}
