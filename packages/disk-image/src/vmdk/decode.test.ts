import { deflateSync } from 'node:zlib'
import { describe, expect, it } from 'vitest'
import { watchHeldMemory } from '../../test/held-memory.ts'
import { change, collect, failure, memoryBlocks, noise, options, randomFrom } from '../../test/support.ts'
import { type BuiltGrain, type BuiltVmdk, buildVmdk, type VmdkParts } from '../../test/vmdk-builder.ts'
import type { ByteStream } from '../blocks.ts'
import { clusterBytes } from '../clusters.ts'
import { DiskImageError } from '../errors.ts'
import { mapBlocks } from '../map-blocks.ts'
import { decodeVmdkStream } from './decode.ts'
import { encodeVmdk } from './encode.ts'
import { scanVmdk } from './scan.ts'

/** In chunks of this size; what was lent is overwritten, as fast sources do. */
async function* streamOf(bytes: Uint8Array, chunkBytes = 70_001): AsyncGenerator<Uint8Array, void, undefined> {
  const lent = Buffer.alloc(chunkBytes)
  for (let at = 0; at < bytes.length; at += chunkBytes) {
    const part = bytes.subarray(at, at + chunkBytes)
    lent.set(part)
    yield lent.subarray(0, part.length)
    lent.fill(0xee)
  }
}

/** The disk of a stream, and its clusters in the order in which they came. */
async function decoded(stream: ByteStream): Promise<{ readonly disk: Buffer; readonly order: readonly number[] }> {
  const { size, clusters } = await decodeVmdkStream(stream, options)
  const disk = Buffer.alloc(size)
  const order: number[] = []
  for await (const { index, bytes } of clusters) {
    order.push(index)
    disk.set(bytes, index * clusterBytes)
  }
  return { disk, order }
}

const decode = (file: Uint8Array, chunkBytes?: number) => decoded(streamOf(file, chunkBytes))
const scan = async (file: Uint8Array) => {
  const scanner = scanVmdk()
  for await (const chunk of streamOf(file)) scanner.write(chunk)
  scanner.end()
}

/** Grains of these clusters of a disk, in this order. */
const grainsOf = (disk: Buffer, numbers: readonly number[], grainSectors = 128): BuiltGrain[] =>
  numbers.map((number) => ({
    sector: number * grainSectors,
    bytes: disk.subarray(number * grainSectors * 512, (number + 1) * grainSectors * 512),
  }))

