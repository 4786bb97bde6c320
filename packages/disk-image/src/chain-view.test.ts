import { describe, expect, it } from 'vitest'
import {
  all,
  batchesOf,
  change,
  failure,
  fullImage,
  type Image,
  imageOf,
  memoryBlocks,
  noise,
  openImage,
  options,
  randomFrom,
  readAll,
} from '../test/support.ts'
import { chainView } from './chain-view.ts'
import { changedBlocks } from './changed-blocks.ts'
import { clusterBytes } from './clusters.ts'
import { mapBlocks } from './map-blocks.ts'
import { logicalDigest, overlaySums } from './merge-sums.ts'

const layersOf = (images: readonly Image[]) => images.map(({ size, sums }) => ({ size, batches: batchesOf(sums) }))
const mergedSums = (images: readonly Image[]) => overlaySums(layersOf(images))

/** The next point of a chain, newest first, found by content. */
async function increment(disk: Buffer, chain: readonly Image[]): Promise<Image> {
  const blocks = await changedBlocks(memoryBlocks(Buffer.from(disk), 2), mergedSums(chain), { ...options, baseSize: chain[0]?.size ?? 0 })
  return imageOf(blocks, { covers: 'changes', backing: 'older.qcow2' })
}

async function view(chain: readonly Image[], size: number) {
  return chainView(await Promise.all(chain.map(({ file }) => openImage(file))), size)
}

describe('a chain of increments found by content', () => {
  it.each([1, 2, 3, 4, 5, 6, 7, 8])(
    'reads as the disk was at each of 10 points, while it grows and shrinks, seed %i',
    { timeout: 60_000 },
    async (seed) => {
      const random = randomFrom(seed)
      let disk = Buffer.alloc(Math.floor(random() * 3_000_000))
      change(disk, random, 8)
      let chain: readonly Image[] = [await fullImage(disk)]
      for (let point = 0; point < 9; point += 1) {
        if (random() < 0.4) {
          const resized = Buffer.alloc(Math.max(1, disk.length + Math.floor((random() - 0.5) * 1_500_000)))
          disk.copy(resized)
          disk = resized
        }
        change(disk, random, 3)
        chain = [await increment(disk, chain), ...chain]
        expect((await readAll(await view(chain, disk.length))).equals(disk), `point ${point}`).toBe(true)
        const fresh = await fullImage(disk)
        expect(await logicalDigest(mergedSums(chain))).toBe(await logicalDigest(batchesOf(fresh.sums)))
      }
      const merged = await imageOf(await view(chain, disk.length), { covers: 'all' })
      expect((await readAll(await openImage(merged.file))).equals(disk)).toBe(true)
      expect(await logicalDigest(batchesOf(merged.sums))).toBe(await logicalDigest(mergedSums(chain)))
    },
  )

  it('finds nothing when nothing changed', async () => {
    const disk = noise(10 * clusterBytes + 5, randomFrom(1))
    const base = await fullImage(disk)
    const blocks = await changedBlocks(memoryBlocks(disk), batchesOf(base.sums), { ...options, baseSize: disk.length })
    expect(await all(blocks.extents(options))).toEqual([])
  })

  it('finds one changed bit, and a cluster that became zero', async () => {
    const disk = noise(10 * clusterBytes, randomFrom(2))
    const base = await fullImage(disk)
    disk.writeUInt8(disk.readUInt8(4 * clusterBytes + 99) ^ 4, 4 * clusterBytes + 99)
    disk.fill(0, 7 * clusterBytes, 8 * clusterBytes)
    const blocks = await changedBlocks(memoryBlocks(disk), batchesOf(base.sums), { ...options, baseSize: disk.length })
    expect(await all(blocks.extents(options))).toEqual([
      { offset: 4 * clusterBytes, length: clusterBytes, kind: 'data' },
      { offset: 7 * clusterBytes, length: clusterBytes, kind: 'zero' },
    ])
  })

  it('does not take for unchanged what a smaller base had cut off', async () => {
    const disk = noise(4 * clusterBytes, randomFrom(3))
    const base = await fullImage(disk)
    const blocks = await changedBlocks(memoryBlocks(disk), batchesOf(base.sums), { ...options, baseSize: clusterBytes })
    expect(await all(blocks.extents(options))).toEqual([{ offset: clusterBytes, length: 3 * clusterBytes, kind: 'data' }])
  })

  it('refuses sums that are out of order, and disposes the source', async () => {
    const source = memoryBlocks(noise(3 * clusterBytes, randomFrom(4)))
    const { sums } = await fullImage(noise(3 * clusterBytes, randomFrom(4)))
    const error = await failure(() => changedBlocks(source, batchesOf([...sums].reverse()), { ...options, baseSize: source.size }))
    expect(error).toMatchObject({ code: 'INVALID_OPTIONS' })
    expect(source.disposals).toBe(1)
  })
})

