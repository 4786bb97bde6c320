import { describe, expect, it } from 'vitest'
import { contentNames, contentOf, memoryTarget, packedImage, text } from '../../../test/pack-support.ts'
import {
  all,
  batchesOf,
  fullImage,
  imageOf,
  memoryBlocks,
  never,
  noise,
  openImage,
  options,
  randomFrom,
  readAll,
  withExtents,
} from '../../../test/support.ts'
import type { Extent } from '../../blocks.ts'
import { chainView } from '../../chain-view.ts'
import { clusterBytes, clustersOf, isZero } from '../../clusters.ts'
import { mapBlocks } from '../../map-blocks.ts'
import { logicalDigest } from '../../merge-sums.ts'
import { parseL2Entry } from '../entries.ts'
import { packQcow2 } from './pack.ts'

const digestOf = (sums: Parameters<typeof batchesOf>[0]) => logicalDigest(batchesOf(sums))
const inHex = (sums: Parameters<typeof batchesOf>[0]) =>
  sums.map(({ index, kind, sum }) => `${index} ${kind} ${Buffer.from(sum).toString('hex')}`)
const wholeDisk = (size: number): Extent[] => (size === 0 ? [] : [{ offset: 0, length: size, kind: 'data' }])
const mapped = (disk: Uint8Array, readers?: number) => mapBlocks(memoryBlocks(disk, readers), options)

