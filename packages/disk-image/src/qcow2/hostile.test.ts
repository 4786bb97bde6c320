import { beforeAll, describe, expect, it } from 'vitest'
import { change, failure, imageOf, memoryBlocks, noise, openImage, options, randomFrom, readAll } from '../../test/support.ts'
import type { BlockSource } from '../blocks.ts'
import { clusterBytes } from '../clusters.ts'
import { DiskImageError } from '../errors.ts'
import { mapBlocks } from '../map-blocks.ts'
import { headerBytes } from './format.ts'
import { openQcow2 } from './open.ts'

let good: Buffer
let disk: Buffer
let dataStart = 0
let l2 = 0
const l1 = clusterBytes
const reftable = 2 * clusterBytes

beforeAll(async () => {
  disk = noise(3 * clusterBytes + 513, randomFrom(1))
  const image = await imageOf(await mapBlocks(memoryBlocks(disk), options), { covers: 'all', backing: 'older.qcow2' })
  good = image.file
  dataStart = image.metadataBytes
  l2 = dataStart - clusterBytes
})

function u64(file: Buffer, at: number, value: bigint): void {
  file.writeBigUInt64BE(value, at)
}
const copied = 1n << 63n
const compressed = 1n << 62n
/** Sectors after the first, of a compressed cluster. */
const sectors = (count: number) => BigInt(count) << 54n
const beyond = () => BigInt(good.length + clusterBytes)

type Mutant = [name: string, code: 'IMAGE_DAMAGED' | 'UNSUPPORTED_FORMAT', mutate: (file: Buffer) => unknown]

