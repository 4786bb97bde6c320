import { deflateSync } from 'node:zlib'

/** One grain as it is to be written. */
export interface BuiltGrain {
  /** Its first sector on the disk. */
  readonly sector: number | bigint
  readonly bytes: Buffer
  /** In place of its zlib stream. */
  readonly packed?: Buffer
}

export interface VmdkParts {
  /** Sectors of the disk. */
  readonly capacity: number
  /** Default 128. */
  readonly grainSectors?: number
  /** In the order of the file. */
  readonly grains: readonly BuiltGrain[]
  /** Bytes of the header that are set: offset and value. */
  readonly header?: (header: Buffer) => unknown
  readonly descriptor?: string
}

/** A streamOptimized VMDK as an ESXi host sends it, and where its parts begin (bytes). */
export interface BuiltVmdk {
  readonly file: Buffer
  readonly grains: readonly number[]
  readonly table: number
  readonly directory: number
  readonly footer: number
}

const sectorBytes = 512
const entries = 512

function headerOf({ capacity, grainSectors = 128, header }: VmdkParts, directory: bigint): Buffer {
  const bytes = Buffer.alloc(sectorBytes)
  bytes.write('KDMV')
  bytes.writeUInt32LE(3, 4)
  bytes.writeUInt32LE(0x30001, 8)
  bytes.writeBigUInt64LE(BigInt(capacity), 12)
  bytes.writeBigUInt64LE(BigInt(grainSectors), 20)
  bytes.writeBigUInt64LE(1n, 28)
  bytes.writeBigUInt64LE(20n, 36)
  bytes.writeUInt32LE(entries, 44)
  bytes.writeBigUInt64LE(directory, 56)
  bytes.writeBigUInt64LE(128n, 64)
  bytes.writeUInt32LE(0x0a0d200a, 73)
  bytes.writeUInt16LE(1, 77)
  header?.(bytes)
  return bytes
}

function marker(type: number, sectors: number): Buffer {
  const bytes = Buffer.alloc(sectorBytes)
  bytes.writeBigUInt64LE(BigInt(sectors), 0)
  bytes.writeUInt32LE(type, 12)
  return bytes
}

function packedGrain({ sector, bytes, packed = deflateSync(bytes) }: BuiltGrain): Buffer {
  const whole = Buffer.alloc(Math.ceil((12 + packed.length) / sectorBytes) * sectorBytes)
  whole.writeBigUInt64LE(BigInt(sector), 0)
  whole.writeUInt32LE(packed.length, 8)
  packed.copy(whole, 12)
  return whole
}

/** All grains, then all tables, directory, footer and end: nothing is checked, so that anything can be built. */
export function buildVmdk(parts: VmdkParts): BuiltVmdk {
  const { capacity, grainSectors = 128, grains, descriptor = 'parentCID=ffffffff\n' } = parts
  const front = Buffer.alloc(128 * sectorBytes)
  headerOf(parts, 2n ** 64n - 1n).copy(front)
  front.write(descriptor, sectorBytes)
  const chunks: Buffer[] = [front]
  let at = front.length
  const add = (bytes: Buffer): number => {
    chunks.push(bytes)
    at += bytes.length
    return at - bytes.length
  }
  const count = Math.ceil(capacity / grainSectors / entries)
  const table = Buffer.alloc(count * entries * 4)
  const places = grains.map((grain) => {
    const place = add(packedGrain(grain))
    const number = Number(grain.sector) / grainSectors
    if (number * 4 < table.length) table.writeUInt32LE(place / sectorBytes, Math.floor(number) * 4)
    return place
  })
  if (count > 0) add(marker(1, table.length / sectorBytes))
  const tableAt = add(table)
  const directory = Buffer.alloc(Math.ceil((count * 4) / sectorBytes) * sectorBytes)
  for (let index = 0; index < count; index += 1) directory.writeUInt32LE(tableAt / sectorBytes + index * 4, index * 4)
  if (count > 0) add(marker(2, directory.length / sectorBytes))
  const directoryAt = add(directory)
  add(marker(3, 1))
  const footer = add(headerOf(parts, BigInt(directoryAt / sectorBytes)))
  add(marker(0, 0))
  return { file: Buffer.concat(chunks), grains: places, table: tableAt, directory: directoryAt, footer }
}
