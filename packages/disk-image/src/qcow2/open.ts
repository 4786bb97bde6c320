import type { BlockSource, CallOptions, MappedBlocks } from '../blocks.ts'
import { extentsOf } from '../cluster-set.ts'
import { checkRange, clusterBytes } from '../clusters.ts'
import { disposeOnce, takeOver } from '../dispose.ts'
import { damaged } from '../errors.ts'
import { createPackedReader } from '../packed-reads.ts'
import { createPageCache } from '../page-cache.ts'
import { type Checked, checkTables } from './check.ts'
import { decompressCluster } from './decompress.ts'
import { parseL1Entry, parseL2Entry } from './entries.ts'
import { tableEntries } from './format.ts'
import { type Header, parseHeader } from './parse-header.ts'
import { type Pieces, piecesOf } from './pieces.ts'

/** One qcow2 file, without its backing file: extents and data are what this file holds; a gap is what the next older layer has, and reads as zeros here. */
export interface Qcow2Layer extends MappedBlocks {
  /** As the header says; an untrusted path, never followed. */
  readonly backingName?: string
  /** Offset of the first data cluster in the file; the size of the file when there is none. For files written here: the bytes before the first data cluster. */
  readonly metadataBytes: number
}

/** Entries of an L2 table that are read at once: 32 MiB of disk. */
const pageEntries = 512

function createReader(source: BlockSource, header: Header, checked: Checked): MappedBlocks['readInto'] {
  const pageAt = createPageCache(source, pageEntries * 8)
  const readPacked = createPackedReader(source, ({ guestOffset }, stored) => decompressCluster(header.codec, stored, guestOffset))
  const context = { version: header.version, fileSize: source.size }
  /** `first`: the cluster that the first entry of the page is about. */
  const piecesFrom = (page: Buffer, first: number, target: Uint8Array, start: number): Pieces => {
    const entryAt = (index: number) => {
      const inside = Math.min(clusterBytes, header.size - index * clusterBytes)
      const entry = parseL2Entry(page, index - first, index, inside, context)
      if ((entry.kind === 'data' || entry.kind === 'compressed') !== checked.data.has(index))
        throw damaged(`the L2 table for the disk from ${first * clusterBytes} on changed after it was checked`)
      return entry
    }
    return piecesOf(entryAt, target, start)
  }
  /** One part of a read, inside one page of an L2 table. */
  const readPart = async (target: Uint8Array, start: number, options: CallOptions) => {
    const first = Math.floor(start / clusterBytes / pageEntries) * pageEntries
    const slot = Math.floor(first / tableEntries)
    const tableOffset = parseL1Entry(checked.l1, slot, source.size)
    if (tableOffset === 0) return void target.fill(0)
    const pageOffset = tableOffset + (first - slot * tableEntries) * 8
    const { plain, packed } = await pageAt(pageOffset, options, (page) => piecesFrom(page, first, target, start))
    for (const piece of plain) {
      if (piece.offset === undefined) piece.target.fill(0)
      else await source.readInto(piece.target, piece.offset, options)
    }
    if (packed.length > 0) await readPacked(packed, options)
  }
  return async (target, offset, options) => {
    checkRange(header.size, offset, target.length)
    options.signal.throwIfAborted()
    const reach = pageEntries * clusterBytes
    for (let at = 0; at < target.length; ) {
      const length = Math.min(target.length - at, reach - ((offset + at) % reach))
      await readPart(target.subarray(at, at + length), offset + at, options)
      at += length
    }
  }
}

/**
 * Opens a qcow2 file of version 2 or 3. The header and all tables are read and checked before it resolves; nothing is allocated by what the file says before it was compared with the size of the file,
 * and no cluster of the file may have two uses, except that compressed clusters share one. Those are unpacked when they are read; what cannot be unpacked is IMAGE_DAMAGED then. The backing file is not opened: see `chainView`. Takes the source over.
 * @throws UNSUPPORTED_FORMAT: not qcow2, another version, clusters not of 64 KiB, encrypted, external data file, extended L2, internal snapshots, unknown features.
 * IMAGE_DAMAGED: contradicts itself or the size of the file. What the source throws passes through; an aborted signal rejects with its reason.
 */
export function openQcow2(source: BlockSource, options: CallOptions): Promise<Qcow2Layer> {
  return takeOver(source, async () => {
    options.signal.throwIfAborted()
    const first = Buffer.alloc(Math.min(source.size, clusterBytes))
    await source.readInto(first, 0, options)
    const header = parseHeader(first, source.size)
    const checked = await checkTables(source, header, options)
    return {
      size: header.size,
      ...(header.backingName !== undefined && { backingName: header.backingName }),
      metadataBytes: checked.metadataBytes,
      ...(source.readers !== undefined && { readers: source.readers }),
      ...(source.readBytes !== undefined && { readBytes: source.readBytes }),
      readInto: createReader(source, header, checked),
      async *extents({ signal }) {
        signal.throwIfAborted()
        // Not yield*, which waits once more for each.
        for (const extent of extentsOf(checked.data, checked.zero, header.size)) yield extent
      },
      [Symbol.asyncDispose]: disposeOnce([source]),
    }
  })
}
