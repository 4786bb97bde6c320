import { constants, deflateRawSync, zstdCompressSync } from 'node:zlib'
import { describe, expect, it } from 'vitest'
import { failure, fullImage, noise, openImage, options, randomFrom, readAll } from '../../test/support.ts'
import { clusterBytes } from '../clusters.ts'
import type { ClusterCodec } from './decompress.ts'
import { zstdFrameLength } from './zstd-frame.ts'

const text = (seed: number) => Buffer.alloc(clusterBytes, `line ${seed} of a file that can be packed well\n`)
const pack = {
  deflate: (plain: Buffer) => deflateRawSync(plain, { windowBits: 12, memLevel: 9 }),
  zstd: (plain: Buffer) => zstdCompressSync(plain),
}

/** A full image whose first clusters are these bytes, one after the other without a gap, as QEMU packs them; the last cluster of the disk is plain. */
async function packedImage(codec: ClusterCodec, stored: readonly Buffer[]): Promise<{ readonly file: Buffer; readonly plain: Buffer }> {
  const plain = noise(clusterBytes, randomFrom(3))
  const { file, metadataBytes } = await fullImage(Buffer.concat([noise(stored.length * clusterBytes, randomFrom(1)), plain]))
  const l2 = metadataBytes - clusterBytes
  if (codec === 'zstd') {
    file.writeUInt32BE(8, 76)
    file.writeUInt8(1, 104)
  }
  file.fill(0, metadataBytes, metadataBytes + stored.length * clusterBytes)
  let at = metadataBytes
  stored.forEach((bytes, index) => {
    bytes.copy(file, at)
    const sectors = Math.ceil((at + bytes.length) / 512) - Math.floor(at / 512)
    file.writeBigUInt64BE((1n << 62n) | (BigInt(sectors - 1) << 54n) | BigInt(at), l2 + index * 8)
    at += bytes.length
  })
  return { file, plain }
}

describe.each(['deflate', 'zstd'] as const)('clusters compressed with %s', (codec) => {
  it('are read as they were, whole and in part, beside plain ones', async () => {
    const clusters = [text(1), text(2), Buffer.alloc(clusterBytes, 7), text(4)]
    const { file, plain } = await packedImage(codec, clusters.map(pack[codec]))
    const layer = await openImage(file)
    const disk = Buffer.concat([...clusters, plain])
    expect((await readAll(layer)).equals(disk)).toBe(true)
    const random = randomFrom(5)
    for (let round = 0; round < 100; round += 1) {
      const start = Math.floor(random() * disk.length)
      const part = Buffer.alloc(Math.floor(random() * (disk.length - start)))
      await layer.readInto(part, start, options)
      expect(part.equals(disk.subarray(start, start + part.length))).toBe(true)
    }
  })

  const packed = pack[codec](text(1))
  const hostile: readonly [name: string, stored: Buffer][] = [
    ['cut', packed.subarray(0, packed.length / 2)],
    ['one byte', packed.subarray(0, 1)],
    ['random bytes', noise(5000, randomFrom(9))],
    ['shorter than a cluster', pack[codec](text(1).subarray(1))],
    ['a bomb', pack[codec](Buffer.alloc(50 * 1024 * 1024))],
    ['one byte longer than a cluster', pack[codec](Buffer.concat([text(1), Buffer.from('x')]))],
  ]
  it.each(hostile)('that are hostile are refused when they are read: %s', async (_, stored) => {
    const { file } = await packedImage(codec, [stored, pack[codec](text(2)), pack[codec](text(3))])
    const layer = await openImage(file)
    expect(await failure(() => readAll(layer))).toMatchObject({ code: 'IMAGE_DAMAGED', details: { guestOffset: 0 } })
    const rest = Buffer.alloc(clusterBytes)
    await layer.readInto(rest, clusterBytes, options)
    expect(rest.equals(text(2))).toBe(true)
  })

  it('end a read that is aborted', async () => {
    const { file } = await packedImage(codec, [packed])
    const layer = await openImage(file)
    const reason = new Error('enough')
    await expect(layer.readInto(Buffer.alloc(10), 0, { signal: AbortSignal.abort(reason) })).rejects.toBe(reason)
  })
})

describe('zstd frames that ask for too much', () => {
  it.each([
    ['a skippable frame', Buffer.concat([Buffer.from([0x50, 0x2a, 0x4d, 0x18, 4, 0, 0, 0, 1, 2, 3, 4]), pack.zstd(text(1))])],
    ['a window of 2 GiB', Buffer.concat([Buffer.from([0x28, 0xb5, 0x2f, 0xfd, 0x00, 0xa8]), Buffer.from([3, 0, 0, 7, 0, 0])])],
    ['a dictionary', Buffer.concat([Buffer.from([0x28, 0xb5, 0x2f, 0xfd, 0x21, 0x05, 0x00]), Buffer.from([3, 0, 0, 7, 0, 0])])],
  ])('are refused: %s', async (_, stored) => {
    const { file } = await packedImage('zstd', [stored])
    expect(await failure(async () => readAll(await openImage(file)))).toMatchObject({ code: 'IMAGE_DAMAGED' })
  })
})

describe('the length of a zstd frame', () => {
  it('is exact for every content, level and set of flags, whatever follows', () => {
    const random = randomFrom(7)
    for (let round = 0; round < 200; round += 1) {
      const plain = random() < 0.5 ? noise(Math.floor(random() * 300_000), random) : Buffer.alloc(Math.floor(random() * 300_000), 'abc')
      const params = {
        [constants.ZSTD_c_compressionLevel]: 1 + Math.floor(random() * 6),
        [constants.ZSTD_c_checksumFlag]: random() < 0.5 ? 1 : 0,
        [constants.ZSTD_c_contentSizeFlag]: random() < 0.5 ? 1 : 0,
      }
      const frame = zstdCompressSync(plain, { params })
      expect(zstdFrameLength(Buffer.concat([frame, frame, noise(100, random)]))).toBe(frame.length)
      expect(zstdFrameLength(frame.subarray(0, frame.length - 1))).toBeUndefined()
    }
  })
})
