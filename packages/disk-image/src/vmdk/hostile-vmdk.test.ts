import { deflateSync } from 'node:zlib'
import { beforeAll, describe, expect, it } from 'vitest'
import { collect, failure, memoryBlocks, noise, options, randomFrom, readAll } from '../../test/support.ts'
import { clusterBytes } from '../clusters.ts'
import { DiskImageError } from '../errors.ts'
import { mapBlocks } from '../map-blocks.ts'
import { encodeVmdk } from './encode.ts'
import { openStreamOptimizedVmdk } from './open.ts'

// A VMDK that is read by position. What a stream must refuse is tested with the decoder.

const disk = noise(3 * clusterBytes, randomFrom(1))
const overhead = 128 * 512
let good: Buffer
beforeAll(async () => {
  good = await collect((await encodeVmdk(await mapBlocks(memoryBlocks(disk), options), { ...options, form: 'deflated' })).open(options))
})

const footerOf = (file: Buffer) => file.length - 1024
const directoryOf = (file: Buffer) => Number(file.readBigUInt64LE(footerOf(file) + 56)) * 512
const tableOf = (file: Buffer) => file.readUInt32LE(directoryOf(file)) * 512
const opened = (file: Buffer) => openStreamOptimizedVmdk(memoryBlocks(file), options)

type Malformed = readonly [name: string, code: 'IMAGE_DAMAGED' | 'UNSUPPORTED_FORMAT', mutate: (file: Buffer) => Buffer | unknown]

const atOpen: readonly Malformed[] = [
  ['marker type > 3 where the footer is', 'IMAGE_DAMAGED', (file) => file.writeUInt32LE(4, footerOf(file) - 512 + 12)],
  ['size-0 type-0 marker not at the end: data after EOS', 'IMAGE_DAMAGED', (file) => Buffer.concat([file, noise(512, randomFrom(2))])],
  ['data after EOS that is not a whole sector', 'IMAGE_DAMAGED', (file) => Buffer.concat([file, Buffer.alloc(1)])],
  ['another end-of-stream marker after EOS', 'IMAGE_DAMAGED', (file) => Buffer.concat([file, Buffer.alloc(512)])],
  ['capacity 2^63', 'IMAGE_DAMAGED', (file) => file.writeBigUInt64LE(2n ** 63n, 12)],
  ['capacity 2^64-1', 'IMAGE_DAMAGED', (file) => file.writeBigUInt64LE(2n ** 64n - 1n, 12)],
  ['overHead beyond EOF', 'IMAGE_DAMAGED', (file) => file.writeBigUInt64LE(BigInt(file.length), 64)],
  ['overHead 2^64-1', 'IMAGE_DAMAGED', (file) => file.writeBigUInt64LE(2n ** 64n - 1n, 64)],
  ...[0, 2, 255, 65_535].map(
    (algorithm): Malformed => [`compressAlgorithm ${algorithm}`, 'UNSUPPORTED_FORMAT', (file) => file.writeUInt16LE(algorithm, 77)],
  ),
  ['flags without bit 16', 'UNSUPPORTED_FORMAT', (file) => file.writeUInt32LE(0x20001, 8)],
  ['flags without bit 17', 'UNSUPPORTED_FORMAT', (file) => file.writeUInt32LE(0x10001, 8)],
  ...[73, 74, 75, 76].map((at): Malformed => [`newline-detection byte ${at} wrong`, 'IMAGE_DAMAGED', (file) => file.writeUInt8(0x7f, at)]),
  ['carriage returns lost, as a text-mode transfer does', 'IMAGE_DAMAGED', (file) => file.write('\n \n\n', 73)],
  ['descriptor with parentCID != ffffffff', 'UNSUPPORTED_FORMAT', (file) => file.write('parentCID=fffffffd', file.indexOf('parentCID'))],
  ['descriptor with parentCID 0', 'UNSUPPORTED_FORMAT', (file) => file.write('parentCID=00000000', file.indexOf('parentCID'))],
]