const headerMutants: Mutant[] = [
  ['bad magic', 'UNSUPPORTED_FORMAT', (file) => file.writeUInt8(0, 0)],
  ['version 0', 'UNSUPPORTED_FORMAT', (file) => file.writeUInt32BE(0, 4)],
  ['version 1', 'UNSUPPORTED_FORMAT', (file) => file.writeUInt32BE(1, 4)],
  ['version 4', 'UNSUPPORTED_FORMAT', (file) => file.writeUInt32BE(4, 4)],
  ['version 9', 'UNSUPPORTED_FORMAT', (file) => file.writeUInt32BE(9, 4)],
  ['cluster_bits 8', 'IMAGE_DAMAGED', (file) => file.writeUInt32BE(8, 20)],
  ['cluster_bits 22', 'IMAGE_DAMAGED', (file) => file.writeUInt32BE(22, 20)],
  ['cluster_bits 2^32-1', 'IMAGE_DAMAGED', (file) => file.writeUInt32BE(0xffffffff, 20)],
  ['cluster_bits 12', 'UNSUPPORTED_FORMAT', (file) => file.writeUInt32BE(12, 20)],
  ['AES encryption', 'UNSUPPORTED_FORMAT', (file) => file.writeUInt32BE(1, 32)],
  ['LUKS encryption', 'UNSUPPORTED_FORMAT', (file) => file.writeUInt32BE(2, 32)],
  ['l1_size 2^32-1, a memory bomb', 'IMAGE_DAMAGED', (file) => file.writeUInt32BE(0xffffffff, 36)],
  ['l1_size of 32 MiB that the file does not have', 'IMAGE_DAMAGED', (file) => file.writeUInt32BE(4 * 1024 * 1024, 36)],
  ['l1_size 0', 'IMAGE_DAMAGED', (file) => file.writeUInt32BE(0, 36)],
  ['size above the reach of the L1 table', 'IMAGE_DAMAGED', (file) => u64(file, 24, 2n ** 40n)],
  ['size 2^60', 'IMAGE_DAMAGED', (file) => u64(file, 24, 2n ** 60n)],
  ['size 2^64-1', 'IMAGE_DAMAGED', (file) => u64(file, 24, 2n ** 64n - 1n)],
  ['L1 table beyond the file', 'IMAGE_DAMAGED', (file) => u64(file, 40, beyond())],
  ['L1 table at 2^63', 'IMAGE_DAMAGED', (file) => u64(file, 40, 2n ** 63n)],
  ['L1 table unaligned', 'IMAGE_DAMAGED', (file) => u64(file, 40, BigInt(l1 + 512))],
  ['L1 table over the header', 'IMAGE_DAMAGED', (file) => u64(file, 40, 0n)],
  ['corrupt bit', 'IMAGE_DAMAGED', (file) => file.writeUInt32BE(2, 76)],
  ['external data file', 'UNSUPPORTED_FORMAT', (file) => file.writeUInt32BE(4, 76)],
  ['compression type bit without a type', 'IMAGE_DAMAGED', (file) => file.writeUInt32BE(8, 76)],
  ['zstd without its bit', 'IMAGE_DAMAGED', (file) => file.writeUInt8(1, 104)],
  [
    'compression type 2',
    'IMAGE_DAMAGED',
    (file) => {
      file.writeUInt8(2, 104)
      file.writeUInt32BE(8, 76)
    },
  ],
  ['extended L2', 'UNSUPPORTED_FORMAT', (file) => file.writeUInt32BE(16, 76)],
  ['unknown incompatible bit 5', 'UNSUPPORTED_FORMAT', (file) => file.writeUInt32BE(32, 76)],
  ['unknown incompatible bit 63', 'UNSUPPORTED_FORMAT', (file) => file.writeUInt32BE(0x80000000, 72)],
  ['refcount_order 7', 'IMAGE_DAMAGED', (file) => file.writeUInt32BE(7, 96)],
  ['header_length 100', 'IMAGE_DAMAGED', (file) => file.writeUInt32BE(100, 100)],
  ['header_length 105', 'IMAGE_DAMAGED', (file) => file.writeUInt32BE(105, 100)],
  ['header_length above a cluster', 'IMAGE_DAMAGED', (file) => file.writeUInt32BE(clusterBytes + 8, 100)],
  ['internal snapshots', 'UNSUPPORTED_FORMAT', (file) => file.writeUInt32BE(1, 60)],
  ['65537 internal snapshots', 'UNSUPPORTED_FORMAT', (file) => file.writeUInt32BE(65_537, 60)],
  ['extension that leaves the cluster', 'IMAGE_DAMAGED', (file) => file.writeUInt32BE(clusterBytes, headerBytes + 4)],
  ['extension of 2^32-1 bytes', 'IMAGE_DAMAGED', (file) => file.writeUInt32BE(0xffffffff, headerBytes + 4)],
  [
    'extensions without an end',
    'IMAGE_DAMAGED',
    (file) => {
      file.fill(0x11, headerBytes, headerBytes + 4)
      file.writeUInt32BE(0, headerBytes + 4)
      file.fill(0x11, headerBytes + 8, Number(file.readBigUInt64BE(8)))
    },
  ],
  ['backing name beyond the cluster', 'IMAGE_DAMAGED', (file) => u64(file, 8, BigInt(clusterBytes - 2))],
  ['backing name inside the L1 table', 'IMAGE_DAMAGED', (file) => u64(file, 8, BigInt(l1 + 100))],
  ['backing name inside the header', 'IMAGE_DAMAGED', (file) => u64(file, 8, 50n)],
  ['backing name of 1024 bytes', 'IMAGE_DAMAGED', (file) => file.writeUInt32BE(1024, 16)],
  ['backing name of 2^32-1 bytes', 'IMAGE_DAMAGED', (file) => file.writeUInt32BE(0xffffffff, 16)],
  ['NUL in the backing name', 'IMAGE_DAMAGED', (file) => file.writeUInt8(0, Number(file.readBigUInt64BE(8)) + 2)],
  ['backing name that is not UTF-8', 'IMAGE_DAMAGED', (file) => file.writeUInt8(0xff, Number(file.readBigUInt64BE(8)))],
]

