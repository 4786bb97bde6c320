import { clusterBytes } from '../clusters.ts'
import { damaged } from '../errors.ts'
import { sectorBytes } from './format.ts'

/** Where a cluster of the disk is. `offset` of a zero cluster: the host cluster it keeps, 0 when none. */
export interface L2Entry {
  readonly kind: 'gap' | 'zero' | 'data' | 'compressed'
  readonly offset: number
  /** Of a compressed one: bytes from `offset` on that it may take, in whole sectors of the file. 0 for the others. */
  readonly stored: number
}

/** What an entry is read against. */
export interface L2Context {
  readonly version: 2 | 3
  readonly fileSize: number
}

const gap: L2Entry = { kind: 'gap', offset: 0, stored: 0 }
const plainZero: L2Entry = { kind: 'zero', offset: 0, stored: 0 }

/** The offset of an L2 table, 0 for none. Bits 56 to 62 and 0 to 8 are reserved. */
export function parseL1Entry(table: Buffer, slot: number, fileSize: number): number {
  const high = table.readUInt32BE(slot * 8)
  const low = table.readUInt32BE(slot * 8 + 4)
  if ((high & 0x7f000000) !== 0 || (low & 0x1ff) !== 0) throw damaged(`L1 entry ${slot} has reserved bits set`, { slot })
  const offset = (high & 0xffffff) * 2 ** 32 + low
  if (offset % clusterBytes !== 0 || offset + clusterBytes > fileSize) {
    throw damaged(`L1 entry ${slot} points to ${offset}: unaligned or outside the file of ${fileSize} bytes`, { slot, offset, fileSize })
  }
  return offset
}

/** A compressed cluster: with clusters of 64 KiB, bits 0 to 53 are its place, which is not aligned, bits 54 to 61 the sectors after the first. */
function parseCompressed(high: number, low: number, guestOffset: number, fileSize: number): L2Entry {
  const offset = (high & 0x3fffff) * 2 ** 32 + low
  const sectors = 1 + ((high >>> 22) & 0xff)
  const copied = (high & 0x80000000) !== 0
  if (copied || offset < clusterBytes || offset >= fileSize) {
    throw damaged(`the compressed cluster at ${guestOffset} points to ${offset}: ${copied ? 'marked as copied' : 'outside the data'}`, {
      guestOffset,
      offset,
      fileSize,
    })
  }
  return { kind: 'compressed', offset, stored: Math.min(sectors * sectorBytes - (offset % sectorBytes), fileSize - offset) }
}

/** One entry of an L2 table. `needed`: bytes of the cluster that are inside the disk, which must be inside the file. */
export function parseL2Entry(table: Buffer, entry: number, index: number, needed: number, { version, fileSize }: L2Context): L2Entry {
  const high = table.readUInt32BE(entry * 8)
  const low = table.readUInt32BE(entry * 8 + 4)
  if (high === 0 && low === 0) return gap
  const where = { guestOffset: index * clusterBytes }
  if ((high & 0x40000000) !== 0) return parseCompressed(high, low, where.guestOffset, fileSize)
  if (high === 0 && low === 1 && version === 3) return plainZero
  // Bit 0, reads as zero, came with version 3.
  if ((high & 0x3f000000) !== 0 || (low & (version === 3 ? 0x1fe : 0x1ff)) !== 0)
    throw damaged(`the entry of the cluster at ${where.guestOffset} has reserved bits set`, where)
  const kind = (low & 1) === 1 ? 'zero' : 'data'
  const offset = (high & 0xffffff) * 2 ** 32 + (low - (low & 1))
  const inside = offset % clusterBytes === 0 && offset + (kind === 'data' ? needed : 1) <= fileSize
  if (!inside || (kind === 'data' && offset === 0)) {
    throw damaged(`the cluster at ${where.guestOffset} points to ${offset}: unaligned or outside the file of ${fileSize} bytes`, {
      ...where,
      offset,
      fileSize,
    })
  }
  return { kind, offset, stored: 0 }
}
