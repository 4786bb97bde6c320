import { describe, expect, it } from 'vitest'
import { failure, memoryBlocks, noise, options, randomFrom, readAll } from '../../test/support.ts'
import { buildVmdk } from '../../test/vmdk-builder.ts'
import { clusterBytes } from '../clusters.ts'
import { createVmdkDecoder } from './decode.ts'
import { adler32 } from './encode-grains.ts'
import { openStreamOptimizedVmdk } from './open.ts'
import { scanVmdk } from './scan.ts'

// What one reader takes, the other must take: a disk is received as a stream and read by position when it is restored.

/** A zlib stream of so many stored blocks: 5 bytes more for each, and 6 for the whole. */
function stored(plain: Buffer, blocks: number): Buffer {
  const parts: Buffer[] = [Buffer.from([0x78, 1])]
  const blockBytes = Math.floor(plain.length / blocks)
  for (let block = 0; block < blocks; block += 1) {
    const last = block === blocks - 1
    const part = plain.subarray(block * blockBytes, last ? plain.length : (block + 1) * blockBytes)
    const head = Buffer.alloc(5)
    head.writeUInt8(last ? 1 : 0, 0)
    head.writeUInt16LE(part.length, 1)
    head.writeUInt16LE(0xffff - part.length, 3)
    parts.push(head, part)
  }
  const sum = Buffer.alloc(4)
  sum.writeUInt32BE(adler32(plain))
  return Buffer.concat([...parts, sum])
}

const disk = noise(4 * clusterBytes, randomFrom(1))
const grainOf = (number: number) => disk.subarray(number * clusterBytes, (number + 1) * clusterBytes)
/** The most blocks that a grain may have: it is exactly twice as long as its plain bytes then. */
const mostBlocks = (clusterBytes - 6) / 5

const vmdkOf = (order: readonly number[], blocks: number): Buffer =>
  buildVmdk({
    capacity: disk.length / 512,
    grains: order.map((number) => ({ sector: number * 128, bytes: grainOf(number), packed: stored(grainOf(number), blocks) })),
  }).file

async function passed(file: Buffer): Promise<Buffer> {
  const found = Buffer.alloc(disk.length)
  const decoder = createVmdkDecoder(options)
  for (const clusters of [decoder.feed(file), decoder.end()])
    for await (const { index, bytes } of clusters) found.set(bytes, index * clusterBytes)
  return found
}

async function byPosition(file: Buffer): Promise<Buffer> {
  const image = await openStreamOptimizedVmdk(memoryBlocks(file), options)
  try {
    const whole = await readAll(image)
    for (const number of [2, 0, 3, 1]) {
      const cluster = Buffer.alloc(clusterBytes)
      await image.readInto(cluster, number * clusterBytes, options)
      expect(cluster.equals(grainOf(number))).toBe(true)
    }
    return whole
  } finally {
    await image[Symbol.asyncDispose]()
  }
}

describe('a grain that is longer packed than plain', () => {
  const orders: readonly (readonly number[])[] = [
    [0, 1, 2, 3],
    [3, 2, 1, 0],
    [1, 3, 0, 2],
  ]
  for (const order of orders)
    it.each([2, 64, 512, mostBlocks])(`is read by position and as it passes, in the order ${order} and of %i blocks`, async (blocks) => {
      const file = vmdkOf(order, blocks)
      const scan = scanVmdk()
      scan.write(file)
      scan.end()
      expect(scan.size).toBe(disk.length)
      expect((await passed(file)).equals(disk)).toBe(true)
      expect((await byPosition(file)).equals(disk)).toBe(true)
    })

  it('is refused by both when it is more than twice as long', async () => {
    expect(stored(grainOf(0), mostBlocks).length).toBe(2 * clusterBytes)
    const file = vmdkOf([3, 2, 1, 0], mostBlocks + 1)
    expect(await failure(() => passed(file))).toMatchObject({ code: 'IMAGE_DAMAGED' })
    expect(await failure(() => byPosition(file))).toMatchObject({ code: 'IMAGE_DAMAGED' })
  })
})