describe('a streamOptimized VMDK that passes', () => {
  it.each([1, 2, 3])('is decoded as its disk, whatever the chunks are, seed %i', async (seed) => {
    const random = randomFrom(seed)
    const disk = Buffer.alloc(40 * clusterBytes + 512 * Math.floor(random() * 128))
    change(disk, random, 30)
    const source = await mapBlocks(memoryBlocks(disk), options)
    for (const form of ['deflated', 'stored'] as const) {
      const file = await collect((await encodeVmdk(source, { ...options, form })).open(options))
      for (const chunkBytes of [511, 512, 65_536, file.length]) expect((await decode(file, chunkBytes)).disk.equals(disk)).toBe(true)
      await scan(file)
    }
  })

  it('gives its clusters once, in the order of the file', async () => {
    const disk = noise(10 * clusterBytes, randomFrom(1))
    const order = [4, 1, 9, 0, 2]
    const { file } = buildVmdk({ capacity: 1280, grains: grainsOf(disk, order) })
    const read = await decode(file)
    expect(read.order).toEqual(order)
    for (const index of Array.from({ length: 10 }, (_, at) => at)) {
      const expected = order.includes(index) ? disk.subarray(index * clusterBytes, (index + 1) * clusterBytes) : Buffer.alloc(clusterBytes)
      expect(read.disk.subarray(index * clusterBytes, (index + 1) * clusterBytes).equals(expected), `${index}`).toBe(true)
    }
  })

  it.each([8, 64, 256, 2048])('may have grains of %i sectors, of which the last is short or goes over the end', async (grainSectors) => {
    const size = 3 * 1024 * 1024 + 3 * 4096 + 512
    const disk = noise(size, randomFrom(grainSectors))
    const grains = Math.ceil(size / (grainSectors * 512))
    const numbers = Array.from({ length: grains }, (_, at) => at)
    const short = buildVmdk({ capacity: size / 512, grainSectors, grains: grainsOf(disk, numbers, grainSectors) })
    expect((await decode(short.file)).disk.equals(disk)).toBe(true)
    const over = Buffer.concat([disk, Buffer.alloc(grains * grainSectors * 512 - size, 7)])
    const full = buildVmdk({ capacity: size / 512, grainSectors, grains: grainsOf(over, numbers, grainSectors) })
    expect((await decode(full.file)).disk.equals(disk)).toBe(true)
  })

  it('joins small grains of a cluster that has only some of them, and refuses them when they are out of order', async () => {
    const disk = noise(4 * clusterBytes, randomFrom(9))
    const capacity = disk.length / 512
    const some = buildVmdk({ capacity, grainSectors: 8, grains: grainsOf(disk, [3, 15, 16, 40], 8) })
    const read = await decode(some.file)
    expect(read.order).toEqual([0, 1, 2])
    const expected = Buffer.alloc(disk.length)
    for (const number of [3, 15, 16, 40]) disk.copy(expected, number * 4096, number * 4096, (number + 1) * 4096)
    expect(read.disk.equals(expected)).toBe(true)
    const mixed = buildVmdk({ capacity, grainSectors: 8, grains: grainsOf(disk, [3, 16, 4], 8) })
    expect(await failure(() => decode(mixed.file))).toMatchObject({ code: 'UNSUPPORTED_FORMAT' })
  })

  it('of no bytes at all is a disk', async () => {
    expect((await decode(buildVmdk({ capacity: 0, grains: [] }).file)).disk.length).toBe(0)
  })

  it('has memory for a few grains only, however small they are packed', async () => {
    const grainBytes = 1024 * 1024
    const packed = deflateSync(Buffer.alloc(grainBytes))
    const grains = Array.from({ length: 1000 }, (_, at) => ({ sector: at * 2048, bytes: Buffer.alloc(0), packed }))
    const { file } = buildVmdk({ capacity: 1000 * 2048, grainSectors: 2048, grains })
    const ceiling = 40 * 1024 * 1024
    const memory = watchHeldMemory(ceiling)
    const { clusters } = await decodeVmdkStream(streamOf(file, file.length), options)
    for await (const { index } of clusters) if (index % 4 === 0) memory.look()
    expect(memory.growth()).toBeLessThan(ceiling)
  })
})

describe('a stream', () => {
  const { file } = buildVmdk({
    capacity: 2560,
    grains: grainsOf(noise(20 * clusterBytes, randomFrom(3)), [0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12]),
  })
  /** Counts what happens to a stream that breaks after so many bytes. */
  const watched = (length: number, error?: Error) => {
    const seen = { returned: 0, disposed: 0 }
    async function* chunks(): AsyncGenerator<Uint8Array, void, undefined> {
      try {
        yield* streamOf(file.subarray(0, length))
        if (error !== undefined) throw error
      } finally {
        seen.returned += 1
      }
    }
    const iterator = chunks()
    const stream: ByteStream = {
      [Symbol.asyncIterator]: () => iterator,
      async [Symbol.asyncDispose]() {
        seen.disposed += 1
      },
    }
    return { stream, seen }
  }

  it('is closed once when it was read to its end, when it breaks, and when nobody wants it any more', async () => {
    const whole = watched(file.length)
    await decoded(whole.stream)
    expect(whole.seen).toEqual({ returned: 1, disposed: 1 })
    const error = new Error('connection reset')
    const broken = watched(300_000, error)
    await expect(decoded(broken.stream)).rejects.toBe(error)
    expect(broken.seen).toEqual({ returned: 1, disposed: 1 })
    const early = watched(1000, error)
    await expect(decoded(early.stream)).rejects.toBe(error)
    expect(early.seen).toEqual({ returned: 1, disposed: 1 })
    const left = watched(file.length)
    for await (const { index } of (await decodeVmdkStream(left.stream, options)).clusters) if (index >= 0) break
    expect(left.seen).toEqual({ returned: 1, disposed: 1 })
    const unread = watched(file.length)
    const opened = await decodeVmdkStream(unread.stream, options)
    await opened[Symbol.asyncDispose]()
    await opened[Symbol.asyncDispose]()
    expect(unread.seen).toEqual({ returned: 1, disposed: 1 })
  })

  it('is given up with the reason of its signal', async () => {
    const aborting = new AbortController()
    const reason = new Error('enough')
    const { stream, seen } = watched(file.length)
    const { clusters } = await decodeVmdkStream(stream, aborting)
    const reading = (async () => {
      for await (const { index } of clusters) if (index === 1) aborting.abort(reason)
    })()
    await expect(reading).rejects.toBe(reason)
    expect(seen).toEqual({ returned: 1, disposed: 1 })
    const late = watched(file.length)
    await expect(decodeVmdkStream(late.stream, aborting)).rejects.toBe(reason)
    expect(late.seen.disposed).toBe(1)
  })
})

