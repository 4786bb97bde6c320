import { describe, expect, it } from 'vitest'
import { all, change, collect, failure, memoryBlocks, noise, options, randomFrom, readAll, withExtents } from '../../test/support.ts'
import type { MappedBlocks } from '../blocks.ts'
import { clusterBytes } from '../clusters.ts'
import { DiskImageError } from '../errors.ts'
import { mapBlocks } from '../map-blocks.ts'
import { encodeVmdk } from './encode.ts'
import { adler32, storedGrainSectors } from './encode-grains.ts'
import { openStreamOptimizedVmdk } from './open.ts'

type Form = 'deflated' | 'stored'
const forms: readonly Form[] = ['deflated', 'stored']

async function vmdkOf(source: MappedBlocks, form: Form): Promise<Buffer> {
  const encoded = await encodeVmdk(source, { ...options, form })
  const file = await collect(encoded.open(options))
  expect(encoded.size).toBe(form === 'stored' ? file.length : undefined)
  return file
}
const opened = (file: Uint8Array) => openStreamOptimizedVmdk(memoryBlocks(file, 4), options)

describe.each(forms)('a streamOptimized VMDK, %s', (form) => {
  it.each([0, 1, 511, 512, 513, clusterBytes - 1, clusterBytes, clusterBytes + 1, 5 * clusterBytes + 77])(
    'holds a disk of %i bytes, rounded up to sectors',
    async (size) => {
      const disk = noise(size, randomFrom(size))
      const read = await readAll(await opened(await vmdkOf(await mapBlocks(memoryBlocks(disk), options), form)))
      expect(read.length).toBe(Math.ceil(size / 512) * 512)
      expect(read.subarray(0, size).equals(disk)).toBe(true)
      expect(read.subarray(size).every((byte) => byte === 0)).toBe(true)
    },
  )

  it.each([1, 2, 3])('holds random disks, whole and in part, and where their data is, seed %i', async (seed) => {
    const random = randomFrom(seed)
    const disk = Buffer.alloc(40 * clusterBytes)
    change(disk, random, 20)
    const source = await mapBlocks(memoryBlocks(disk), options)
    const image = await opened(await vmdkOf(source, form))
    expect((await readAll(image)).equals(disk)).toBe(true)
    expect(await all(image.extents(options))).toEqual(await all(source.extents(options)))
    for (let round = 0; round < 50; round += 1) {
      const start = Math.floor(random() * disk.length)
      const part = Buffer.alloc(Math.floor(random() * (disk.length - start)))
      await image.readInto(part, start, options)
      expect(part.equals(disk.subarray(start, start + part.length))).toBe(true)
    }
  })

  it('needs no more than its data for a disk of 8 TiB', async () => {
    const size = 8 * 2 ** 40
    const places = [0, 2 ** 31, 2 ** 40 - clusterBytes, 2 ** 40, size - clusterBytes]
    const piece = noise(clusterBytes, randomFrom(1))
    const source = withExtents(
      {
        ...memoryBlocks(piece),
        size,
        readInto: async (target) => void Buffer.from(target.buffer, target.byteOffset, target.length).fill(piece),
      },
      places.map((offset) => ({ offset, length: clusterBytes, kind: 'data' })),
    )
    const file = await vmdkOf(source, form)
    expect(file.length).toBeLessThan(2 * 2 ** 20)
    const image = await opened(file)
    expect((await all(image.extents(options))).map(({ offset, length }) => [offset, length])).toEqual([
      [0, clusterBytes],
      [2 ** 31, clusterBytes],
      [2 ** 40 - clusterBytes, 2 * clusterBytes],
      [size - clusterBytes, clusterBytes],
    ])
    for (const place of places) {
      const part = Buffer.alloc(clusterBytes)
      await image.readInto(part, place, options)
      expect(part.equals(piece)).toBe(true)
    }
  })

  it('cannot be made of a source that changes its extents', async () => {
    let calls = 0
    const source: MappedBlocks = {
      ...memoryBlocks(Buffer.alloc(4 * clusterBytes)),
      async *extents() {
        calls += 1
        yield { offset: 0, length: calls * clusterBytes, kind: 'data' }
      },
    }
    expect(await failure(() => vmdkOf(source, form))).toMatchObject({ code: 'INVALID_OPTIONS' })
  })
})

