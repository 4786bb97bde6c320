import { DiskImageError, damaged } from '../errors.ts'
import { descriptorRange, refuseDelta } from './descriptor.ts'
import { grainMarkerBytes, markerTypes, mostPackedBytes, sectorBytes } from './format.ts'
import { createGrainIndex, type GrainIndex, tableSizes } from './grain-index.ts'
import { completedByFooter, parseVmdkHeader, requireMagic, type VmdkHeader } from './parse-header.ts'

/** Who wants the grains of a stream. */
export interface GrainVisitor {
  /** A grain begins: its first sector on the disk, and how many packed bytes it has. */
  begin(sector: number, length: number, header: VmdkHeader): void
  /** The next of these bytes; lent. */
  packed(bytes: Buffer): void
}

/** Walks a streamOptimized VMDK as it passes: header, descriptor, grains, tables, footer and end-of-stream marker, each checked. */
export interface VmdkWalk {
  /** Once it has passed. */
  readonly header: VmdkHeader | undefined
  /** Takes bytes of the chunk from `at` on, at most to the end of one grain, and answers where it stopped. */
  write(chunk: Buffer, at: number): number
  /** Proves that the image was whole. */
  end(): void
}

/** qemu fills a file up to a whole grain. */
const mostPadding = 1024 * 1024
/** In front of the grains, besides the tables. */
const mostOverheadSectors = 65_536

type Expecting = 'header' | 'overhead' | 'marker' | 'packed' | 'rest' | 'table' | 'directory' | 'footer' | 'padding'

interface State {
  readonly visitor: GrainVisitor | undefined
  readonly sector: Buffer
  filled: number
  position: number
  expecting: Expecting
  /** Bytes of a grain that are still to come, or sectors of a table. */
  left: number
  /** Bytes after a grain up to the next sector. */
  rest: number
  padding: number
  /** Grains that have passed. */
  grains: number
  header: VmdkHeader | undefined
  index: GrainIndex | undefined
  descriptor: Buffer | undefined
  /** Said by the footer. */
  directorySector: number | undefined
}

export function walkVmdk(visitor?: GrainVisitor): VmdkWalk {
  const state: State = {
    visitor,
    sector: Buffer.alloc(sectorBytes),
    filled: 0,
    position: 0,
    expecting: 'header',
    left: 0,
    rest: 0,
    padding: 0,
    grains: 0,
    header: undefined,
    index: undefined,
    descriptor: undefined,
    directorySector: undefined,
  }
  return {
    get header() {
      return state.header
    },
    write(chunk, start) {
      const before = state.grains
      let at = start
      while (at < chunk.length && state.grains === before) {
        const used = step(state, chunk, at)
        at += used
        state.position += used
      }
      return at
    },
    end: () => checkEnd(state),
  }
}

/** Uses bytes of the chunk and answers how many. */
function step(state: State, chunk: Buffer, at: number): number {
  if (state.expecting === 'packed' || state.expecting === 'rest') {
    const part = chunk.subarray(at, at + state.left)
    state.left -= part.length
    if (state.expecting === 'packed') state.visitor?.packed(part)
    if (state.left === 0) afterGrain(state)
    return part.length
  }
  if (state.expecting === 'padding') return padding(state, chunk.subarray(at))
  const part = chunk.subarray(at, at + sectorBytes - state.filled)
  state.sector.set(part, state.filled)
  state.filled += part.length
  if (state.filled === sectorBytes) {
    state.filled = 0
    takeSector(state, state.sector, (state.position + part.length) / sectorBytes - 1)
  }
  return part.length
}

function takeSector(state: State, bytes: Buffer, sector: number): void {
  const { header, index } = state
  if (header === undefined || index === undefined) begin(state, bytes)
  else if (state.expecting === 'overhead') overhead(state, header, index, bytes, sector)
  else if (state.expecting === 'marker') marker(state, header, index, bytes, sector)
  else if (state.expecting === 'footer') footer(state, header, bytes)
  else {
    if (state.expecting === 'table') index.table(sector, bytes)
    else index.directory(sector, bytes)
    state.left -= 1
    if (state.left === 0) state.expecting = 'marker'
  }
}

function footer(state: State, header: VmdkHeader, bytes: Buffer): void {
  state.directorySector = completedByFooter(header, bytes).directorySector
  state.expecting = 'marker'
}

function begin(state: State, bytes: Buffer): void {
  requireMagic(bytes, 'the stream')
  const header = parseVmdkHeader(bytes)
  const { overheadSectors, directorySector } = header
  const range = descriptorRange(header)
  if (range !== undefined && range.offset + range.length > overheadSectors * sectorBytes)
    throw damaged(`the descriptor of ${range.length} bytes at ${range.offset} is not in front of the grains`)
  const { all, directorySectors } = tableSizes(header)
  if (directorySector !== undefined && overheadSectors > 2 * (all + directorySectors) + mostOverheadSectors)
    throw damaged(`the grains begin at sector ${overheadSectors}, far behind the tables`)
  state.header = header
  state.index = createGrainIndex(header)
  if (range !== undefined) state.descriptor = Buffer.alloc(range.length)
  state.expecting = overheadSectors > 1 ? 'overhead' : 'marker'
}

