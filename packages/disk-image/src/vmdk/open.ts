import type { BlockSource, CallOptions, MappedBlocks } from '../blocks.ts'
import { type ClusterSet, createClusterSet, extentsOf } from '../cluster-set.ts'
import { checkRange, clusterBytes, isZero } from '../clusters.ts'
import { disposeOnce, takeOver } from '../dispose.ts'
import { damaged } from '../errors.ts'
import { createPackedReader, type PackedPiece, type Unpack } from '../packed-reads.ts'
import { grainMarkerBytes, mostPackedBytes, sectorBytes, zeroGrain } from './format.ts'
import { badGrain, type GrainShape, unpackGrain } from './grain.ts'
import { readVmdkHeader } from './read-header.ts'
import { createGrainTables, type GrainTables, type LocatedHeader } from './tables.ts'

/** What one entry of a table says; undefined: nothing is there. */
interface Grain {
  readonly kind: 'data' | 'zero'
  readonly offset: number
}

function grainOf(table: Buffer, entry: number, guestOffset: number, header: LocatedHeader, fileSize: number): Grain | undefined {
  const sector = table.readUInt32LE(entry * 4)
  if (sector === 0) return undefined
  if (sector === zeroGrain && header.zeroGrains) return { kind: 'zero', offset: 0 }
  if (sector >= header.overheadSectors && (sector + 1) * sectorBytes <= fileSize) return { kind: 'data', offset: sector * sectorBytes }
  throw damaged(`the grain at ${guestOffset} points to sector ${sector}: before the grains or outside the file of ${fileSize} bytes`, {
    guestOffset,
    sector,
    fileSize,
  })
}

/** Looks at every entry once. Grains smaller than a cluster make it data when one of them is. */
async function mapGrains(source: BlockSource, header: LocatedHeader, tables: GrainTables, options: CallOptions): Promise<ClusterSet> {
  const data = createClusterSet()
  const grainBytes = header.grainSectors * sectorBytes
  const size = header.capacity * sectorBytes
  let named = 0
  /** Every table and every grain has a place of its own: one that is named a million times is the trick of a hostile file. */
  const name = (bytes: number) => {
    named += bytes
    if (named > source.size) throw damaged(`the tables name more than the file of ${source.size} bytes can hold`)
  }
  for (let index = 0; index < tables.count; index += 1) {
    options.signal.throwIfAborted()
    const table = await tables.table(index, options)
    if (table === undefined || isZero(table)) continue
    name(table.length)
    const first = index * header.tableEntries * grainBytes
    for (let entry = 0, at = first; entry < header.tableEntries && at < size; entry += 1, at += grainBytes) {
      if (grainOf(table, entry, at, header, source.size)?.kind !== 'data') continue
      name(sectorBytes)
      const cluster = Math.floor(at / clusterBytes)
      data.add(cluster, Math.ceil((Math.min(at + grainBytes, size) - cluster * clusterBytes) / clusterBytes))
    }
  }
  return data
}

/** Grains follow each other in the file as a rule: then the next one says where this one ends, and not a byte too much is read. */
function storedBytes(table: Buffer, entry: number, offset: number, grainBytes: number, fileSize: number): number {
  const most = Math.min(grainMarkerBytes + mostPackedBytes(grainBytes), fileSize - offset)
  for (let next = entry + 1; next < table.length / 4; next += 1) {
    const sector = table.readUInt32LE(next * 4)
    if (sector <= zeroGrain) continue
    return sector * sectorBytes > offset ? Math.min(most, sector * sectorBytes - offset) : most
  }
  return most
}

/** Each grain says which one it is, and carries a checksum: a table that points to another one is found out. */
function createUnpack(shape: GrainShape): Unpack {
  return async ({ guestOffset }, stored) => {
    if (stored.length < grainMarkerBytes) throw badGrain(guestOffset, 'is cut')
    const sector = stored.readBigUInt64LE(0)
    const length = stored.readUInt32LE(8)
    if (sector !== BigInt(guestOffset / sectorBytes)) throw badGrain(guestOffset, `is that of sector ${sector}`)
    if (length === 0 || grainMarkerBytes + length > stored.length)
      throw badGrain(guestOffset, `has ${length} packed bytes, ${stored.length - grainMarkerBytes} are there`)
    return unpackGrain(stored.subarray(grainMarkerBytes, grainMarkerBytes + length), guestOffset, shape)
  }
}

function createReader(source: BlockSource, header: LocatedHeader, tables: GrainTables): MappedBlocks['readInto'] {
  const grainBytes = header.grainSectors * sectorBytes
  const size = header.capacity * sectorBytes
  const readPacked = createPackedReader(source, createUnpack({ grainBytes, size }))
  return async (target, offset, options) => {
    checkRange(size, offset, target.length)
    options.signal.throwIfAborted()
    const pieces: PackedPiece[] = []
    for (let at = 0; at < target.length; ) {
      const grain = Math.floor((offset + at) / grainBytes)
      const guestOffset = grain * grainBytes
      const inside = offset + at - guestOffset
      const part = target.subarray(at, at + grainBytes - inside)
      at += part.length
      const table = await tables.table(Math.floor(grain / header.tableEntries), options)
      const entry = grain % header.tableEntries
      const found = table && grainOf(table, entry, guestOffset, header, source.size)
      if (table === undefined || found?.kind !== 'data') part.fill(0)
      else {
        const stored = storedBytes(table, entry, found.offset, grainBytes, source.size)
        pieces.push({ guestOffset, offset: found.offset, stored, inside, target: part })
      }
    }
    await readPacked(pieces, options)
  }
}

/**
 * Opens a streamOptimized VMDK, as an export of a machine gives it, by its grain directory: the one that the footer names, or the one in front of the grains. All tables are
 * read and checked before it resolves; grains are unpacked, and their checksums compared, when they are read. What no grain holds is a gap and reads as zeros.
 * Takes the source over.
 * @throws UNSUPPORTED_FORMAT: not a VMDK, not streamOptimized, only the changes since another image. IMAGE_DAMAGED: cut, contradicts itself or the size of the file; reads: a grain that
 * cannot be unpacked. What the source throws passes through; an aborted signal rejects with its reason.
 */
export function openStreamOptimizedVmdk(source: BlockSource, options: CallOptions): Promise<MappedBlocks> {
  return takeOver(source, async () => {
    options.signal.throwIfAborted()
    const header = await readVmdkHeader(source, options)
    const tables = createGrainTables(source, header)
    const data = await mapGrains(source, header, tables, options)
    const size = header.capacity * sectorBytes
    const noZeros = createClusterSet()
    return {
      size,
      ...(source.readers !== undefined && { readers: source.readers }),
      ...(source.readBytes !== undefined && { readBytes: source.readBytes }),
      readInto: createReader(source, header, tables),
      async *extents({ signal }) {
        signal.throwIfAborted()
        yield* extentsOf(data, noZeros, size)
      },
      [Symbol.asyncDispose]: disposeOnce([source]),
    }
  })
}