describe.each(['deflate', 'zstd'] as const)('packQcow2 with %s', (codec) => {
  it.each(contentNames)('writes a full image that reads back, with the digest of a plain one: %s', async (content) => {
    const disk = contentOf(content, 70 * clusterBytes + 777, randomFrom(5))
    const plain = await fullImage(disk)
    const packed = await packedImage(await mapped(disk, 4), { covers: 'all', codec })
    const layer = await openImage(packed.file)
    expect((await readAll(layer)).equals(disk)).toBe(true)
    expect(layer.size).toBe(disk.length)
    expect(layer.metadataBytes).toBe(packed.metadataBytes)
    expect(await digestOf(packed.sums)).toBe(await digestOf(plain.sums))
    expect(inHex(packed.sums)).toEqual(inHex(plain.sums))
    const { counts } = packed
    expect(counts.packed + counts.plain).toBe(plain.sums.length)
    expect(counts.zero).toBe(0)
    expect(packed.size).toBe(packed.file.length)
    expect(packed.metadataBytes + packed.storedBytes).toBe(packed.size)
    expect(packed.dataBytes).toBe(plain.sums.length * clusterBytes)
    // Never larger than a plain one; the last cluster, mostly empty, can always be packed.
    expect(packed.size).toBeLessThanOrEqual(plain.file.length)
    if (content === 'text') expect(packed.storedBytes).toBeLessThan(packed.dataBytes / 2)
    if (content === 'random') expect(counts.plain).toBe(70)
  })

  it.each([0, 1, 511, 513, clusterBytes - 1, clusterBytes, clusterBytes + 1, 16 * clusterBytes, 17 * clusterBytes])(
    'keeps the exact size of a disk of %i bytes',
    async (size) => {
      const disk = text(size, randomFrom(size))
      const layer = await openImage((await packedImage(await mapped(disk), { covers: 'all', codec })).file)
      expect(layer.size).toBe(size)
      expect((await readAll(layer)).equals(disk)).toBe(true)
    },
  )

  it('gives the same bytes for any number of workers and readers, whatever the reads take', async () => {
    const disk = contentOf('mixed', 200 * clusterBytes, randomFrom(8))
    const files = await Promise.all(
      [1, 2, 3].map(async (workers) => {
        const random = randomFrom(workers)
        const source = memoryBlocks(disk, workers)
        const readInto: typeof source.readInto = async (...parameters) => {
          for (let turns = Math.floor(random() * 20); turns > 0; turns -= 1) await new Promise((resolve) => setImmediate(resolve))
          await source.readInto(...parameters)
        }
        return (await packedImage(withExtents({ ...source, readInto }, wholeDisk(disk.length)), { covers: 'all', codec, workers })).file
      }),
    )
    expect(files[0]?.equals(files[1] as Buffer)).toBe(true)
    expect(files[0]?.equals(files[2] as Buffer)).toBe(true)
  })

  it('reads each cluster of data once, at most as often at the same time as the source allows', async () => {
    for (const readers of [1, 2, 4]) {
      const disk = contentOf('mixed', 120 * clusterBytes, randomFrom(9))
      const source = memoryBlocks(disk, readers)
      const read: number[] = []
      const readInto: typeof source.readInto = async (target, offset, callOptions) => {
        for (let at = 0; at < target.length; at += clusterBytes) read.push((offset + at) / clusterBytes)
        await source.readInto(target, offset, callOptions)
      }
      const blocks = { ...withExtents({ ...source, readInto }, wholeDisk(disk.length)), readers }
      await packedImage(blocks, { covers: 'all', codec })
      expect(read.sort((one, other) => one - other)).toEqual(Array.from({ length: 120 }, (_, index) => index))
      expect(source.mostReads).toBe(readers)
    }
  })

  it('leaves zeros in the data of a full out, and makes them zero clusters among changes', async () => {
    const random = randomFrom(3)
    const disk = Buffer.concat([text(clusterBytes, random), Buffer.alloc(2 * clusterBytes), noise(clusterBytes, random)])
    const full = await packedImage(withExtents(memoryBlocks(disk), wholeDisk(disk.length)), { covers: 'all', codec })
    expect(full.counts).toEqual({ packed: 1, plain: 1, zero: 0 })
    expect(full.sums.map(({ index, kind }) => [index, kind])).toEqual([
      [0, 'data'],
      [3, 'data'],
    ])
    const changes = await packedImage(withExtents(memoryBlocks(disk), wholeDisk(disk.length)), { covers: 'changes', codec, backing: 'old' })
    expect(changes.counts).toEqual({ packed: 1, plain: 1, zero: 2 })
    const layer = await openImage(changes.file)
    expect(layer.backingName).toBe('old')
    expect(await all(layer.extents(options))).toEqual([
      { offset: 0, length: clusterBytes, kind: 'data' },
      { offset: clusterBytes, length: 2 * clusterBytes, kind: 'zero' },
      { offset: 3 * clusterBytes, length: clusterBytes, kind: 'data' },
    ])
    expect(changes.sums.map(({ index, kind }) => [index, kind])).toEqual([
      [0, 'data'],
      [1, 'zero'],
      [2, 'zero'],
      [3, 'data'],
    ])
  })

  it.each([1, 2, 3])('writes changes over an older image, with the sums of a plain one, seed %i', async (seed) => {
    const random = randomFrom(seed)
    const old = contentOf('mixed', 90 * clusterBytes + 5, random)
    const disk = contentOf('mixed', old.length, random)
    const extents = Array.from({ length: clustersOf(disk.length) }, (_, index): Extent => {
      const offset = index * clusterBytes
      const length = Math.min(clusterBytes, disk.length - offset)
      return { offset, length, kind: isZero(disk.subarray(offset, offset + length)) ? 'zero' : 'data' }
    }).filter(() => random() < 0.6)
    const merged = Buffer.from(old)
    for (const { offset, length } of extents) disk.copy(merged, offset, offset, offset + length)
    const encode = { covers: 'changes', backing: '../old.qcow2' } as const
    const changes = await packedImage(withExtents(memoryBlocks(disk, 2), extents), { ...encode, codec })
    const plain = await imageOf(withExtents(memoryBlocks(disk, 2), extents), encode)
    expect(inHex(changes.sums)).toEqual(inHex(plain.sums))
    const base = await packedImage(await mapped(old), { covers: 'all', codec })
    const view = chainView([await openImage(changes.file), await openImage(base.file)], disk.length)
    expect((await readAll(view)).equals(merged)).toBe(true)
  })

  it('writes the header last, so a file that was cut is no image', async () => {
    const target = memoryTarget()
    const blocks = await mapped(contentOf('mixed', 100 * clusterBytes, randomFrom(1)))
    await packQcow2(blocks, target, { covers: 'all', codec, signal: never })
    expect(target.writes.at(-1)).toBe(0)
    expect(target.writes.indexOf(0)).toBe(target.writes.length - 1)
  })

  it('fills what is left of a cluster of the file with zeros, not with what was in memory', async () => {
    const random = randomFrom(12)
    // Packed to a little more than half: those of 150 clusters do not fit what is gathered for one write.
    const half = () => Buffer.concat([noise(clusterBytes / 2, random), Buffer.alloc(clusterBytes / 2)])
    const { file, metadataBytes, counts } = await packedImage(await mapped(Buffer.concat(Array.from({ length: 150 }, half))), {
      covers: 'all',
      codec,
    })
    expect(counts.packed).toBe(150)
    const rest = Buffer.from(file.subarray(metadataBytes))
    const l2 = file.subarray(metadataBytes - clusterBytes, metadataBytes)
    for (let index = 0; index < 150; index += 1) {
      const { offset, stored } = parseL2Entry(l2, index, index, clusterBytes, { version: 3, fileSize: file.length })
      rest.fill(0, offset - metadataBytes, offset - metadataBytes + stored)
    }
    expect(isZero(rest)).toBe(true)
  })

  it('gives tables a place, and leaves it empty, when what the source calls data is zero', async () => {
    const size = 5 * 8192 * clusterBytes
    const source = { ...memoryBlocks(Buffer.alloc(0)), size, readInto: async (target: Uint8Array) => void target.fill(0) }
    const extents = [0, 2, 4].map((slot): Extent => ({ offset: (slot * 8192 + 9) * clusterBytes, length: clusterBytes, kind: 'data' }))
    const image = await packedImage(withExtents(source, extents), { covers: 'all', codec })
    expect(image.size).toBe(image.metadataBytes)
    expect(image.sums).toEqual([])
    const layer = await openImage(image.file)
    expect(await all(layer.extents(options))).toEqual([])
    expect(layer.size).toBe(size)
  })
})