/** The descriptor; and, where no footer will name them, directory and tables. */
function overhead(state: State, header: VmdkHeader, index: GrainIndex, bytes: Buffer, sector: number): void {
  const { descriptorSector, descriptorSectors, directorySector } = header
  const line = sector - descriptorSector
  if (state.descriptor !== undefined && line >= 0 && line < descriptorSectors) {
    bytes.copy(state.descriptor, line * sectorBytes)
    if (line === descriptorSectors - 1) refuseDelta(state.descriptor)
  } else if (directorySector !== undefined) {
    const place = sector - directorySector
    if (place >= 0 && place < tableSizes(header).directorySectors) index.directory(sector, bytes)
    else index.table(sector, bytes)
  }
  if (sector === header.overheadSectors - 1) state.expecting = 'marker'
}

function marker(state: State, header: VmdkHeader, index: GrainIndex, bytes: Buffer, sector: number): void {
  const length = bytes.readUInt32LE(8)
  const type = length > 0 ? undefined : bytes.readUInt32LE(12)
  if (state.directorySector !== undefined && type !== markerTypes.endOfStream)
    throw damaged('the footer is not followed by the end-of-stream marker')
  switch (type) {
    case undefined:
      grain(state, header, index, bytes, sector)
      break
    case markerTypes.endOfStream:
      endOfStream(state, header, bytes)
      break
    case markerTypes.grainTable:
    case markerTypes.grainDirectory:
      table(state, header, bytes, type)
      break
    case markerTypes.footer:
      if (header.directorySector !== undefined) throw damaged('there is a footer, although the header says where the grain directory is')
      state.expecting = 'footer'
      break
    default:
      throw damaged(`a marker of the unknown type ${type} at sector ${sector}`)
  }
}

function table(state: State, header: VmdkHeader, bytes: Buffer, type: number): void {
  const sectors = bytes.readBigUInt64LE(0)
  if (sectors === 0n || sectors > BigInt(tableSizes(header).all + mostOverheadSectors)) throw damaged(`a table of ${sectors} sectors`)
  state.left = Number(sectors)
  state.expecting = type === markerTypes.grainTable ? 'table' : 'directory'
}

function grain(state: State, header: VmdkHeader, index: GrainIndex, bytes: Buffer, sector: number): void {
  const first = bytes.readBigUInt64LE(0)
  const length = bytes.readUInt32LE(8)
  if (first >= BigInt(header.capacity)) throw damaged(`a grain for sector ${first} of a disk of ${header.capacity}`)
  const number = Number(first) / header.grainSectors
  if (!Number.isInteger(number)) throw damaged(`a grain for sector ${first}, which is not a multiple of ${header.grainSectors}`)
  if (length > mostPackedBytes(header.grainSectors * sectorBytes)) throw damaged(`a grain of ${length} packed bytes at sector ${sector}`)
  index.grain(number, sector)
  state.visitor?.begin(Number(first), length, header)
  const here = Math.min(length, sectorBytes - grainMarkerBytes)
  state.rest = (sectorBytes - ((grainMarkerBytes + length) % sectorBytes)) % sectorBytes
  if (here === length) state.rest = 0
  state.left = length - here
  state.expecting = 'packed'
  state.visitor?.packed(bytes.subarray(grainMarkerBytes, grainMarkerBytes + here))
  if (state.left === 0) afterGrain(state)
}

/** After the packed bytes, or after what fills their last sector. */
function afterGrain(state: State): void {
  const packed = state.expecting === 'packed'
  const rest = packed ? state.rest : 0
  if (packed) state.grains += 1
  state.left = rest
  state.expecting = rest > 0 ? 'rest' : 'marker'
}

function endOfStream(state: State, header: VmdkHeader, bytes: Buffer): void {
  if (bytes.some((byte) => byte !== 0)) throw damaged('the end-of-stream marker is not empty')
  if (header.directorySector === undefined && state.directorySector === undefined)
    throw damaged('the end-of-stream marker comes before the footer')
  state.expecting = 'padding'
}

/** After the end. A file of qemu goes on with zeros, whose first sector looks like an end-of-stream marker. */
function padding(state: State, bytes: Buffer): number {
  state.padding += bytes.length
  const allowed = state.header?.directorySector !== undefined && state.padding <= mostPadding
  if (!allowed || bytes.some((byte) => byte !== 0)) throw damaged('there are bytes after the end-of-stream marker')
  return bytes.length
}

function checkEnd(state: State): void {
  const { header, index, expecting, position } = state
  const cut = (why: string) => new DiskImageError('TRUNCATED', `the VMDK ends after ${position} bytes, ${why}`, { details: { position } })
  if (header === undefined || index === undefined) throw cut('in its header')
  if (expecting !== 'padding') {
    if (expecting !== 'marker' || state.filled > 0) throw cut('in the middle of a grain or table')
    if (header.directorySector === undefined) throw cut('without its end-of-stream marker')
  }
  // qemu writes the directory in front and no end-of-stream marker: then the tables alone say which grain is the last.
  index.check(state.directorySector ?? (header.directorySector as number), header.directorySector !== undefined)
}
