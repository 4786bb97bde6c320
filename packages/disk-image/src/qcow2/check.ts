import type { BlockSource, CallOptions } from '../blocks.ts'
import { type ClusterSet, createClusterSet } from '../cluster-set.ts'
import { clusterBytes, clustersOf, isZero } from '../clusters.ts'
import { DiskImageError, damaged } from '../errors.ts'
import { parseL1Entry, parseL2Entry } from './entries.ts'
import { tableEntries } from './format.ts'
import { readSize } from './numbers.ts'
import type { Header } from './parse-header.ts'

/** What the tables of an image say, after all of them were read and checked once. */
export interface Checked {
  /** The first `l1Entries` entries. */
  readonly l1: Buffer
  readonly data: ClusterSet
  readonly zero: ClusterSet
  /** Offset of the first data cluster, the size of the file when there is none. */
  readonly metadataBytes: number
}

/** Pieces of the bitmap of host clusters: 64 MiB of memory, 32 TiB of file. A hostile sparse file could otherwise scatter a few clusters over petabytes. */
const mostHostChunks = 65_536

interface Host {
  claim(offset: number, count: number, what: string): void
  /** For compressed clusters: several may lie in one cluster of the file, but nothing else with them. */
  share(offset: number, bytes: number): void
}

/** Every cluster of the file has one use at most: metadata that is read as data, or twice as a table, is the trick of a hostile image. */
function createHost(): Host {
  const used = createClusterSet()
  const shared = createClusterSet()
  const claim: Host['claim'] = (offset, count, what) => {
    if (!used.add(Math.floor(offset / clusterBytes), count))
      throw damaged(`${what} at ${offset} overlaps something else in the file`, { offset })
    if (used.chunks > mostHostChunks)
      throw new DiskImageError('UNSUPPORTED_FORMAT', 'the clusters of the file are scattered over more than 32 TiB')
  }
  return {
    claim,
    share(offset, bytes) {
      const last = Math.floor((offset + bytes - 1) / clusterBytes)
      for (let cluster = Math.floor(offset / clusterBytes); cluster <= last; cluster += 1)
        if (shared.add(cluster)) claim(cluster * clusterBytes, 1, 'a compressed cluster')
    },
  }
}

async function claimRefcounts(source: BlockSource, header: Header, host: Host, options: CallOptions): Promise<void> {
  const { refcountTableOffset: start, refcountTableClusters: count } = header
  host.claim(start, count, 'the refcount table')
  const table = Buffer.allocUnsafeSlow(clusterBytes)
  for (let cluster = 0; cluster < count; cluster += 1) {
    options.signal.throwIfAborted()
    await source.readInto(table, start + cluster * clusterBytes, options)
    if (isZero(table)) continue
    for (let at = 0; at < clusterBytes; at += 8) {
      const offset = readSize(table, at)
      if (offset === 0) continue
      if (offset % clusterBytes !== 0 || offset >= source.size) {
        throw damaged(`a refcount block at ${offset} is unaligned or outside the file of ${source.size} bytes`, {
          offset,
          fileSize: source.size,
        })
      }
      host.claim(offset, 1, 'a refcount block')
    }
  }
}

/** Looks at every entry of one L2 table. Entries past the end of the disk are checked but describe nothing. */
function checkTable(
  table: Buffer,
  slot: number,
  header: Header,
  fileSize: number,
  host: Host,
  found: { data: ClusterSet; zero: ClusterSet },
): number {
  const context = { version: header.version, fileSize }
  let first = Number.POSITIVE_INFINITY
  for (let entry = 0; entry < tableEntries; entry += 1) {
    // Most entries of a large disk are empty.
    if (table.readUInt32LE(entry * 8) === 0 && table.readUInt32LE(entry * 8 + 4) === 0) continue
    const index = slot * tableEntries + entry
    const inside = Math.max(0, Math.min(clusterBytes, header.size - index * clusterBytes))
    const { kind, offset, stored } = parseL2Entry(table, entry, index, inside, context)
    if (kind === 'compressed') host.share(offset, stored)
    else if (offset !== 0) host.claim(offset, 1, 'a data cluster')
    if (inside === 0 || kind === 'gap') continue
    found[kind === 'zero' ? 'zero' : 'data'].add(index)
    if (kind !== 'zero') first = Math.min(first, offset)
  }
  return first
}

/** Reads all tables once and refuses what overlaps, points outside the file or uses what is not read here. */
export async function checkTables(source: BlockSource, header: Header, options: CallOptions): Promise<Checked> {
  const host = createHost()
  host.claim(0, 1, 'the header')
  if (header.l1Bytes > 0) host.claim(header.l1Offset, clustersOf(header.l1Bytes), 'the L1 table')
  await claimRefcounts(source, header, host, options)
  const l1 = Buffer.allocUnsafeSlow(header.l1Entries * 8)
  if (l1.length > 0) await source.readInto(l1, header.l1Offset, options)
  for (let slot = 0; slot < header.l1Entries; slot += 1) {
    const offset = parseL1Entry(l1, slot, source.size)
    if (offset !== 0) host.claim(offset, 1, 'an L2 table')
  }
  const found = { data: createClusterSet(), zero: createClusterSet() }
  const table = Buffer.allocUnsafeSlow(clusterBytes)
  let first = Number.POSITIVE_INFINITY
  for (let slot = 0; slot < header.l1Entries; slot += 1) {
    const offset = parseL1Entry(l1, slot, source.size)
    if (offset === 0) continue
    options.signal.throwIfAborted()
    await source.readInto(table, offset, options)
    if (!isZero(table)) first = Math.min(first, checkTable(table, slot, header, source.size, host, found))
  }
  return { l1, ...found, metadataBytes: Math.min(first, source.size) }
}
