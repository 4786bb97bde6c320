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

type Expecting = 'header' | 'overhead' | 'marker' | 'skip' | 'footer' | 'nothing'

export function createVmdkScanner({ what }: { readonly what: string }): VmdkScanner {
  const partial = Buffer.alloc(sector)
  let partialLength = 0
  let position = 0
  let expecting: Expecting = 'header'
  let remaining = 0
  let header: Header | undefined
  let footer = false
  /** The highest sector that a table in front of the grains names, and the sector where the last grain began: a cut between two grains shows. */
  let highestNamed = 0
  let lastGrain = 0

  const broken = (message: string) => new HoldfastError('PROVIDER_FAILED', `${what}: ${message} (byte ${position - sector} of the VMDK)`)

  function marker(bytes: Buffer): void {
    if (footer && bytes.readUInt32LE(8) !== 0) throw broken('a grain after the footer')
    const value = bytes.readBigUInt64LE(0)
    const size = bytes.readUInt32LE(8)
    if (header === undefined) throw broken('a marker before the header')
    if (size > 0) {
      if (value >= header.capacity) throw broken(`a grain at sector ${value} of a disk of ${header.capacity}`)
      if (BigInt(size) > header.grainSectors * 2n * BigInt(sector)) throw broken(`a grain of ${size} bytes`)
      lastGrain = position / sector - 1
      return skip(Math.ceil((12 + size) / sector) * sector - sector)
    }
    const type = bytes.readUInt32LE(12)
    if (type > 3) throw broken(`a marker of the unknown type ${type}`)
    if (type === 0) return endMarker(value)
    if (footer) throw broken('a marker after the footer that is not the end')
    if (type === 3) {
      expecting = 'footer'
      return
    }
    if (value > header.capacity + 1_048_576n) throw broken(`metadata of ${value} sectors`)
    skip(Number(value) * sector)
  }

  function endMarker(value: bigint): void {
    if (value !== 0n) throw broken('an end-of-stream marker with a length')
    if (header?.directoryAt === directoryAtEnd && !footer) throw broken('the end-of-stream marker comes before the footer')
    expecting = 'nothing'
  }

  function skip(bytes: number): void {
    remaining = bytes
    expecting = bytes > 0 ? 'skip' : 'marker'
  }

  function block(bytes: Buffer): void {
    if (expecting === 'header') {
      header = parseHeader(bytes, what)
      remaining = header.overheadBytes - sector
      expecting = remaining > 0 ? 'overhead' : 'marker'
    } else if (expecting === 'footer') {
      const end = parseHeader(bytes, what)
      if (end.directoryAt === directoryAtEnd) throw broken('the footer does not say where the grain directory is')
      if (end.capacity !== header?.capacity) throw broken('the footer has another capacity than the header')
      footer = true
      expecting = 'marker'
    } else if (expecting === 'overhead') {
      overhead(bytes)
    } else marker(bytes)
  }

  function overhead(bytes: Buffer): void {
    remaining -= sector
    if (header !== undefined && position - sector >= header.tablesFrom)
      for (let at = 0; at < sector; at += 4) highestNamed = Math.max(highestNamed, bytes.readUInt32LE(at))
    if (remaining === 0) expecting = 'marker'
  }

  function write(bytes: Uint8Array): void {
    const chunk = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength)
    for (let at = 0; at < chunk.length; ) {
      if (expecting === 'nothing') throw broken('there are bytes after the end-of-stream marker')
      const wanted = expecting === 'skip' ? remaining : sector - partialLength
      const part = chunk.subarray(at, at + wanted)
      at += part.length
      position += part.length
      if (expecting === 'skip') {
        remaining -= part.length
        if (remaining === 0) expecting = 'marker'
        continue
      }
      partial.set(part, partialLength)
      partialLength += part.length
      if (partialLength < sector) return
      partialLength = 0
      block(partial)
    }
  }

  return {
    write,
    end() {
      if (expecting === 'nothing') return
      const cut = (why: string) => new HoldfastError('TRUNCATED', `${what}: the VMDK ends after ${position} bytes, ${why}`)
      if (header === undefined) throw cut('before its header')
      if (expecting !== 'marker' || partialLength > 0) throw cut('in the middle of a grain or table')
      // qemu writes the directory in front and no end-of-stream marker: then the tables say which grain is the last.
      if (header.directoryAt === directoryAtEnd) throw cut('without its end-of-stream marker')
      if (lastGrain < highestNamed) throw cut(`but its tables name a grain at byte ${highestNamed * sector}`)
    },
  }
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