const tableMutants: Mutant[] = [
  ['refcount table of 0 clusters', 'IMAGE_DAMAGED', (file) => file.writeUInt32BE(0, 56)],
  ['refcount table of 2^32-1 clusters', 'IMAGE_DAMAGED', (file) => file.writeUInt32BE(0xffffffff, 56)],
  ['refcount table beyond the file', 'IMAGE_DAMAGED', (file) => u64(file, 48, beyond())],
  ['refcount table unaligned', 'IMAGE_DAMAGED', (file) => u64(file, 48, BigInt(reftable + 8))],
  ['refcount table over the L1 table', 'IMAGE_DAMAGED', (file) => u64(file, 48, BigInt(l1))],
  ['refcount block unaligned', 'IMAGE_DAMAGED', (file) => u64(file, reftable, 12_345n)],
  ['refcount block beyond the file', 'IMAGE_DAMAGED', (file) => u64(file, reftable, beyond())],
  ['refcount block over the header', 'IMAGE_DAMAGED', (file) => u64(file, reftable + 8, 1n)],
  ['two refcount blocks in one place', 'IMAGE_DAMAGED', (file) => u64(file, reftable + 8, BigInt(3 * clusterBytes))],
  ['L2 table beyond the file', 'IMAGE_DAMAGED', (file) => u64(file, l1, copied | beyond())],
  ['L2 table unaligned', 'IMAGE_DAMAGED', (file) => u64(file, l1, copied | BigInt(l2 + 512))],
  ['reserved bits of L1', 'IMAGE_DAMAGED', (file) => file.writeUInt8(0xc0, l1)],
  ['L1 entry that points to the L1 table (a)', 'IMAGE_DAMAGED', (file) => u64(file, l1, copied | BigInt(l1))],
  ['L1 entry that points to the refcount table (a)', 'IMAGE_DAMAGED', (file) => u64(file, l1, copied | BigInt(reftable))],
  [
    'two L1 entries with one L2 table',
    'IMAGE_DAMAGED',
    (file) => {
      u64(file, 24, 2n ** 30n)
      file.writeUInt32BE(2, 36)
      file.copy(file, l1 + 8, l1, l1 + 8)
    },
  ],
  ['L2 entry that points to the header (b)', 'IMAGE_DAMAGED', (file) => u64(file, l2, copied)],
  ['L2 entry that points to the L1 table (b)', 'IMAGE_DAMAGED', (file) => u64(file, l2, copied | BigInt(l1))],
  ['L2 entry that points to its own table (b)', 'IMAGE_DAMAGED', (file) => u64(file, l2, copied | BigInt(l2))],
  ['two clusters of the disk in one of the file', 'IMAGE_DAMAGED', (file) => file.copy(file, l2 + 8, l2, l2 + 8)],
  [
    'zero cluster that keeps the place of another',
    'IMAGE_DAMAGED',
    (file) => {
      file.copy(file, l2 + 8, l2, l2 + 8)
      file.writeUInt8(1, l2 + 15)
    },
  ],
  ['data beyond the file', 'IMAGE_DAMAGED', (file) => u64(file, l2, copied | beyond())],
  ['data unaligned', 'IMAGE_DAMAGED', (file) => u64(file, l2, copied | BigInt(dataStart + 512))],
  ['reserved bits 56 to 61 of L2', 'IMAGE_DAMAGED', (file) => file.writeUInt8(0x81, l2)],
  ['reserved bits 1 to 8 of L2', 'IMAGE_DAMAGED', (file) => file.writeUInt8(2, l2 + 7)],
  ['compressed cluster in the header', 'IMAGE_DAMAGED', (file) => u64(file, l2, compressed | 512n)],
  ['compressed cluster in the L1 table', 'IMAGE_DAMAGED', (file) => u64(file, l2, compressed | BigInt(l1 + 7))],
  ['compressed cluster beyond the file', 'IMAGE_DAMAGED', (file) => u64(file, l2, compressed | beyond())],
  [
    'compressed cluster where the data of another is',
    'IMAGE_DAMAGED',
    (file) => u64(file, l2, compressed | BigInt(dataStart + clusterBytes)),
  ],
  [
    'compressed cluster that ends in the data of another',
    'IMAGE_DAMAGED',
    (file) => u64(file, l2, compressed | sectors(255) | BigInt(dataStart)),
  ],
  ['compressed cluster marked as copied', 'IMAGE_DAMAGED', (file) => u64(file, l2, copied | compressed | BigInt(dataStart))],
  ['compressed cluster at 2^53', 'IMAGE_DAMAGED', (file) => u64(file, l2, compressed | (1n << 53n))],
  [
    'zero cluster in version 2',
    'IMAGE_DAMAGED',
    (file) => {
      file.writeUInt32BE(2, 4)
      u64(file, l2, 1n)
    },
  ],
]