describe('a VMDK that is not what it should be', () => {
  const disk = noise(6 * clusterBytes, randomFrom(5))
  const parts: VmdkParts = { capacity: disk.length / 512, grains: grainsOf(disk, [0, 2, 3, 5]) }
  const good = buildVmdk(parts)
  const eos = good.file.length - 512
  const changed = (mutate: (file: Buffer, good: BuiltVmdk) => unknown): Buffer => {
    const file = Buffer.from(good.file)
    mutate(file, good)
    return file
  }
  const withGrain = (...grains: readonly BuiltGrain[]): Buffer => buildVmdk({ ...parts, grains: [...parts.grains, ...grains] }).file
  const bytes = disk.subarray(4 * clusterBytes, 5 * clusterBytes)
  const damagedAdler = deflateSync(bytes)
  damagedAdler.writeUInt8((damagedAdler.at(-1) ?? 0) ^ 1, damagedAdler.length - 1)
  const bomb = deflateSync(Buffer.alloc(100 * 1024 * 1024))

  /** `both`: found without unpacking grains. */
  const cases: readonly [name: string, code: string, file: () => Buffer, found?: 'both' | 'decoding'][] = [
    ['nothing at all', 'TRUNCATED', () => Buffer.alloc(0)],
    ['no magic', 'IMAGE_DAMAGED', () => changed((file) => file.writeUInt8(0, 0))],
    ['an error page in its place', 'IMAGE_DAMAGED', () => Buffer.from('<html>'.padEnd(2000, ' '))],
    ['version 4', 'UNSUPPORTED_FORMAT', () => changed((file) => file.writeUInt32LE(4, 4))],
    ['a marker of type 4', 'IMAGE_DAMAGED', () => changed((file) => file.writeUInt32LE(4, eos + 12))],
    ['a marker of type 2^32-1', 'IMAGE_DAMAGED', () => changed((file, { table }) => file.writeUInt32LE(2 ** 32 - 1, table - 512 + 12))],
    ['an end-of-stream marker before its end', 'IMAGE_DAMAGED', () => changed((file, { table }) => file.fill(0, table - 512, table))],
    ['bytes after the end-of-stream marker', 'IMAGE_DAMAGED', () => Buffer.concat([good.file, Buffer.alloc(1)])],
    ['a second image behind it', 'IMAGE_DAMAGED', () => Buffer.concat([good.file, good.file])],
    ['an end-of-stream marker with a length', 'IMAGE_DAMAGED', () => changed((file) => file.writeBigUInt64LE(1n, eos))],
    ['bytes in the end-of-stream marker', 'IMAGE_DAMAGED', () => changed((file) => file.writeUInt8(1, file.length - 1))],
    ['no footer', 'IMAGE_DAMAGED', () => changed((file, { footer }) => file.fill(0, footer - 512, footer))],
    ['two footers', 'IMAGE_DAMAGED', () => changed((file) => file.writeUInt32LE(3, eos + 12))],
    ['a footer without magic', 'IMAGE_DAMAGED', () => changed((file, { footer }) => file.writeUInt8(0, footer))],
    [
      'a footer that does not know the directory',
      'IMAGE_DAMAGED',
      () => changed((file, { footer }) => file.writeBigUInt64LE(2n ** 64n - 1n, footer + 56)),
    ],
    ['a footer of another disk', 'IMAGE_DAMAGED', () => changed((file, { footer }) => file.writeBigUInt64LE(128n, footer + 12))],
    [
      'a footer although the header has a directory',
      'IMAGE_DAMAGED',
      () => changed((file, { directory }) => file.writeBigUInt64LE(BigInt(directory / 512), 56)),
    ],
    [
      'a grain of more than twice its size',
      'IMAGE_DAMAGED',
      () => withGrain({ sector: 512, bytes, packed: Buffer.alloc(2 * clusterBytes + 1) }),
    ],
    [
      'a grain of 2^32-1 packed bytes',
      'IMAGE_DAMAGED',
      () => changed((file, { grains }) => file.writeUInt32LE(2 ** 32 - 1, (grains[0] as number) + 8)),
    ],
    ['an inflate bomb', 'IMAGE_DAMAGED', () => withGrain({ sector: 512, bytes, packed: bomb }), 'decoding'],
    ['a wrong adler checksum', 'IMAGE_DAMAGED', () => withGrain({ sector: 512, bytes, packed: damagedAdler }), 'decoding'],
    [
      'a flipped bit in a grain',
      'IMAGE_DAMAGED',
      () => changed((file, { grains }) => file.writeUInt8((file[(grains[1] as number) + 30_000] ?? 0) ^ 4, (grains[1] as number) + 30_000)),
      'decoding',
    ],
    [
      'a grain that is cut',
      'IMAGE_DAMAGED',
      () => withGrain({ sector: 512, bytes, packed: deflateSync(bytes).subarray(0, 20_000) }),
      'decoding',
    ],
    [
      'a grain that is too short',
      'IMAGE_DAMAGED',
      () => withGrain({ sector: 512, bytes, packed: deflateSync(bytes.subarray(1)) }),
      'decoding',
    ],
    [
      'raw deflate without a header',
      'IMAGE_DAMAGED',
      () => withGrain({ sector: 512, bytes, packed: bytes.subarray(0, 60_000) }),
      'decoding',
    ],
    ['a sector of 2^64-128', 'IMAGE_DAMAGED', () => withGrain({ sector: 2n ** 64n - 128n, bytes })],
    ['a grain just behind the disk', 'IMAGE_DAMAGED', () => withGrain({ sector: disk.length / 512, bytes })],
    ['a grain between two grains', 'IMAGE_DAMAGED', () => withGrain({ sector: 513, bytes })],
    ['a grain that comes twice', 'IMAGE_DAMAGED', () => withGrain({ sector: 256, bytes })],
    ['capacity 2^63', 'IMAGE_DAMAGED', () => changed((file) => file.writeBigUInt64LE(2n ** 63n, 12))],
    [
      '64 TiB of grains of 4 KiB',
      'IMAGE_DAMAGED',
      () =>
        changed((file) => {
          file.writeBigUInt64LE(2n ** 37n, 12)
          file.writeBigUInt64LE(8n, 20)
        }),
    ],
    ['grains of 2 MiB', 'IMAGE_DAMAGED', () => changed((file) => file.writeBigUInt64LE(4096n, 20))],
    ['grains of 100 sectors', 'IMAGE_DAMAGED', () => changed((file) => file.writeBigUInt64LE(100n, 20))],
    ['tables of 1 entry', 'IMAGE_DAMAGED', () => changed((file) => file.writeUInt32LE(1, 44))],
    ['no overhead', 'IMAGE_DAMAGED', () => changed((file) => file.writeBigUInt64LE(0n, 64))],
    ['an overhead beyond its end', 'TRUNCATED', () => changed((file) => file.writeBigUInt64LE(2n ** 40n, 64))],
    [
      'an overhead beyond its end, with a directory in it',
      'IMAGE_DAMAGED',
      () =>
        changed((file) => {
          file.writeBigUInt64LE(2n ** 40n, 64)
          file.writeBigUInt64LE(21n, 56)
        }),
    ],
    ['compression 0', 'UNSUPPORTED_FORMAT', () => changed((file) => file.writeUInt16LE(0, 77))],
    ['compression 2', 'UNSUPPORTED_FORMAT', () => changed((file) => file.writeUInt16LE(2, 77))],
    ['no compressed grains (bit 16)', 'UNSUPPORTED_FORMAT', () => changed((file) => file.writeUInt32LE(0x20001, 8))],
    ['no markers (bit 17)', 'UNSUPPORTED_FORMAT', () => changed((file) => file.writeUInt32LE(0x10001, 8))],
    ['a transfer as text', 'IMAGE_DAMAGED', () => changed((file) => file.writeUInt8(0x0a, 75))],
    [
      'only the changes of another image',
      'UNSUPPORTED_FORMAT',
      () => buildVmdk({ ...parts, descriptor: 'CID=1\nparentCID=12345678\n' }).file,
    ],
    ['a descriptor of 2^30 sectors', 'IMAGE_DAMAGED', () => changed((file) => file.writeBigUInt64LE(2n ** 30n, 36))],
    ['a descriptor behind the grains', 'IMAGE_DAMAGED', () => changed((file) => file.writeBigUInt64LE(1000n, 28))],
    ['a table of 2^60 sectors', 'IMAGE_DAMAGED', () => changed((file, { table }) => file.writeBigUInt64LE(2n ** 60n, table - 512))],
    ['a table of no sectors', 'IMAGE_DAMAGED', () => changed((file, { table }) => file.writeBigUInt64LE(0n, table - 512))],
    ['a table that lacks a grain', 'IMAGE_DAMAGED', () => changed((file, { table }) => file.writeUInt32LE(0, table + 8))],
    [
      'a table that names a grain that did not come',
      'IMAGE_DAMAGED',
      () => changed((file, { table }) => file.writeUInt32LE(128, table + 4)),
    ],
    [
      'a table with two grains exchanged',
      'IMAGE_DAMAGED',
      () =>
        changed((file, { table }) => {
          const [one, other] = [file.readUInt32LE(table + 8), file.readUInt32LE(table + 12)]
          file.writeUInt32LE(other, table + 8)
          file.writeUInt32LE(one, table + 12)
        }),
    ],
    ['a directory without its table', 'IMAGE_DAMAGED', () => changed((file, { directory }) => file.writeUInt32LE(0, directory))],
    ['a directory that names no table', 'IMAGE_DAMAGED', () => changed((file, { directory }) => file.writeUInt32LE(128, directory))],
    [
      'a directory where none is',
      'IMAGE_DAMAGED',
      () => changed((file, { footer, table }) => file.writeBigUInt64LE(BigInt(table / 512), footer + 56)),
    ],
    ['no directory', 'IMAGE_DAMAGED', () => changed((file, { directory }) => file.writeUInt32LE(1, directory - 512 + 12))],
  ]

  it('is nothing of the following', async () => {
    expect((await decode(good.file)).order).toEqual([0, 2, 3, 5])
    await scan(good.file)
  })

  it.each(cases)('is refused: %s', async (_, code, file, found = 'both') => {
    const error = await failure(() => decode(file()))
    expect(DiskImageError.isInstance(error), error.message).toBe(true)
    expect(error).toMatchObject({ code })
    if (found === 'both') expect(await failure(() => scan(file()))).toMatchObject({ code, message: error.message })
  })

  it('is TRUNCATED, cut at any sector, and one byte before its end', async () => {
    for (let length = 0; length < good.file.length; length += 512)
      expect((await failure(() => scan(good.file.subarray(0, length)))).code, `${length}`).toBe('TRUNCATED')
    const marks = [...good.grains, good.table - 512, good.table, good.directory - 512, good.directory, good.footer - 512, good.footer, eos]
    for (const length of [...marks, ...marks.map((mark) => mark + 8), good.file.length - 1])
      expect((await failure(() => decode(good.file.subarray(0, length)))).code, `${length}`).toBe('TRUNCATED')
  })

  const count = process.env.HOLDFAST_LONG === '1' ? 20_000 : 1_000
  const seed = 20_261_122
  it(`is decoded or refused with a code when it is mutated, ${count} times, seed ${seed}`, { timeout: 600_000 }, async () => {
    const random = randomFrom(seed)
    const hot = [
      0,
      512,
      ...good.grains,
      good.table - 512,
      good.table,
      good.directory - 512,
      good.directory,
      good.footer - 512,
      good.footer,
      eos,
    ]
    let whole = 0
    for (let round = 0; round < count; round += 1) {
      const mutant = Buffer.from(good.file)
      for (let times = 0; times <= random() * 3; times += 1)
        mutant.writeUInt8(Math.floor(random() * 256), (hot[Math.floor(random() * hot.length)] as number) + Math.floor(random() * 100))
      try {
        await decode(mutant)
        whole += 1
      } catch (error) {
        if (!DiskImageError.isInstance(error)) throw new Error(`round ${round} of seed ${seed}`, { cause: error })
      }
    }
    expect(whole).toBeGreaterThan(0)
    expect(whole).toBeLessThan(count)
  })
})
