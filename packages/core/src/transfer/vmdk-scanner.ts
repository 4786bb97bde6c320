import { HoldfastError } from '../spec/errors.ts'

/** Walks a streamOptimized VMDK as it passes. Constant memory. Numbers are little-endian ("Virtual Disk Format 5.0", VMware). */
export interface VmdkScanner {
  /** Throws PROVIDER_FAILED at the first byte that cannot be right, UNSUPPORTED_FORMAT for another kind of VMDK. */
  write(chunk: Uint8Array): void
  /** Proves that the image was whole: TRUNCATED otherwise. */
  end(): void
}

const sector = 512
const magic = 0x564d444b
const directoryAtEnd = 0xffffffffffffffffn
const compressedGrains = 0x10000
const markers = 0x20000
/** Largest grain we take, in sectors: 1 MiB. */
const maximumGrain = 2048n

interface Header {
  readonly capacity: bigint
  readonly grainSectors: bigint
  readonly directoryAt: bigint
  readonly tablesFrom: number
  readonly overheadBytes: number
}

/** `nothing`: the end-of-stream marker has passed. */
type Expecting = 'header' | 'overhead' | 'marker' | 'skip' | 'footer' | 'nothing'

interface Scan {
  readonly what: string
  readonly partial: Buffer
  partialLength: number
  position: number
  expecting: Expecting
  /** Bytes that are skipped, or that the overhead still has. */
  remaining: number
  header: Header | undefined
  footer: boolean
  /** The highest sector that a table in front of the grains names, and the sector where the last grain began: so a cut between two grains shows. */
  highestNamed: number
  lastGrain: number
}

export function createVmdkScanner({ what }: { readonly what: string }): VmdkScanner {
  const scan: Scan = {
    what,
    partial: Buffer.alloc(sector),
    partialLength: 0,
    position: 0,
    expecting: 'header',
    remaining: 0,
    header: undefined,
    footer: false,
    highestNamed: 0,
    lastGrain: 0,
  }
  return {
    write(bytes) {
      const chunk = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength)
      for (let at = 0; at < chunk.length; ) at += step(scan, chunk, at)
    },
    end: () => checkEnd(scan),
  }
}

const broken = ({ what, position }: Scan, message: string) =>
  new HoldfastError('PROVIDER_FAILED', `${what}: ${message} (before byte ${position} of the VMDK)`)

/** Uses bytes of the chunk and returns how many. */
function step(scan: Scan, chunk: Buffer, at: number): number {
  if (scan.expecting === 'nothing') return padding(scan, chunk.subarray(at))
  const skipping = scan.expecting === 'skip'
  const part = chunk.subarray(at, at + (skipping ? scan.remaining : sector - scan.partialLength))
  scan.position += part.length
  if (skipping) {
    scan.remaining -= part.length
    if (scan.remaining === 0) scan.expecting = 'marker'
    return part.length
  }
  scan.partial.set(part, scan.partialLength)
  scan.partialLength += part.length
  if (scan.partialLength === sector) {
    scan.partialLength = 0
    block(scan, scan.partial)
  }
  return part.length
}

/** qemu fills the file up to a whole number of grains with zeros, whose first sector looks like an end-of-stream marker. */
function padding(scan: Scan, rest: Buffer): number {
  if (scan.header?.directoryAt === directoryAtEnd || rest.some((byte) => byte !== 0))
    throw broken(scan, 'there are bytes after the end-of-stream marker')
  scan.position += rest.length
  return rest.length
}

function block(scan: Scan, bytes: Buffer): void {
  if (scan.expecting === 'header') {
    scan.header = parseHeader(bytes, scan.what)
    scan.remaining = scan.header.overheadBytes - sector
    scan.expecting = scan.remaining > 0 ? 'overhead' : 'marker'
  } else if (scan.header !== undefined) {
    if (scan.expecting === 'footer') footer(scan, bytes, scan.header)
    else if (scan.expecting === 'overhead') overhead(scan, bytes, scan.header)
    else marker(scan, bytes, scan.header)
  }
}

function overhead(scan: Scan, bytes: Buffer, header: Header): void {
  scan.remaining -= sector
  if (scan.position - sector >= header.tablesFrom)
    for (let at = 0; at < sector; at += 4) scan.highestNamed = Math.max(scan.highestNamed, bytes.readUInt32LE(at))
  if (scan.remaining === 0) scan.expecting = 'marker'
}

function footer(scan: Scan, bytes: Buffer, header: Header): void {
  const end = parseHeader(bytes, scan.what)
  if (end.directoryAt === directoryAtEnd) throw broken(scan, 'the footer does not say where the grain directory is')
  if (end.capacity !== header.capacity) throw broken(scan, 'the footer has another capacity than the header')
  scan.footer = true
  scan.expecting = 'marker'
}