describe('chainView', () => {
  it.each([1, 2, 3, 4])('reads any range from many readers at once, seed %i', async (seed) => {
    const random = randomFrom(seed)
    const disk = Buffer.alloc(2_000_000 + seed)
    change(disk, random, 10)
    const base = await fullImage(disk)
    change(disk, random, 5)
    const whole = await view([await increment(disk, [base]), base], disk.length)
    const reads = Array.from({ length: 40 }, async () => {
      const start = Math.floor(random() * disk.length)
      const part = Buffer.alloc(Math.floor(random() * (disk.length - start)), 0xee)
      await whole.readInto(part, start, options)
      return part.equals(disk.subarray(start, start + part.length))
    })
    expect(await Promise.all(reads)).toEqual(reads.map(() => true))
  })

  it('of the newest layers only is the change since the older point: zeros are explicit, gaps stay gaps', async () => {
    const disk = noise(6 * clusterBytes, randomFrom(5))
    const base = await fullImage(disk)
    disk.fill(0, clusterBytes, 2 * clusterBytes)
    const second = await increment(disk, [base])
    noise(clusterBytes, randomFrom(6)).copy(disk, 4 * clusterBytes)
    const third = await increment(disk, [second, base])
    expect(await all((await view([third, second], disk.length)).extents(options))).toEqual([
      { offset: clusterBytes, length: clusterBytes, kind: 'zero' },
      { offset: 4 * clusterBytes, length: clusterBytes, kind: 'data' },
    ])
  })

  it('reads zeros past the end of a smaller layer', async () => {
    const disk = noise(3 * clusterBytes, randomFrom(7))
    const base = await fullImage(disk)
    const grown = await imageOf(
      await changedBlocks(memoryBlocks(Buffer.concat([disk, Buffer.alloc(100_000)])), batchesOf(base.sums), {
        ...options,
        baseSize: disk.length,
      }),
      { covers: 'changes' },
    )
    const bytes = await readAll(await view([grown, base], disk.length + 100_000))
    expect(bytes.subarray(0, disk.length).equals(disk)).toBe(true)
    expect(bytes.subarray(disk.length).equals(Buffer.alloc(100_000))).toBe(true)
  })

  it('of no layers is a disk of zeros', async () => {
    const bytes = await readAll(chainView([], 100_000))
    expect(bytes.equals(Buffer.alloc(100_000))).toBe(true)
  })

  it('survives the abort of the reader that came first', async () => {
    const disk = noise(4 * clusterBytes, randomFrom(8))
    const whole = chainView([await mapBlocks(memoryBlocks(disk), options)], disk.length)
    const stop = new AbortController()
    const part = Buffer.alloc(clusterBytes)
    const first = whole.readInto(Buffer.alloc(clusterBytes), 0, { signal: stop.signal })
    const second = whole.readInto(part, clusterBytes, options)
    stop.abort(new Error('enough'))
    await expect(first).rejects.toThrow('enough')
    await second
    expect(part.equals(disk.subarray(clusterBytes, 2 * clusterBytes))).toBe(true)
  })

  it('disposes every layer, also when one fails', async () => {
    const good = memoryBlocks(Buffer.alloc(10))
    const broken = { ...memoryBlocks(Buffer.alloc(10)), [Symbol.asyncDispose]: () => Promise.reject(new Error('stuck')) }
    const whole = chainView([await mapBlocks(broken, options), await mapBlocks(good, options)], 10)
    await expect(whole[Symbol.asyncDispose]()).rejects.toThrow('stuck')
    expect(good.disposals).toBe(1)
  })

  it('passes the error of a layer on', async () => {
    const stuck = { [Symbol.asyncIterator]: () => ({ next: () => Promise.reject(new Error('no map')) }) }
    const broken = { ...memoryBlocks(Buffer.alloc(clusterBytes)), extents: () => stuck }
    await expect(readAll(chainView([broken], clusterBytes))).rejects.toThrow('no map')
    await expect(all(chainView([broken], clusterBytes).extents(options))).rejects.toThrow('no map')
  })
})
