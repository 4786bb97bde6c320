import { DiskImageError, damaged } from '../errors.ts'
import {
  deflate,
  flags,
  largestDiskBytes,
  largestGrainSectors,
  largestTableEntries,
  magic,
  newlines,
  sectorBytes,
  smallestTableEntries,
} from './format.ts'

/** What a checked header says. Sectors are those of the file, except `capacity`. */
export interface VmdkHeader {
  /** Sectors of the disk. */
  readonly capacity: number
  readonly grainSectors: number
  readonly tableEntries: number
  /** Where the grain directory is; undefined: a footer says. */
  readonly directorySector: number | undefined
  readonly descriptorSector: number
  readonly descriptorSectors: number
  /** Where the grains begin. */
  readonly overheadSectors: number
  /** A table may say that a grain is zero. */
  readonly zeroGrains: boolean
}

const directoryAtEnd = 2n ** 64n - 1n

function unsupported(message: string): DiskImageError {
  return new DiskImageError('UNSUPPORTED_FORMAT', message)
}

/** A number of sectors, which as bytes still is a safe integer; otherwise Infinity. */
function readSectors(bytes: Buffer, at: number): number {
  const value = bytes.readBigUInt64LE(at)
  return value < 2n ** 44n ? Number(value) : Number.POSITIVE_INFINITY
}

const hasMagic = (bytes: Buffer): boolean => bytes.length >= sectorBytes && bytes.readUInt32LE(0) === magic

/** Where a VMDK must be, anything else is damage and not another format. */
export function requireMagic(bytes: Buffer, what: string): void {
  if (!hasMagic(bytes)) throw damaged(`${what} does not begin as a VMDK`)
}

function checkKind(bytes: Buffer): number {
  if (!hasMagic(bytes)) throw unsupported('this is not a sparse VMDK: its first bytes are not KDMV')
  const version = bytes.readUInt32LE(4)
  if (version < 1 || version > 3) throw unsupported(`VMDK version ${version} is not read, only 1 to 3`)
  const found = bytes.readUInt32LE(8)
  const algorithm = bytes.readUInt16LE(77)
  if ((found & flags.compressedGrains) === 0 || (found & flags.markers) === 0 || algorithm !== deflate)
    throw unsupported(`the VMDK is not streamOptimized: flags 0x${found.toString(16)}, compression ${algorithm}`)
  if (bytes.readUInt32LE(73) !== newlines) throw damaged('the VMDK went through a transfer as text, which has changed it (bytes 73 to 76)')
  return found
}

const isPowerOfTwo = (value: number): boolean => value >= 1 && Number.isInteger(Math.log2(value))

/** Checks the first sector of a streamOptimized VMDK, or its footer. Nothing is allocated by what it says. */
export function parseVmdkHeader(bytes: Buffer): VmdkHeader {
  const found = checkKind(bytes)
  const header: VmdkHeader = {
    capacity: readSectors(bytes, 12),
    grainSectors: readSectors(bytes, 20),
    tableEntries: bytes.readUInt32LE(44),
    directorySector: bytes.readBigUInt64LE(56) === directoryAtEnd ? undefined : readSectors(bytes, 56),
    descriptorSector: readSectors(bytes, 28),
    descriptorSectors: readSectors(bytes, 36),
    overheadSectors: readSectors(bytes, 64),
    zeroGrains: (found & flags.zeroGrains) !== 0,
  }
  const { capacity, grainSectors, tableEntries, overheadSectors } = header
  if (capacity * sectorBytes > largestDiskBytes)
    throw damaged(`the disk has ${capacity} sectors, more than ${largestDiskBytes / sectorBytes}`)
  // Grains of 4 KiB are the smallest.
  if (!isPowerOfTwo(grainSectors) || grainSectors < 8 || grainSectors > largestGrainSectors)
    throw damaged(`a grain has ${grainSectors} sectors, not a power of two from 8 to ${largestGrainSectors}`)
  if (!isPowerOfTwo(tableEntries) || tableEntries < smallestTableEntries || tableEntries > largestTableEntries)
    throw damaged(`a grain table has ${tableEntries} entries, not a power of two from ${smallestTableEntries} to ${largestTableEntries}`)
  if (overheadSectors < 1 || !Number.isFinite(overheadSectors)) throw damaged(`the grains begin at sector ${overheadSectors}`)
  return header
}

/** A header that left the place of the grain directory to its footer. */
export function completedByFooter(header: VmdkHeader, bytes: Buffer): VmdkHeader & { readonly directorySector: number } {
  requireMagic(bytes, 'the footer')
  const footer = parseVmdkHeader(bytes)
  if (footer.directorySector === undefined) throw damaged('the footer does not say where the grain directory is')
  const same = (['capacity', 'grainSectors', 'tableEntries'] as const).every((name) => footer[name] === header[name])
  if (!same) throw damaged('the footer contradicts the header')
  return { ...header, directorySector: footer.directorySector }
}
