import type { ClusterSet } from '../../cluster-set.ts'
import { clusterBytes } from '../../clusters.ts'
import { countsPerBlock, sectorBytes, tableEntries } from '../format.ts'
import type { Layout } from '../layout.ts'
import { writeCopied } from '../numbers.ts'

/** Tables that are filled in the order of the disk or the file and written as soon as they are full, each at the place the layout has for it. */

/** Writes the whole of `bytes` at an offset of the file; they are lent until it resolves. */
export type WriteAt = (bytes: Uint8Array, offset: number) => Promise<void>

/** Clusters of the disk that follow each other. `offset`: of the first one in the file; 0 for zeros. */
export interface Placed {
  readonly index: number
  readonly count: number
  readonly kind: 'zero' | 'plain' | 'packed'
  readonly offset: number
  /** Bytes of a packed one. */
  readonly length: number
}

/** A packed cluster is described by where it begins and the sectors it touches after the first. With clusters of 64 KiB those are in the bits 54 to 61, below bit 62: packed. */
export function writePackedEntry(table: Buffer, at: number, offset: number, length: number): void {
  const sectors = Math.floor((offset + length - 1) / sectorBytes) - Math.floor(offset / sectorBytes)
  table.writeUInt32BE(0x40000000 + sectors * 2 ** 22 + Math.floor(offset / 2 ** 32), at)
  table.writeUInt32BE(offset % 2 ** 32, at + 4)
}

function writeEntry(table: Buffer, at: number, { kind, offset, length }: Placed, position: number): void {
  if (kind === 'zero') table.writeUInt8(1, at + 7)
  else if (kind === 'plain') writeCopied(table, at, offset + position * clusterBytes)
  else writePackedEntry(table, at, offset, length)
}

function* touchedSlots(touched: ClusterSet): Generator<number, undefined> {
  for (const { index, count } of touched.runs()) for (let slot = index; slot < index + count; slot += 1) yield slot
}

/** L2 tables, for clusters in the order of the disk. A table that was reserved and got no entry is written empty. */
export function createL2Writer(layout: Layout, touched: ClusterSet, write: WriteAt) {
  const slots = touchedSlots(touched)
  const table = Buffer.alloc(clusterBytes)
  let slot = slots.next().value
  let place = layout.l2Start
  const close = async () => {
    await write(table, place * clusterBytes)
    table.fill(0)
    place += 1
    slot = slots.next().value
  }
  return {
    async add(placed: Placed): Promise<void> {
      for (let position = 0; position < placed.count; position += 1) {
        const index = placed.index + position
        const own = Math.floor(index / tableEntries)
        while (slot !== undefined && slot < own) await close()
        writeEntry(table, (index % tableEntries) * 8, placed, position)
      }
    },
    async end(): Promise<void> {
      while (slot !== undefined) await close()
    },
  }
}

/** Refcounts, for clusters in the order of the file. */
export function createRefcountWriter(layout: Layout, write: WriteAt) {
  const block = Buffer.alloc(clusterBytes)
  let used = 0
  let blocks = 0
  const close = async () => {
    await write(block, (layout.refcountBlocksStart + blocks) * clusterBytes)
    block.fill(0)
    blocks += 1
    used = 0
  }
  return {
    /** The next `clusters` of the file are used `uses` times each. */
    async add(uses: number, clusters: number): Promise<void> {
      const value = Buffer.from([uses >> 8, uses & 255])
      for (let left = clusters; left > 0; ) {
        const count = Math.min(left, countsPerBlock - used)
        block.fill(value, used * 2, (used + count) * 2)
        used += count
        left -= count
        if (used === countsPerBlock) await close()
      }
    },
    async end(): Promise<void> {
      while (blocks < layout.refcountBlocks) await close()
    },
  }
}