it('is 0.8 % longer than its data when it is stored, which is known before its first byte', async () => {
  const disk = noise(2000 * clusterBytes, randomFrom(4))
  const { size } = await encodeVmdk(await mapBlocks(memoryBlocks(disk), options), { ...options, form: 'stored' })
  expect((size ?? 0) / disk.length).toBeLessThan(1.009)
  expect(storedGrainSectors).toBe(129)
})

it('has the checksum of RFC 1950', () => {
  expect(adler32(Buffer.from('Wikipedia'))).toBe(0x11e60398)
  expect(adler32(Buffer.alloc(1_000_000, 255))).toBe(0x3843e1be)
})

describe('a hostile VMDK', () => {
  const disk = noise(3 * clusterBytes, randomFrom(1))
  const overhead = 128 * 512
  let good: Buffer
  const make = async () => {
    good ??= await vmdkOf(await mapBlocks(memoryBlocks(disk), options), 'deflated')
    return Buffer.from(good)
  }
  const footer = (file: Buffer) => file.length - 1024
  const directory = (file: Buffer) => Number(file.readBigUInt64LE(footer(file) + 56)) * 512
  const table = (file: Buffer) => file.readUInt32LE(directory(file)) * 512

  type Mutant = [name: string, code: 'IMAGE_DAMAGED' | 'UNSUPPORTED_FORMAT', mutate: (file: Buffer) => unknown]
  const atOpen: Mutant[] = [
    ['bad magic', 'UNSUPPORTED_FORMAT', (file) => file.writeUInt8(0, 0)],
    ['version 4', 'UNSUPPORTED_FORMAT', (file) => file.writeUInt32LE(4, 4)],
    ['no compressed grains', 'UNSUPPORTED_FORMAT', (file) => file.writeUInt32LE(0x20001, 8)],
    ['no markers', 'UNSUPPORTED_FORMAT', (file) => file.writeUInt32LE(0x10001, 8)],
    ['compression 0', 'UNSUPPORTED_FORMAT', (file) => file.writeUInt16LE(0, 77)],
    ['compression 2', 'UNSUPPORTED_FORMAT', (file) => file.writeUInt16LE(2, 77)],
    ['a transfer as text', 'IMAGE_DAMAGED', (file) => file.writeUInt8(0x0a, 75)],
    ['capacity 2^63', 'IMAGE_DAMAGED', (file) => file.writeBigUInt64LE(2n ** 63n, 12)],
    ['capacity of 65 TiB', 'IMAGE_DAMAGED', (file) => file.writeBigUInt64LE(BigInt(65 * 2 ** 31), 12)],
    ['grains of 0 sectors', 'IMAGE_DAMAGED', (file) => file.writeBigUInt64LE(0n, 20)],
    ['grains of 100 sectors', 'IMAGE_DAMAGED', (file) => file.writeBigUInt64LE(100n, 20)],
    ['grains of 2 MiB', 'IMAGE_DAMAGED', (file) => file.writeBigUInt64LE(4096n, 20)],
    ['tables of 0 entries', 'IMAGE_DAMAGED', (file) => file.writeUInt32LE(0, 44)],
    ['tables of 2^31 entries', 'IMAGE_DAMAGED', (file) => file.writeUInt32LE(2 ** 31, 44)],
    ['overhead 0', 'IMAGE_DAMAGED', (file) => file.writeBigUInt64LE(0n, 64)],
    ['overhead beyond the file', 'IMAGE_DAMAGED', (file) => file.writeBigUInt64LE(2n ** 40n, 64)],
    ['descriptor beyond the file', 'IMAGE_DAMAGED', (file) => file.writeBigUInt64LE(2n ** 40n, 28)],
    ['descriptor of 1 TiB', 'IMAGE_DAMAGED', (file) => file.writeBigUInt64LE(2n ** 31n, 36)],
    ['only the changes of another image', 'UNSUPPORTED_FORMAT', (file) => file.write('parentCID=12345678', file.indexOf('parentCID'))],
    ['directory at 0', 'IMAGE_DAMAGED', (file) => file.writeBigUInt64LE(0n, 56)],
    ['footer without a directory', 'IMAGE_DAMAGED', (file) => file.writeBigUInt64LE(2n ** 64n - 1n, footer(file) + 56)],
    ['footer with a directory beyond the file', 'IMAGE_DAMAGED', (file) => file.writeBigUInt64LE(2n ** 40n, footer(file) + 56)],
    ['footer with another capacity', 'IMAGE_DAMAGED', (file) => file.writeBigUInt64LE(8n, footer(file) + 12)],
    ['no marker of the footer', 'IMAGE_DAMAGED', (file) => file.writeUInt32LE(2, footer(file) - 512 + 12)],
    ['bytes in the end-of-stream marker', 'IMAGE_DAMAGED', (file) => file.writeUInt8(1, file.length - 1)],
    ['table beyond the file', 'IMAGE_DAMAGED', (file) => file.writeUInt32LE(0xffffffff, directory(file))],
    ['grain beyond the file', 'IMAGE_DAMAGED', (file) => file.writeUInt32LE(0xffffffff, table(file))],
    ['grain in the descriptor', 'IMAGE_DAMAGED', (file) => file.writeUInt32LE(2, table(file))],
    ['zero grain in a file that has none', 'IMAGE_DAMAGED', (file) => file.writeUInt32LE(1, table(file))],
  ]
  const atRead: Mutant[] = [
    ['a grain of another place', 'IMAGE_DAMAGED', (file) => file.copy(file, table(file), table(file) + 4, table(file) + 8)],
    ['a table where a grain should be', 'IMAGE_DAMAGED', (file) => file.writeUInt32LE(table(file) / 512, table(file))],
    ['lba 2^63', 'IMAGE_DAMAGED', (file) => file.writeBigUInt64LE(2n ** 63n, overhead)],
    ['a grain of 0 bytes', 'IMAGE_DAMAGED', (file) => file.writeUInt32LE(0, overhead + 8)],
    ['a grain of 2^32-1 bytes', 'IMAGE_DAMAGED', (file) => file.writeUInt32LE(0xffffffff, overhead + 8)],
    ['a flipped bit', 'IMAGE_DAMAGED', (file) => file.writeUInt8((file[overhead + 30_000] ?? 0) ^ 4, overhead + 30_000)],
    ['a wrong checksum', 'IMAGE_DAMAGED', (file) => file.writeUInt8(1, overhead + 12 + file.readUInt32LE(overhead + 8) - 1)],
    [
      'directory at 8 sectors, in the descriptor',
      'IMAGE_DAMAGED',
      (file) => {
        file.writeBigUInt64LE(8n, 56)
        file.writeUInt32LE(20, 8 * 512)
        file.writeUInt32LE(128, 20 * 512)
        file.writeUInt32LE(128, 20 * 512 + 4)
      },
    ],
  ]

  it.each(atOpen)('is refused when it is opened: %s', async (_, code, mutate) => {
    const file = await make()
    mutate(file)
    const source = memoryBlocks(file)
    const error = await failure(() => openStreamOptimizedVmdk(source, options))
    expect(DiskImageError.isInstance(error)).toBe(true)
    expect(error).toMatchObject({ code, retryable: false })
    expect(source.disposals).toBe(1)
  })

  it.each(atRead)('is refused when it is read: %s', async (_, code, mutate) => {
    const file = await make()
    mutate(file)
    const image = await opened(file)
    expect(await failure(() => readAll(image))).toMatchObject({ code, retryable: false })
  })

  it('is refused at every length that cuts it', async () => {
    const file = await make()
    const lengths = [
      ...Array.from({ length: 100 }, (_, index) => index * 7),
      overhead,
      file.length - 1,
      file.length - 512,
      file.length - 1024,
    ]
    for (const length of lengths)
      expect((await failure(() => opened(file.subarray(0, length)))).code, `${length}`).toMatch(/^(IMAGE_DAMAGED|UNSUPPORTED_FORMAT)$/)
  })

  const count = process.env.HOLDFAST_LONG === '1' ? 20_000 : 1_000
  const seed = 20_261_121
  it(`that is mutated opens or is refused with a code, ${count} times, seed ${seed}`, { timeout: 600_000 }, async () => {
    const random = randomFrom(seed)
    const file = await make()
    const hot = [0, 512, overhead, table(file), directory(file), footer(file), footer(file) - 512]
    let whole = 0
    for (let round = 0; round < count; round += 1) {
      const mutant = Buffer.from(file)
      for (let times = 0; times <= random() * 3; times += 1)
        mutant.writeUInt8(Math.floor(random() * 256), (hot[Math.floor(random() * hot.length)] as number) + Math.floor(random() * 100))
      try {
        const image = await opened(mutant)
        const part = Buffer.alloc(Math.min(image.size, 3 * clusterBytes))
        await image.readInto(part, 0, options)
        whole += 1
      } catch (error) {
        if (!DiskImageError.isInstance(error)) throw new Error(`round ${round} of seed ${seed}`, { cause: error })
      }
    }
    expect(whole).toBeGreaterThan(0)
    expect(whole).toBeLessThan(count)
  })
})
