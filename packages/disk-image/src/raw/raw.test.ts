import { describe, expect, it } from 'vitest'
import { watchHeldMemory } from '../../test/held-memory.ts'
import { all, change, collect, failure, memoryBlocks, noise, options, randomFrom, withExtents } from '../../test/support.ts'
import type { Extent, MappedBlocks } from '../blocks.ts'
import { clusterBytes } from '../clusters.ts'
import { DiskImageError } from '../errors.ts'
import { mapBlocks } from '../map-blocks.ts'
import { encodeRaw } from './encode.ts'
import { rawExtents } from './extents.ts'

const mebibyte = 2 ** 20
const tebibyte = 2 ** 40
const ceiling = 8 * mebibyte
const mapped = (disk: Uint8Array, readers?: number) => mapBlocks(memoryBlocks(disk, readers), options)

function sparseDisk(size: number, extents: readonly Extent[]): MappedBlocks {
  const piece = noise(clusterBytes, randomFrom(5))
  const fill = async (target: Uint8Array) => void Buffer.from(target.buffer, target.byteOffset, target.length).fill(piece)
  return withExtents({ ...memoryBlocks(piece), size, readInto: fill }, extents)
}

describe('a disk as its bytes', () => {
  it.each([0, 1, 511, 512, 513, clusterBytes - 1, clusterBytes, clusterBytes + 1, 5 * clusterBytes + 77, 3 * mebibyte + 1])(
    'has exactly the size of the disk, with %i bytes',
    async (size) => {
      for (const disk of [noise(size, randomFrom(size)), Buffer.alloc(size)]) {
        const encoded = encodeRaw(await mapped(disk))
        const bytes = await collect(encoded.open(options))
        expect([encoded.size, bytes.length]).toEqual([size, size])
        expect(bytes.equals(disk)).toBe(true)
      }
    },
  )

  it.each([1, 2, 3, 4, 5, 6, 7, 8])('is the disk, also a second time, and by position, seed %i', async (seed) => {
    const random = randomFrom(seed)
    const disk = Buffer.alloc(20 * mebibyte + Math.floor(random() * mebibyte))
    change(disk, random, 120)
    const source = await mapped(disk, seed)
    const encoded = encodeRaw(source)
    for (let round = 0; round < 2; round += 1) expect((await collect(encoded.open(options))).equals(disk)).toBe(true)
    const built = Buffer.alloc(disk.length)
    let after = 0
    for await (const { offset, bytes } of rawExtents(source, options)) {
      expect(offset).toBeGreaterThanOrEqual(after)
      built.set(bytes, offset)
      after = offset + bytes.length
    }
    expect(built.equals(disk)).toBe(true)
  })

  it('reads nothing of what is zero, and takes explicit zeros for what they are', async () => {
    const disk = noise(6 * clusterBytes, randomFrom(3))
    const reads: number[] = []
    const source = withExtents(
      {
        ...memoryBlocks(disk),
        async readInto(target, offset, given) {
          reads.push(offset)
          await memoryBlocks(disk).readInto(target, offset, given)
        },
      },
      [
        { offset: 0, length: clusterBytes, kind: 'zero' },
        { offset: 2 * clusterBytes, length: clusterBytes, kind: 'data' },
        { offset: 5 * clusterBytes, length: clusterBytes, kind: 'zero' },
      ],
    )
    const expected = Buffer.alloc(disk.length)
    disk.copy(expected, 2 * clusterBytes, 2 * clusterBytes, 3 * clusterBytes)
    expect((await collect(encodeRaw(source).open(options))).equals(expected)).toBe(true)
    expect(reads).toEqual([2 * clusterBytes])
    expect((await all(rawExtents(source, options))).map(({ offset, bytes }) => [offset, bytes.length])).toEqual([
      [2 * clusterBytes, clusterBytes],
    ])
  })

  it('is not spoilt by a reader who writes into the chunks he is lent', async () => {
    const disk = Buffer.alloc(8 * mebibyte)
    noise(clusterBytes, randomFrom(1)).copy(disk, 3 * mebibyte)
    const copies: Buffer[] = []
    for await (const chunk of encodeRaw(await mapped(disk)).open(options)) {
      copies.push(Buffer.from(chunk))
      chunk.fill(0xff)
    }
    expect(Buffer.concat(copies).equals(disk)).toBe(true)
  })

  it('keeps as many reads under way as the source takes, while the reader has a chunk', async () => {
    const source = memoryBlocks(noise(16 * mebibyte, randomFrom(2)), 3)
    for await (const _ of encodeRaw(withExtents({ ...source }, [{ offset: 0, length: source.size, kind: 'data' }])).open(options));
    expect(source.mostReads).toBe(1)
    const several = { ...withExtents(source, [{ offset: 0, length: source.size, kind: 'data' }]), readers: 3 }
    for await (const _ of encodeRaw(several).open(options));
    expect(source.mostReads).toBe(3)
  })

  it('ends with what the source throws, after all that came before it', async () => {
    const disk = noise(4 * mebibyte, randomFrom(9))
    const broken = new DiskImageError('CHECKSUM_MISMATCH', 'the cluster differs')
    const source = withExtents(
      {
        ...memoryBlocks(disk),
        async readInto(target, offset, given) {
          if (offset + target.length > 2 * mebibyte) throw broken
          await memoryBlocks(disk).readInto(target, offset, given)
        },
      },
      [{ offset: 0, length: disk.length, kind: 'data' }],
    )
    const got: Buffer[] = []
    await expect(
      (async () => {
        for await (const chunk of encodeRaw(source).open(options)) got.push(Buffer.from(chunk))
      })(),
    ).rejects.toBe(broken)
    expect(Buffer.concat(got).equals(disk.subarray(0, 2 * mebibyte))).toBe(true)
  })

  it.each(['data', 'zeros'] as const)('ends with the reason of the signal, in the middle of %s', async (where) => {
    const disk = where === 'data' ? noise(16 * mebibyte, randomFrom(1)) : Buffer.alloc(16 * mebibyte)
    const controller = new AbortController()
    let chunks = 0
    const read = async () => {
      for await (const _ of encodeRaw(await mapped(disk)).open({ signal: controller.signal })) {
        chunks += 1
        controller.abort(new Error('enough'))
      }
    }
    expect(await failure(read)).toMatchObject({ message: 'enough' })
    expect(chunks).toBe(1)
  })

  it('refuses extents that are not in order, and a size that is none', async () => {
    const extent = (offset: number): Extent => ({ offset, length: clusterBytes, kind: 'data' })
    const source = sparseDisk(4 * clusterBytes, [extent(clusterBytes), extent(0)])
    expect(await failure(() => collect(encodeRaw(source).open(options)))).toMatchObject({ code: 'INVALID_OPTIONS' })
    expect(await failure(() => all(rawExtents(source, options)))).toMatchObject({ code: 'INVALID_OPTIONS' })
    expect(() => encodeRaw(sparseDisk(-1, []))).toThrow(DiskImageError)
    expect(await failure(() => all(rawExtents(sparseDisk(Number.NaN, []), options)))).toMatchObject({ code: 'INVALID_OPTIONS' })
  })
})

describe('memory for a disk of 1 TiB', () => {
  const size = tebibyte
  const extents = Array.from({ length: 64 }, (_, place): Extent => ({ offset: place * 2 ** 34, length: 4 * clusterBytes, kind: 'data' }))

  it('stays under a ceiling while 24 GiB of it pass', async () => {
    const encoded = encodeRaw(sparseDisk(size, extents))
    expect(encoded.size).toBe(size)
    const memory = watchHeldMemory(ceiling)
    let length = 0
    for await (const chunk of encoded.open(options)) {
      length += chunk.length
      memory.look()
      if (length > 24 * 2 ** 30) break
    }
    expect(memory.growth()).toBeLessThan(ceiling)
  })

  it('stays under it while all of its data passes by position', async () => {
    const memory = watchHeldMemory(ceiling)
    let length = 0
    for await (const { bytes } of rawExtents(sparseDisk(size, extents), options)) {
      length += bytes.length
      memory.look()
    }
    expect(length).toBe(64 * 4 * clusterBytes)
    expect(memory.growth()).toBeLessThan(ceiling)
  })
})
