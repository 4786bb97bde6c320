import { describe, expect, it } from 'vitest'
import {
  batchesOf,
  change,
  collect,
  failure,
  fullImage,
  memoryBlocks,
  noise,
  openImage,
  options,
  randomFrom,
  readAll,
} from '../test/support.ts'
import { clusterBytes } from './clusters.ts'
import { mapBlocks } from './map-blocks.ts'
import { encodeSums, openSums } from './sums-file.ts'
import { verifiedBlocks } from './verified-blocks.ts'

async function pairOf(disk: Buffer) {
  const { file, sums, size, metadataBytes } = await fullImage(disk)
  const sumsFile = await collect(encodeSums({ size, count: sums.length }, batchesOf(sums)).bytes)
  return { file, sumsFile, metadataBytes }
}

async function open(file: Buffer, sumsFile: Buffer) {
  return verifiedBlocks(await openImage(file), await openSums(memoryBlocks(sumsFile), options))
}

describe('verifiedBlocks', () => {
  it.each([1, 2, 3, 4])('reads any range of an intact image, seed %i', async (seed) => {
    const random = randomFrom(seed)
    const disk = Buffer.alloc(1_500_000 + seed)
    change(disk, random, 8)
    const { file, sumsFile } = await pairOf(disk)
    const blocks = await open(file, sumsFile)
    expect((await readAll(blocks)).equals(disk)).toBe(true)
    for (let step = 0; step < 20; step += 1) {
      const start = Math.floor(random() * disk.length)
      const part = Buffer.alloc(Math.floor(random() * (disk.length - start)), 0xee)
      await blocks.readInto(part, start, options)
      expect(part.equals(disk.subarray(start, start + part.length)), `${start}+${part.length}`).toBe(true)
    }
  })

  it.each([1, 2, 3, 4, 5, 6, 7, 8, 9, 10])('names the cluster of a flipped bit, seed %i', async (seed) => {
    const random = randomFrom(seed)
    const { file, sumsFile, metadataBytes } = await pairOf(noise(9 * clusterBytes, random))
    const at = metadataBytes + Math.floor(random() * (file.length - metadataBytes))
    file.writeUInt8(file.readUInt8(at) ^ (1 << Math.floor(random() * 8)), at)
    const guestOffset = Math.floor((at - metadataBytes) / clusterBytes) * clusterBytes
    const blocks = await open(file, sumsFile)
    const error = await failure(() => readAll(blocks))
    expect(error).toMatchObject({ code: 'CHECKSUM_MISMATCH', retryable: false, details: { guestOffset } })
    expect(error.message).toContain(String(guestOffset))
    expect(await failure(() => blocks.readInto(Buffer.alloc(10), guestOffset + 5, options))).toMatchObject({ code: 'CHECKSUM_MISMATCH' })
    const other = (guestOffset + clusterBytes) % (9 * clusterBytes)
    await blocks.readInto(Buffer.alloc(clusterBytes), other, options)
  })

  it('refuses data where there is no sum, and zeros where there is one', async () => {
    const disk = noise(3 * clusterBytes, randomFrom(1))
    const { sumsFile } = await pairOf(disk)
    disk.fill(0, clusterBytes, 2 * clusterBytes)
    const holed = await pairOf(disk)
    expect(await failure(async () => readAll(await open(holed.file, sumsFile)))).toMatchObject({ details: { guestOffset: clusterBytes } })
    const whole = await pairOf(noise(3 * clusterBytes, randomFrom(1)))
    expect(await failure(async () => readAll(await open(whole.file, holed.sumsFile)))).toMatchObject({
      details: { guestOffset: clusterBytes },
    })
  })

  it('refuses the sums of a disk of another size', async () => {
    const { sumsFile } = await pairOf(Buffer.alloc(1001))
    const sums = await openSums(memoryBlocks(sumsFile), options)
    const blocks = await mapBlocks(memoryBlocks(Buffer.alloc(1000)), options)
    expect(await failure(async () => verifiedBlocks(blocks, sums))).toMatchObject({ code: 'INVALID_OPTIONS' })
  })
})
