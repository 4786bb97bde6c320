import { clusterBytes } from '../clusters.ts'
import { DiskImageError, damaged } from '../errors.ts'
import type { ClusterCodec } from './decompress.ts'
import {
  clusterBits,
  extensions,
  largestDiskBytes,
  largestL1Bytes,
  largestRefcountTableClusters,
  longestBackingName,
  magic,
  sectorBytes,
} from './format.ts'
import { l1EntriesOf } from './header.ts'
import { readSize } from './numbers.ts'

/** What a checked header says. Offsets and lengths are inside the file. */
export interface Header {
  readonly version: 2 | 3
  readonly size: number
  /** Of the compressed clusters, if there are any. */
  readonly codec: ClusterCodec
  readonly backingName?: string
  readonly l1Offset: number
  /** Entries that describe the disk; the table may be longer. */
  readonly l1Entries: number
  readonly l1Bytes: number
  readonly refcountTableOffset: number
  readonly refcountTableClusters: number
}

/** Bytes that a header has at least. */
const smallestHeader = { 2: 72, 3: 104 } as const

const versionTwo = { length: smallestHeader[2], codec: 'deflate' } as const

function unsupported(message: string): DiskImageError {
  return new DiskImageError('UNSUPPORTED_FORMAT', message)
}

function checkKind(buffer: Buffer): 2 | 3 {
  if (buffer.length < 8 || buffer.readUInt32BE(0) !== magic)
    throw unsupported('this is not a qcow2 image: its first bytes are not QFI 0xfb')
  const version = buffer.readUInt32BE(4)
  if (version !== 2 && version !== 3) throw unsupported(`qcow2 version ${version} is not read, only versions 2 and 3`)
  if (buffer.length < smallestHeader[version]) throw damaged(`the file ends in its header, after ${buffer.length} bytes`)
  const method = buffer.readUInt32BE(32)
  if (method !== 0) throw unsupported(`encryption method ${method} is not read`)
  if (buffer.readUInt32BE(60) !== 0) throw unsupported('internal snapshots are not read')
  return version
}

/** Version 3 says what a reader must know. */
function checkFeatures(buffer: Buffer): void {
  const high = buffer.readUInt32BE(72)
  const low = buffer.readUInt32BE(76)
  if (low & 2) throw damaged('the image is marked as corrupt')
  if (low & 4) throw unsupported('an external data file is not read')
  if (low & 16) throw unsupported('extended L2 entries (subclusters) are not read')
  if (high !== 0 || low > 31) throw unsupported(`unknown incompatible features 0x${high.toString(16)}${low.toString(16).padStart(8, '0')}`)
}

function checkClusters(buffer: Buffer): void {
  const bits = buffer.readUInt32BE(20)
  if (bits < 9 || bits > 21) throw damaged(`cluster_bits is ${bits}, not 9 to 21`)
  if (bits !== clusterBits) throw unsupported(`clusters of ${2 ** bits} bytes are not read, only of ${clusterBytes}`)
}

/** Length of the header and the codec, as version 3 says them. */
function checkNumbers(buffer: Buffer): { readonly length: number; readonly codec: ClusterCodec } {
  const length = buffer.readUInt32BE(100)
  if (length < smallestHeader[3] || length % 8 !== 0 || length > clusterBytes) throw damaged(`header_length is ${length}`)
  if (buffer.length < length) throw damaged(`the file ends in its header of ${length} bytes, after ${buffer.length} bytes`)
  const order = buffer.readUInt32BE(96)
  if (order > 6) throw damaged(`refcount_order is ${order}, more than 6`)
  const compression = length > smallestHeader[3] ? buffer.readUInt8(104) : 0
  const announced = (buffer.readUInt32BE(76) & 8) !== 0
  if (compression > 1 || (compression !== 0) !== announced) throw damaged(`compression_type ${compression} contradicts its feature bit`)
  return { length, codec: compression === 1 ? 'zstd' : 'deflate' }
}

