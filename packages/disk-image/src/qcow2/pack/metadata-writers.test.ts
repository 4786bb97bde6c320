import { describe, expect, it } from 'vitest'
import { randomFrom } from '../../../test/support.ts'
import { createClusterSet } from '../../cluster-set.ts'
import { clusterBytes } from '../../clusters.ts'
import { parseL2Entry } from '../entries.ts'
import { countsPerBlock, tableEntries } from '../format.ts'
import { layOut } from '../layout.ts'
import { createL2Writer, createRefcountWriter, writePackedEntry } from './metadata-writers.ts'

function recorder() {
  const written: { offset: number; bytes: Buffer }[] = []
  const write = async (bytes: Uint8Array, offset: number) => void written.push({ offset, bytes: Buffer.from(bytes) })
  return { written, write }
}

describe('the entry of a packed cluster', () => {
  it('is read as what was written, wherever it lies', () => {
    const random = randomFrom(1)
    const table = Buffer.alloc(8)
    for (let round = 0; round < 1000; round += 1) {
      const offset = clusterBytes + Math.floor(random() * 2 ** (17 + Math.floor(random() * 34)))
      const length = 1 + Math.floor(random() * (clusterBytes - 513))
      writePackedEntry(table, 0, offset, length)
      const entry = parseL2Entry(table, 0, 0, clusterBytes, { version: 3, fileSize: 2 ** 53 })
      const touched = Math.ceil((offset + length) / 512) * 512 - offset
      expect(entry, `seed 1, ${length} at ${offset}`).toEqual({ kind: 'compressed', offset, stored: touched })
    }
  })
})

describe('refcounts', () => {
  it.each([1, 2, 3])('of a file of several blocks are those that were added, in order, seed %i', async (seed) => {
    const random = randomFrom(seed)
    const layout = layOut(1, 1, 3 * countsPerBlock)
    const { written, write } = recorder()
    const refcounts = createRefcountWriter(layout, write)
    const expected: number[] = []
    while (expected.length < 2.5 * countsPerBlock) {
      const uses = Math.floor(random() * 3000)
      const clusters = Math.floor(random() ** 4 * 40_000)
      await refcounts.add(uses, clusters)
      for (let count = 0; count < clusters; count += 1) expected.push(uses)
    }
    await refcounts.end()
    expect(written.map(({ offset }) => offset / clusterBytes)).toEqual(
      Array.from({ length: layout.refcountBlocks }, (_, block) => layout.refcountBlocksStart + block),
    )
    const bytes = Buffer.concat(written.map((one) => one.bytes))
    const counts = Array.from({ length: bytes.length / 2 }, (_, cluster) => bytes.readUInt16BE(cluster * 2))
    const padded = [...expected, ...Array.from({ length: counts.length - expected.length }, () => 0)]
    expect(counts.findIndex((count, cluster) => count !== padded[cluster])).toBe(-1)
  })
})

describe('L2 tables', () => {
  it('are written at their places, also those in which nothing is left', async () => {
    const touched = createClusterSet()
    for (const slot of [0, 3, 4, 9]) touched.add(slot)
    const layout = layOut(10, 4, 3)
    const { written, write } = recorder()
    const l2 = createL2Writer(layout, touched, write)
    const start = layout.dataStart * clusterBytes
    await l2.add({ index: 4 * tableEntries - 1, count: 2, kind: 'plain', offset: start, length: clusterBytes })
    await l2.add({ index: 4 * tableEntries + 7, count: 1, kind: 'zero', offset: 0, length: 0 })
    await l2.end()
    expect(written.map(({ offset }) => offset / clusterBytes)).toEqual([0, 1, 2, 3].map((table) => layout.l2Start + table))
    const kinds = written.flatMap(({ bytes }, table) =>
      Array.from({ length: tableEntries }, (_, entry) => entry)
        .filter((entry) => bytes.readBigUInt64BE(entry * 8) !== 0n)
        .map((entry) => ({ table, entry, ...parseL2Entry(bytes, entry, 0, clusterBytes, { version: 3, fileSize: 2 ** 40 }) })),
    )
    expect(kinds).toEqual([
      { table: 1, entry: tableEntries - 1, kind: 'data', offset: start, stored: 0 },
      { table: 2, entry: 0, kind: 'data', offset: start + clusterBytes, stored: 0 },
      { table: 2, entry: 7, kind: 'zero', offset: 0, stored: 0 },
    ])
  })
})
