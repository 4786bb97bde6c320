import { deflate, flags, magic, markerTypes, newlines, sectorBytes } from './format.ts'

/** What every file written here has: grains of 64 KiB, tables of 512 entries, grains from sector 128 on. */
export const written = {
  grainSectors: 128,
  grainBytes: 65_536,
  tableEntries: 512,
  tableSectors: 4,
  overheadSectors: 128,
  descriptorSectors: 20,
} as const

const directoryAtEnd = 2n ** 64n - 1n

/** Header and footer are the same, but for the place of the grain directory, which the header cannot know. */
export function encodeVmdkHeader(capacity: number, directorySector?: number): Buffer {
  const bytes = Buffer.alloc(sectorBytes)
  bytes.writeUInt32LE(magic, 0)
  bytes.writeUInt32LE(3, 4)
  // Bit 0: the bytes that show a transfer as text are there.
  bytes.writeUInt32LE(1 + flags.compressedGrains + flags.markers, 8)
  bytes.writeBigUInt64LE(BigInt(capacity), 12)
  bytes.writeBigUInt64LE(BigInt(written.grainSectors), 20)
  bytes.writeBigUInt64LE(1n, 28)
  bytes.writeBigUInt64LE(BigInt(written.descriptorSectors), 36)
  bytes.writeUInt32LE(written.tableEntries, 44)
  bytes.writeBigUInt64LE(directorySector === undefined ? directoryAtEnd : BigInt(directorySector), 56)
  bytes.writeBigUInt64LE(BigInt(written.overheadSectors), 64)
  bytes.writeUInt32LE(newlines, 73)
  bytes.writeUInt16LE(deflate, 77)
  return bytes
}

/** What other programs read of a disk; nothing of it is needed to read the file. The geometry is what every BIOS takes. */
function descriptorText(capacity: number): string {
  const cylinders = Math.min(65_535, Math.max(1, Math.floor(capacity / (255 * 63))))
  return `# Disk DescriptorFile
version=1
CID=fffffffe
parentCID=ffffffff
createType="streamOptimized"

# Extent description
RDONLY ${capacity} SPARSE "disk.vmdk"

# The Disk Data Base
#DDB

ddb.adapterType = "lsilogic"
ddb.geometry.cylinders = "${cylinders}"
ddb.geometry.heads = "255"
ddb.geometry.sectors = "63"
ddb.virtualHWVersion = "8"
`
}

/** All that comes before the grains. */
export function encodeFront(capacity: number): Buffer {
  const front = Buffer.alloc(written.overheadSectors * sectorBytes)
  encodeVmdkHeader(capacity).copy(front)
  front.write(descriptorText(capacity), sectorBytes, 'latin1')
  return front
}

/** The sector before a table or a footer; for the end of the stream it is all zero. */
export function encodeMarker(type: keyof typeof markerTypes, sectors: number): Buffer {
  const bytes = Buffer.alloc(sectorBytes)
  bytes.writeBigUInt64LE(BigInt(sectors), 0)
  bytes.writeUInt32LE(markerTypes[type], 12)
  return bytes
}

/** A marker and numbers of 32 bits, in whole sectors. */
export function encodeTable(type: 'grainTable' | 'grainDirectory', numbers: Uint32Array): Buffer {
  const sectors = Math.ceil((numbers.length * 4) / sectorBytes)
  const bytes = Buffer.alloc((1 + sectors) * sectorBytes)
  encodeMarker(type, sectors).copy(bytes)
  numbers.forEach((number, index) => {
    bytes.writeUInt32LE(number, sectorBytes + index * 4)
  })
  return bytes
}
