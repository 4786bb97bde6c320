import { createClusterSet } from '../cluster-set.ts'
import { DiskImageError, damaged } from '../errors.ts'
import { sectorBytes } from './format.ts'
import type { VmdkHeader } from './parse-header.ts'

/** Entries of a table in one sector of the file. */
const entriesPerSector = sectorBytes / 4
/** 64 TiB in grains of 64 KiB. Keeps what is remembered of a hostile stream small. */
const mostGrains = 2 ** 30
/** No entry of a table reaches further. */
const mostSectors = 2 ** 32

/**
 * What the tables of a stream say, compared with the grains that came. Remembers 1 KiB for each 8,192 grains
 * and 8 KiB for each 131,072 of which one came, and up to 24 bytes for each sector of tables.
 */
export interface GrainIndex {
  /** A grain came, which begins in this sector of the file. Refuses one that came before. */
  grain(number: number, sector: number): void
  /** A sector of the file that may be part of a table. */
  table(sector: number, bytes: Buffer): void
  /** A sector of a grain directory. One that does not go on where the last one ended begins another directory. */
  directory(sector: number, bytes: Buffer): void
  /** At the end of the stream: this directory and its tables name exactly the grains that came. `cut`: nothing has proven the end, so a missing grain was cut off. */
  check(directorySector: number, cut: boolean): void
}

/** Sums of these tell tables apart: one entry that is missing, wrong or in another place changes them. */
const weight = (entry: number, sector: number): number => 1 + (Math.imul(sector ^ Math.imul(entry + 1, 0x9e3779b1), 0x85ebca6b) >>> 0)

/** One number for each of many places, in pieces that exist only where something was added. */
function createSparseSums() {
  const pieceLength = 1024
  const pieces = new Map<number, Float64Array>()
  return {
    add(place: number, value: number): void {
      const key = Math.floor(place / pieceLength)
      let piece = pieces.get(key)
      if (piece === undefined) {
        piece = new Float64Array(pieceLength)
        pieces.set(key, piece)
      }
      const at = place % pieceLength
      piece[at] = (piece[at] as number) + value
    },
    at: (place: number): number => pieces.get(Math.floor(place / pieceLength))?.[place % pieceLength] ?? 0,
  }
}

/** One number for each of many sectors, which come in ascending order. */
function createSectorSums() {
  let sectors = new Uint32Array(64)
  let sums = new Float64Array(64)
  let count = 0
  const grown = <T extends Uint32Array | Float64Array>(old: T, made: T): T => {
    made.set(old)
    return made
  }
  return {
    get count() {
      return count
    },
    add(sector: number, sum: number): void {
      if (count === sectors.length) {
        sectors = grown(sectors, new Uint32Array(count * 2))
        sums = grown(sums, new Float64Array(count * 2))
      }
      sectors[count] = sector
      sums[count] = sum
      count += 1
    },
    at(sector: number): number | undefined {
      let low = 0
      let high = count - 1
      while (low <= high) {
        const middle = (low + high) >> 1
        const found = sectors[middle] as number
        if (found === sector) return sums[middle]
        if (found < sector) low = middle + 1
        else high = middle - 1
      }
      return undefined
    },
  }
}

/** Sectors that directory and tables of a disk take in a file. */
export function tableSizes(header: VmdkHeader) {
  const grains = Math.ceil(header.capacity / header.grainSectors)
  const tables = Math.ceil(grains / header.tableEntries)
  const tableSectors = header.tableEntries / entriesPerSector
  return { grains, tables, tableSectors, directorySectors: Math.ceil(tables / entriesPerSector), all: tables * tableSectors }
}

export function createGrainIndex(header: VmdkHeader): GrainIndex {
  const { grains, tables, tableSectors, directorySectors, all } = tableSizes(header)
  if (grains > mostGrains) throw damaged(`the disk has ${grains} grains, more than ${mostGrains}`)
  const seen = createClusterSet()
  const came = createSparseSums()
  const named = createSectorSums()
  const ignored = header.zeroGrains ? 1 : 0
  /** The last directory. */
  let directory: Buffer[] = []
  let directoryStart = -1
  let [highestNamed, lastGrain] = [0, 0]

  function checkTable(index: number, start: number, cut: boolean): void {
    for (let part = 0; part < tableSectors; part += 1) {
      const found = start === 0 ? 0 : named.at(start + part)
      const expected = came.at(index * tableSectors + part)
      if (found === expected) continue
      if (found === undefined) throw damaged(`grain table ${index} should be at sector ${start}, but no table is there`, { index })
      if (cut && lastGrain < highestNamed)
        throw new DiskImageError('TRUNCATED', `the VMDK ends before the grain at byte ${highestNamed * sectorBytes}, which its tables name`)
      throw damaged(`grain table ${index} at sector ${start} does not name the grains that came`, { index })
    }
  }

  return {
    grain(number, sector) {
      if (!seen.add(number)) throw damaged(`the grain at ${number * header.grainSectors * sectorBytes} comes twice`)
      lastGrain = sector
      came.add(Math.floor(number / entriesPerSector), weight(number % entriesPerSector, sector))
    },
    table(sector, bytes) {
      if (sector >= mostSectors) return
      // A directory in front of the grains, and a second copy of everything, are counted in.
      if (named.count >= 2 * (all + directorySectors) + 4096) throw damaged(`the tables are longer than a disk of ${grains} grains needs`)
      let sum = 0
      for (let entry = 0; entry < entriesPerSector; entry += 1) {
        const value = bytes.readUInt32LE(entry * 4)
        if (value <= ignored) continue
        sum += weight(entry, value)
        if (value > highestNamed) highestNamed = value
      }
      named.add(sector, sum)
    },
    directory(sector, bytes) {
      if (sector !== directoryStart + directory.length) {
        directory = []
        directoryStart = sector
      }
      if (directory.length < directorySectors) directory.push(Buffer.from(bytes))
    },
    check(directorySector, cut) {
      if (tables === 0) return
      if (directorySector !== directoryStart || directory.length < directorySectors)
        throw damaged(`the grain directory should be at sector ${directorySector}, but is not there`)
      for (let index = 0; index < tables; index += 1) {
        const piece = directory[Math.floor(index / entriesPerSector)] as Buffer
        checkTable(index, piece.readUInt32LE((index % entriesPerSector) * 4), cut)
      }
    },
  }
}