describe('a malformed VMDK', () => {
  it.each(atOpen)('is refused when it is opened: %s', async (_, code, mutate) => {
    const file = Buffer.from(good)
    const other = mutate(file)
    const source = memoryBlocks(Buffer.isBuffer(other) ? other : file)
    const before = process.memoryUsage().arrayBuffers
    const error = await failure(() => openStreamOptimizedVmdk(source, options))
    expect(DiskImageError.isInstance(error), String(error)).toBe(true)
    expect(error).toMatchObject({ code, retryable: false })
    expect(process.memoryUsage().arrayBuffers - before).toBeLessThan(1024 * 1024)
    expect(source.disposals).toBe(1)
  })

  it('is refused when it is opened: truncated at any marker, and in any sector', async () => {
    for (let length = 0; length < good.length; length += length > overhead ? 512 : 4096) {
      const error = await failure(() => opened(good.subarray(0, length)))
      expect(error.code, `${length}: ${error.message}`).toMatch(/^(IMAGE_DAMAGED|UNSUPPORTED_FORMAT)$/)
    }
  })

  const setGrain = (file: Buffer, packed: Buffer) => {
    file.writeUInt32LE(packed.length, overhead + 8)
    packed.copy(file, overhead + 12)
  }
  const atRead: readonly [name: string, mutate: (file: Buffer) => unknown][] = [
    ['grain > 2x grain size', (file) => file.writeUInt32LE(2 * clusterBytes + 1, overhead + 8)],
    ['grain of 4 GiB', (file) => file.writeUInt32LE(0xffffffff, overhead + 8)],
    ['grain of 0 bytes', (file) => file.writeUInt32LE(0, overhead + 8)],
    ['inflate bomb', (file) => setGrain(file, deflateSync(Buffer.alloc(2 ** 25)))],
    ['one byte more than a grain', (file) => setGrain(file, deflateSync(Buffer.alloc(clusterBytes + 1)))],
    ['one byte less than a grain', (file) => setGrain(file, deflateSync(Buffer.alloc(clusterBytes - 1)))],
    [
      'adler mismatch',
      (file) => {
        const last = overhead + 12 + file.readUInt32LE(overhead + 8) - 1
        file.writeUInt8((file[last] ?? 0) ^ 1, last)
      },
    ],
    ['preset dictionary', (file) => file.writeUInt16BE(0x78bb, overhead + 12)],
    ['lba overflow: 2^64-1', (file) => file.writeBigUInt64LE(2n ** 64n - 1n, overhead)],
    ['lba outside capacity', (file) => file.writeBigUInt64LE(3n * 128n, overhead)],
    ['lba of another grain: duplicate', (file) => file.writeBigUInt64LE(128n, overhead)],
    ['one grain in two entries', (file) => file.copy(file, tableOf(file) + 4, tableOf(file), tableOf(file) + 4)],
  ]
  it.each(atRead)('is refused when it is read: %s', async (_, mutate) => {
    const file = Buffer.from(good)
    mutate(file)
    const image = await opened(file)
    expect(await failure(() => readAll(image))).toMatchObject({
      code: 'IMAGE_DAMAGED',
      retryable: false,
      details: { guestOffset: expect.any(Number) },
    })
  })

  it('cannot take time and memory by one table that a directory names 2^17 times', async () => {
    const tables = 2 ** 17
    const [grain, table, directory] = [good.subarray(overhead, overhead + 512), Buffer.alloc(2048), Buffer.alloc(tables * 4)]
    for (let at = 0; at < table.length; at += 4) table.writeUInt32LE(128, at)
    for (let at = 0; at < directory.length; at += 4) directory.writeUInt32LE(129, at)
    const front = Buffer.from(good.subarray(0, overhead))
    front.writeBigUInt64LE(BigInt(tables) * 65_536n, 12)
    front.writeBigUInt64LE(133n, 56)
    const before = process.cpuUsage()
    const error = await failure(() => opened(Buffer.concat([front, grain, table, directory])))
    expect(error).toMatchObject({ code: 'IMAGE_DAMAGED' })
    expect(error.message).toContain('more than the file')
    expect(process.cpuUsage(before).user).toBeLessThan(1_000_000)
  })
})