function marker(scan: Scan, bytes: Buffer, header: Header): void {
  const value = bytes.readBigUInt64LE(0)
  const size = bytes.readUInt32LE(8)
  const type = size > 0 ? undefined : bytes.readUInt32LE(12)
  if (scan.footer && type !== 0) throw broken(scan, 'the footer is not followed by the end-of-stream marker')
  if (type === undefined) grain(scan, value, size, header)
  else if (type === 0) endMarker(scan, value, header)
  else if (type === 3) scan.expecting = 'footer'
  else if (type > 3) throw broken(scan, `a marker of the unknown type ${type}`)
  else if (value > header.capacity + 1_048_576n) throw broken(scan, `a table of ${value} sectors`)
  else skip(scan, Number(value) * sector)
}

function grain(scan: Scan, value: bigint, size: number, header: Header): void {
  if (value >= header.capacity) throw broken(scan, `a grain for sector ${value} of a disk of ${header.capacity}`)
  if (BigInt(size) > header.grainSectors * 2n * BigInt(sector)) throw broken(scan, `a grain of ${size} bytes`)
  scan.lastGrain = scan.position / sector - 1
  // Twelve bytes of the marker's sector are the marker, the rest is the first of the data.
  skip(scan, Math.ceil((12 + size) / sector) * sector - sector)
}

function endMarker(scan: Scan, value: bigint, header: Header): void {
  if (value !== 0n) throw broken(scan, 'an end-of-stream marker with a length')
  if (header.directoryAt === directoryAtEnd && !scan.footer) throw broken(scan, 'the end-of-stream marker comes before the footer')
  scan.expecting = 'nothing'
}

function skip(scan: Scan, bytes: number): void {
  scan.remaining = bytes
  scan.expecting = bytes > 0 ? 'skip' : 'marker'
}

function checkEnd(scan: Scan): void {
  const cut = (why: string) => new HoldfastError('TRUNCATED', `${scan.what}: the VMDK ends after ${scan.position} bytes, ${why}`)
  if (scan.header === undefined) throw cut('before the end of its header')
  if (scan.expecting !== 'nothing') {
    if (scan.expecting !== 'marker' || scan.partialLength > 0) throw cut('in the middle of a grain or table')
    if (scan.header.directoryAt === directoryAtEnd) throw cut('without its end-of-stream marker')
  }
  // qemu writes the directory in front and no end-of-stream marker: then the tables say which grain is the last.
  if (scan.lastGrain < scan.highestNamed) throw cut(`but its tables name a grain at byte ${scan.highestNamed * sector}`)
}

function parseHeader(bytes: Buffer, what: string): Header {
  if (bytes.readUInt32LE(0) !== magic) throw new HoldfastError('PROVIDER_FAILED', `${what}: does not begin as a VMDK`)
  const flags = bytes.readUInt32LE(8)
  const algorithm = bytes.readUInt16LE(77)
  if ((flags & compressedGrains) === 0 || (flags & markers) === 0 || algorithm !== 1)
    throw new HoldfastError(
      'UNSUPPORTED_FORMAT',
      `${what}: the VMDK is not streamOptimized (flags 0x${flags.toString(16)}, compression ${algorithm})`,
    )
  if (bytes.readUInt32LE(73) !== 0x0a0d200a)
    throw new HoldfastError('PROVIDER_FAILED', `${what}: the VMDK was damaged by a transfer as text (bytes 73 to 76)`)
  const capacity = bytes.readBigUInt64LE(12)
  const grainSectors = bytes.readBigUInt64LE(20)
  const overhead = bytes.readBigUInt64LE(64)
  if (capacity > 2n ** 44n || grainSectors < 1n || grainSectors > maximumGrain || overhead < 1n || overhead > 2n ** 32n)
    throw new HoldfastError(
      'PROVIDER_FAILED',
      `${what}: the VMDK header says capacity ${capacity}, grain ${grainSectors}, overhead ${overhead} sectors`,
    )
  const directoryAt = bytes.readBigUInt64LE(56)
  const redundantAt = bytes.readBigUInt64LE(48)
  const first = redundantAt > 0n && redundantAt < directoryAt ? redundantAt : directoryAt
  const tablesFrom = directoryAt === directoryAtEnd ? Number.POSITIVE_INFINITY : Number(first) * sector
  return { capacity, grainSectors, directoryAt, tablesFrom, overheadBytes: Number(overhead) * sector }
}
