import type { BlockSource, CallOptions } from '../blocks.ts'
import { damaged } from '../errors.ts'
import { createTableCache } from '../table-cache.ts'
import { sectorBytes } from './format.ts'
import type { VmdkHeader } from './parse-header.ts'

/** A header whose directory is inside the file. */
export type LocatedHeader = VmdkHeader & { readonly directorySector: number }

/** The two levels of tables that say in which sector of the file each grain is. */
export interface GrainTables {
  /** Grain tables that describe the disk. */
  readonly count: number
  /** One of them; undefined where the directory has none. Its entries are 32 bits each. */
  table(index: number, options: CallOptions): Promise<Buffer | undefined>
}

/** The directory is read in pieces of this size. */
const pieceBytes = 65_536

export function createGrainTables(source: BlockSource, header: LocatedHeader): GrainTables {
  const tableAt = createTableCache(source)
  const pieceAt = createTableCache(source, 2)
  const tableBytes = header.tableEntries * 4
  const grains = Math.ceil(header.capacity / header.grainSectors)
  const count = Math.ceil(grains / header.tableEntries)
  const directoryStart = header.directorySector * sectorBytes
  if (directoryStart < sectorBytes || directoryStart + count * 4 > source.size)
    throw damaged(`the grain directory of ${count} entries at sector ${header.directorySector} is outside the file of ${source.size} bytes`)
  return {
    count,
    async table(index, options) {
      const at = index * 4
      const start = Math.floor(at / pieceBytes) * pieceBytes
      const piece = await pieceAt(directoryStart + start, Math.min(pieceBytes, count * 4 - start), options)
      const sector = piece.readUInt32LE(at - start)
      if (sector === 0) return undefined
      const offset = sector * sectorBytes
      if (offset + tableBytes > source.size)
        throw damaged(`grain table ${index} at sector ${sector} is outside the file of ${source.size} bytes`, { index, sector })
      return await tableAt(offset, tableBytes, options)
    },
  }
}