describe('a hostile qcow2 file', () => {
  it('is refused only when it is hostile', async () => {
    expect((await readAll(await openImage(good))).equals(disk)).toBe(true)
  })

  it.each([...headerMutants, ...tableMutants])('is refused: %s', async (_, code, mutate) => {
    const file = Buffer.from(good)
    mutate(file)
    const source = memoryBlocks(file)
    const error = await failure(() => openQcow2(source, options))
    expect(DiskImageError.isInstance(error)).toBe(true)
    expect(error).toMatchObject({ code, retryable: false })
    expect(error.remedy).toBeTruthy()
    expect(source.disposals).toBe(1)
  })

  it('is refused at every length that cuts it', async () => {
    const lengths = [
      ...Array.from({ length: 160 }, (_, length) => length),
      l1,
      l1 + 4,
      reftable + 1,
      l2,
      l2 + 100,
      dataStart,
      good.length - clusterBytes,
      good.length - clusterBytes + 512,
    ]
    for (const length of lengths) {
      const error = await failure(() => openImage(good.subarray(0, length)))
      expect(error.code, `${length} bytes: ${error.message}`).toMatch(/^(IMAGE_DAMAGED|UNSUPPORTED_FORMAT)$/)
    }
  })

  it('cannot take memory with a sparse file of 8 PiB', async () => {
    const file = Buffer.from(good)
    u64(file, l2, copied | (2n ** 52n))
    const source: BlockSource = { ...memoryBlocks(file), size: 2 ** 53 - 1 }
    const layer = await openQcow2(source, options)
    expect(layer.size).toBe(disk.length)
  })

  it('that changes after it was checked is refused when it is read', async () => {
    const file = Buffer.from(good)
    const layer = await openImage(file)
    u64(file, l2, 0n)
    expect(await failure(() => readAll(layer))).toMatchObject({ code: 'IMAGE_DAMAGED' })
  })

  it.each(['/etc/shadow', '../../etc/shadow', 'json:{"driver":"nbd"}', 'nbd://host/export', 'older.qcow2'])(
    'has its backing name %j reported, never followed',
    async (name) => {
      const file = Buffer.from(good)
      const at = Number(file.readBigUInt64BE(8))
      file.write(name, at)
      file.writeUInt32BE(Buffer.byteLength(name), 16)
      const layer = await openImage(file)
      expect(layer.backingName).toBe(name)
      expect((await readAll(layer)).equals(disk)).toBe(true)
    },
  )

  it('may be dirty, have unknown compatible bits, unknown extensions and odd refcounts: reading does not need them', async () => {
    const file = Buffer.from(good)
    file.writeUInt32BE(1, 76)
    u64(file, 80, 2n ** 64n - 1n)
    u64(file, 88, 3n)
    file.writeUInt32BE(0x12345678, headerBytes)
    file.fill(0, 3 * clusterBytes, 4 * clusterBytes)
    expect((await readAll(await openImage(file))).equals(disk)).toBe(true)
  })

  it('reads a zero cluster that keeps its place as zeros', async () => {
    const file = Buffer.from(good)
    file.writeUInt8(1, l2 + 7)
    const bytes = await readAll(await openImage(file))
    expect(bytes.subarray(0, clusterBytes).equals(Buffer.alloc(clusterBytes))).toBe(true)
    expect(bytes.subarray(clusterBytes).equals(disk.subarray(clusterBytes))).toBe(true)
  })
})

describe('a mutated qcow2 file', () => {
  const count = process.env.HOLDFAST_LONG === '1' ? 50_000 : 2_000
  const seed = 20_261_121

  it(`opens or is refused with a code, ${count} times, seed ${seed}`, { timeout: 600_000 }, async () => {
    const random = randomFrom(seed)
    const original = Buffer.alloc(700_000)
    change(original, random, 5)
    const { file } = await imageOf(await mapBlocks(memoryBlocks(original), options), { covers: 'all', backing: 'older.qcow2' })
    const hot = [0, 112, l1, reftable, reftable + clusterBytes, l2]
    const values = [0, 1, 2, 127, 128, 255]
    let opened = 0
    for (let round = 0; round < count; round += 1) {
      const mutant = Buffer.from(file)
      for (let change = 0; change <= random() * 4; change += 1) {
        const at = (hot[Math.floor(random() * hot.length)] as number) + Math.floor(random() * 112)
        mutant.writeUInt8(random() < 0.5 ? (values[Math.floor(random() * values.length)] as number) : Math.floor(random() * 256), at)
      }
      const cut = random() < 0.1 ? mutant.subarray(0, Math.floor(random() * mutant.length)) : mutant
      try {
        const layer = await openImage(cut)
        opened += 1
        expect(layer.size).toBeLessThanOrEqual(2 ** 51)
        const part = Buffer.alloc(Math.min(layer.size, 300_000))
        await layer.readInto(part, layer.size - part.length, options)
      } catch (error) {
        if (!DiskImageError.isInstance(error)) throw new Error(`round ${round} of seed ${seed}`, { cause: error })
      }
    }
    expect(opened).toBeGreaterThan(0)
    expect(opened).toBeLessThan(count)
  })
})
