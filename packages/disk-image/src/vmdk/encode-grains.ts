import { promisify } from 'node:util'
import { deflate } from 'node:zlib'
import { written } from './encode-parts.ts'
import { grainMarkerBytes, sectorBytes } from './format.ts'

const zip = promisify(deflate)

/** How a grain is stored: packed, or as it is in the form of a packed one. */
export type GrainForm = 'deflated' | 'stored'

/** The longest block of a deflate stream that holds its bytes as they are. RFC 1951, section 3.2.4. */
const longestBlock = 65_535
const zlibHeader = Buffer.from([0x78, 0x01])
const blocks = Math.ceil(written.grainBytes / longestBlock)
const storedLength = zlibHeader.length + blocks * 5 + written.grainBytes + 4

/** Sectors of every grain in the form `stored`, its marker included. */
export const storedGrainSectors: number = Math.ceil((grainMarkerBytes + storedLength) / sectorBytes)

/** The checksum at the end of a zlib stream. RFC 1950, section 8. */
export function adler32(bytes: Uint8Array): number {
  let low = 1
  let high = 0
  for (let at = 0; at < bytes.length; ) {
    // So many bytes of 255 keep both sums below 2^31.
    const end = Math.min(at + 3800, bytes.length)
    for (; at < end; at += 1) {
      low += bytes[at] as number
      high += low
    }
    low %= 65_521
    high %= 65_521
  }
  return high * 65_536 + low
}

function writeMarker(target: Buffer, sector: number, length: number): void {
  target.writeBigUInt64LE(BigInt(sector), 0)
  target.writeUInt32LE(length, 8)
}

/** Writes one grain as it is; `target` has exactly its sectors. */
export function writeStoredGrain(target: Buffer, sector: number, grain: Buffer): void {
  writeMarker(target, sector, storedLength)
  let at = grainMarkerBytes + zlibHeader.copy(target, grainMarkerBytes)
  for (let from = 0; from < grain.length; from += longestBlock) {
    const length = Math.min(longestBlock, grain.length - from)
    target.writeUInt8(from + length === grain.length ? 1 : 0, at)
    target.writeUInt16LE(length, at + 1)
    target.writeUInt16LE(0xffff - length, at + 3)
    grain.copy(target, at + 5, from, from + length)
    at += 5 + length
  }
  at = target.writeUInt32BE(adler32(grain), at)
  target.fill(0, at)
}

/** One grain, packed, in whole sectors. */
export async function deflatedGrain(sector: number, grain: Buffer): Promise<Buffer> {
  const packed = await zip(grain, { level: 1 })
  const bytes = Buffer.alloc(Math.ceil((grainMarkerBytes + packed.length) / sectorBytes) * sectorBytes)
  writeMarker(bytes, sector, packed.length)
  packed.copy(bytes, grainMarkerBytes)
  return bytes
}