/** A table must be aligned and inside the file before memory is taken for it. */
function checkTable(what: string, offset: number, length: number, fileSize: number): void {
  if (offset % clusterBytes === 0 && offset >= clusterBytes && offset + length <= fileSize) return
  throw damaged(`${what} of ${length} bytes at ${offset} is unaligned or outside the file of ${fileSize} bytes`, {
    offset,
    length,
    fileSize,
  })
}

/** The size the extension says, if it belongs to the size in the header: others may have resized the image and kept the extension. */
function exactSize(data: Buffer, size: number): number {
  const exact = data.length === 8 ? readSize(data, 0) : size
  return Math.ceil(exact / sectorBytes) * sectorBytes === size ? exact : size
}

/** Answers the size of the disk, which an extension may say exactly. */
function readExtensions(buffer: Buffer, headerLength: number, end: number, headerSize: number): number {
  // The first writers put the backing file name right after the header, without extensions.
  if (headerLength === end) return headerSize
  let size = headerSize
  for (let at = headerLength; at + 8 <= end; ) {
    const type = buffer.readUInt32BE(at)
    const length = buffer.readUInt32BE(at + 4)
    if (type === extensions.end) return size
    if (length > end - at - 8)
      throw damaged(`header extension 0x${type.toString(16)} of ${length} bytes at ${at} leaves the header cluster`)
    if (type === extensions.exactSize) size = exactSize(buffer.subarray(at + 8, at + 8 + length), headerSize)
    at += 8 + Math.ceil(length / 8) * 8
  }
  throw damaged('the header extensions have no end')
}

function readBackingName(buffer: Buffer, headerLength: number): { offset: number; name: string } | undefined {
  const offset = readSize(buffer, 8)
  const length = buffer.readUInt32BE(16)
  if (offset === 0) return undefined
  const inside = offset >= headerLength && length >= 1 && length <= longestBackingName && offset + length <= buffer.length
  if (!inside) throw damaged(`backing file name of ${length} bytes at ${offset} is not inside the header cluster`)
  const bytes = buffer.subarray(offset, offset + length)
  const name = bytes.toString('utf8')
  if (name.includes('\0') || !Buffer.from(name, 'utf8').equals(bytes)) throw damaged('the backing file name is not text')
  return { offset, name }
}

/** Checks the first cluster of a file (or all of a shorter file). Nothing is allocated by what it says. */
export function parseHeader(buffer: Buffer, fileSize: number): Header {
  const version = checkKind(buffer)
  checkClusters(buffer)
  if (version === 3) checkFeatures(buffer)
  const { length: headerLength, codec } = version === 3 ? checkNumbers(buffer) : versionTwo
  const headerSize = readSize(buffer, 24)
  if (headerSize > largestDiskBytes) throw damaged(`the disk has ${headerSize} bytes, more than ${largestDiskBytes}`)
  const l1Entries = headerSize === 0 ? 0 : l1EntriesOf(headerSize)
  const announced = buffer.readUInt32BE(36)
  if (announced * 8 > largestL1Bytes) throw damaged(`the L1 table has ${announced} entries, more than ${largestL1Bytes / 8}`)
  if (announced < l1Entries) throw damaged(`the L1 table has ${announced} entries, a disk of ${headerSize} bytes needs ${l1Entries}`)
  const l1Offset = readSize(buffer, 40)
  if (announced > 0) checkTable('the L1 table', l1Offset, announced * 8, fileSize)
  const refcountTableOffset = readSize(buffer, 48)
  const refcountTableClusters = buffer.readUInt32BE(56)
  if (refcountTableClusters < 1 || refcountTableClusters > largestRefcountTableClusters) {
    throw damaged(`the refcount table has ${refcountTableClusters} clusters, not 1 to ${largestRefcountTableClusters}`)
  }
  checkTable('the refcount table', refcountTableOffset, refcountTableClusters * clusterBytes, fileSize)
  const backing = readBackingName(buffer, headerLength)
  const size = readExtensions(buffer, headerLength, backing?.offset ?? buffer.length, headerSize)
  return {
    version,
    size,
    codec,
    ...(backing !== undefined && { backingName: backing.name }),
    l1Offset,
    l1Entries,
    l1Bytes: announced * 8,
    refcountTableOffset,
    refcountTableClusters,
  }
}
