import { clusterBytes, type SumsFile } from '@holdfast/disk-image'
import { isDamage } from './damage.ts'
import type { DamagedClusters } from './damaged-clusters.ts'
import { eachSum, type ImageCheck } from './image-clusters.ts'
import type { Scope } from './scope.ts'
import { type OpenFile, openFile } from './stored-bytes.ts'

/** Entries of an L2 table; it has one cluster. */
const tableEntries = clusterBytes / 8
const copied = 2n ** 63n
const zeroEntry = 1n

/**
 * Which clusters damaged tables concern. Where everything lies in an image follows from its sums: the L1 table begins in the second cluster, L2 tables end
 * where the data begins, and data clusters lie in guest order. So each entry is known, and those that differ are the damaged ones. Damage of the header or of
 * refcounts concerns no cluster. What cannot be read adds nothing.
 */
export async function findInTables({ layer, reading, scope }: ImageCheck, sums: SumsFile, clusters: DamagedClusters): Promise<void> {
  const { manifest, entry } = layer
  const file = await openFile(reading.repository, manifest.folder, entry.file, scope)
  try {
    let tables = 0
    for await (const _ of expectedTables(sums, entry.metadata.size, scope)) tables++
    const firstTable = entry.metadata.size - tables * clusterBytes
    const slots = Math.ceil(entry.disk.size / clusterBytes / tableEntries)
    // Somebody else has written it, and laid it out in another way.
    if (firstTable < clusterBytes * (1 + Math.ceil(slots / tableEntries))) return
    await compareTables({ file, sums, slots, firstTable, dataStart: entry.metadata.size, scope }, clusters)
  } catch (error) {
    if (!isDamage(error)) throw error
  } finally {
    await file[Symbol.asyncDispose]()
  }
}

interface Tables {
  readonly file: OpenFile
  readonly sums: SumsFile
  /** Of the L1 table. */
  readonly slots: number
  readonly firstTable: number
  readonly dataStart: number
  readonly scope: Scope
}

async function compareTables({ file, sums, slots, firstTable, dataStart, scope }: Tables, clusters: DamagedClusters): Promise<void> {
  const table = Buffer.alloc(clusterBytes)
  const read = (at: number) => scope.race(file.bytes.readInto(table, at, { signal: scope.signal }))
  const l1 = pagesOf(file, scope)
  let next = 0
  let offset = firstTable
  for await (const expected of expectedTables(sums, dataStart, scope)) {
    for (; next < expected.slot; next++) if ((await l1(next)) !== 0n) clusters.add(next * tableEntries, tableEntries)
    next = expected.slot + 1
    const first = expected.slot * tableEntries
    if ((await l1(expected.slot)) !== (copied | BigInt(offset))) clusters.add(first, tableEntries)
    else {
      await read(offset)
      for (let entry = 0; entry < tableEntries; entry++)
        if (table.readBigUInt64BE(entry * 8) !== expected.entries[entry]) clusters.add(first + entry)
    }
    offset += clusterBytes
  }
  for (; next < slots; next++) if ((await l1(next)) !== 0n) clusters.add(next * tableEntries, tableEntries)
}

/** Entries of the L1 table, read a cluster at a time. */
function pagesOf(file: OpenFile, scope: Scope): (slot: number) => Promise<bigint> {
  const page = Buffer.alloc(clusterBytes)
  let held = -1
  return async (slot) => {
    const wanted = Math.floor(slot / tableEntries)
    if (wanted !== held) await scope.race(file.bytes.readInto(page, (1 + wanted) * clusterBytes, { signal: scope.signal }))
    held = wanted
    return page.readBigUInt64BE((slot % tableEntries) * 8)
  }
}

/** The L2 tables that an image with these sums has, in order. `entries` is used again for the next one. */
async function* expectedTables(
  sums: SumsFile,
  dataStart: number,
  scope: Scope,
): AsyncGenerator<{ readonly slot: number; readonly entries: BigUint64Array }, void, undefined> {
  const entries = new BigUint64Array(tableEntries)
  let slot = -1
  let data = dataStart
  for await (const { index, kind } of eachSum(sums, scope)) {
    const own = Math.floor(index / tableEntries)
    if (own !== slot) {
      if (slot >= 0) yield { slot, entries }
      entries.fill(0n)
      slot = own
    }
    entries[index - slot * tableEntries] = kind === 'zero' ? zeroEntry : copied | BigInt(data)
    if (kind === 'data') data += clusterBytes
  }
  if (slot >= 0) yield { slot, entries }
}
