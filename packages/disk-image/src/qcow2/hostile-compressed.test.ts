import { constants, deflateRawSync, zstdCompressSync } from 'node:zlib'
import { describe, expect, it } from 'vitest'
import { compressed, goodImage, sectors, u64 } from '../../test/hostile-images.ts'
import { failure, noise, openImage, options, randomFrom } from '../../test/support.ts'
import { clusterBytes } from '../clusters.ts'
import type { ClusterCodec } from './decompress.ts'

const lastIndex = 3
const text = Buffer.alloc(clusterBytes, 'a line that can be packed\n')
const pack = {
  deflate: (plain: Buffer) => deflateRawSync(plain, { windowBits: 12, memLevel: 9 }),
  zstd: (plain: Buffer) => zstdCompressSync(plain),
}

/** Reads the last cluster of the disk, whose only bytes in the file are these, with this many sectors after the first. */
async function readPacked(codec: ClusterCodec, stored: Buffer, more: number, inside = 0): Promise<Buffer> {
  const { file, l2 } = await goodImage()
  const mutant = Buffer.from(file)
  if (codec === 'zstd') {
    mutant.writeUInt32BE(8, 76)
    mutant.writeUInt8(1, 104)
  }
  // So the whole last cluster of the file belongs to the disk.
  u64(mutant, 24, BigInt((lastIndex + 1) * clusterBytes))
  const start = file.length - clusterBytes + inside
  mutant.fill(0, start)
  stored.copy(mutant, start)
  u64(mutant, l2 + lastIndex * 8, compressed | sectors(more) | BigInt(start))
  const layer = await openImage(mutant)
  const target = Buffer.alloc(clusterBytes)
  await layer.readInto(target, lastIndex * clusterBytes, options)
  return target
}

describe.each(['deflate', 'zstd'] as const)('a compressed cluster, %s', (codec) => {
  const good = pack[codec](text)
  const needed = Math.ceil(good.length / 512) - 1
  const large = pack[codec](Buffer.concat([noise(20_000, randomFrom(1)), Buffer.alloc(clusterBytes - 20_000)]))

  const ones = Buffer.alloc(clusterBytes, 1)
  const read: readonly [name: string, plain: Buffer, stored: Buffer, more: number, inside?: number][] = [
    ['length field as it should be', text, good, needed],
    ['length field 0, when one sector is enough', ones, pack[codec](ones), 0],
    ['length field max, over EOF', text, good, 255],
    ['length field over EOF from the last sector of the file on', ones, pack[codec](ones), 255, clusterBytes - 512],
    ['trailing junk', text, Buffer.concat([good, noise(3000, randomFrom(2))]), needed + 6],
    ['trailing junk that begins like another cluster', text, Buffer.concat([good, good, good]), needed + 6],
    ['a place that is not aligned', text, good, needed + 1, 333],
  ]
  it.each(read)('is read: %s', async (_, plain, stored, more, inside) => {
    expect((await readPacked(codec, stored, more, inside)).equals(plain)).toBe(true)
  })

  const refused: readonly [name: string, stored: Buffer, more: number, inside?: number][] = [
    ['length field 0, when more is needed', large, 0],
    ['length field one sector too short', large, Math.ceil(large.length / 512) - 2],
    ['truncated at its last byte', large.subarray(0, -1), Math.ceil(large.length / 512) - 1, clusterBytes - large.length + 1],
    ['truncated by the end of the file', large, 255, clusterBytes - 10_000],
    ['a bomb of 256 MiB', pack[codec](Buffer.alloc(2 ** 28)), 127],
    ['short output', pack[codec](text.subarray(1)), needed + 1],
    ['output one byte too long', pack[codec](Buffer.concat([text, Buffer.from('x')])), needed + 1],
    ['no output at all', pack[codec](Buffer.alloc(0)), 0],
    ['zeros', Buffer.alloc(5000), 9],
    ['garbage', noise(5000, randomFrom(3)), 9],
    ['the other codec', pack[codec === 'deflate' ? 'zstd' : 'deflate'](text), needed + 2],
  ]
  it.each(refused)('is refused when it is read: %s', async (_, stored, more, inside) => {
    const before = process.memoryUsage().arrayBuffers
    const error = await failure(() => readPacked(codec, stored.subarray(0, clusterBytes), more, inside))
    expect(error).toMatchObject({ code: 'IMAGE_DAMAGED', details: { guestOffset: lastIndex * clusterBytes } })
    expect(process.memoryUsage().arrayBuffers - before).toBeLessThan(16 * 1024 * 1024)
  })
})

describe('a hostile zstd frame', () => {
  const magic = [0x28, 0xb5, 0x2f, 0xfd]
  const skippable = Buffer.from([0x50, 0x2a, 0x4d, 0x18, 4, 0, 0, 0, 1, 2, 3, 4])
  const windowOf = (logarithm: number) =>
    zstdCompressSync(text, { params: { [constants.ZSTD_c_windowLog]: logarithm, [constants.ZSTD_c_contentSizeFlag]: 0 } })
  /** A frame that says it has this window, and one raw block of three bytes. */
  const announcing = (descriptor: number[]) => Buffer.from([...magic, ...descriptor, 0x19, 0, 0, 1, 2, 3])

  const frames: readonly [name: string, stored: Buffer][] = [
    ['skippable frame in front', Buffer.concat([skippable, pack.zstd(text)])],
    ['skippable frame alone', skippable],
    ['skippable frame of 4 GiB', Buffer.from([0x50, 0x2a, 0x4d, 0x18, 0xff, 0xff, 0xff, 0xff])],
    ['window 2^31', announcing([0x00, 0xa8])],
    ['window 2^41, the most that can be said', announcing([0x00, 0xff])],
    ['dictionary id', announcing([0x21, 0x05, 0x03])],
    ['content size 2^64-1', announcing([0xe0, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff])],
    ['block of a reserved type', Buffer.from([...magic, 0x20, 3, 0x07, 0, 0, 0])],
    ['block longer than the frame', Buffer.from([...magic, 0x20, 3, 0xff, 0xff, 0xff, 0])],
    ['a million empty blocks', Buffer.concat([Buffer.from([...magic, 0x00, 0x58]), Buffer.alloc(60_000)])],
    ['magic alone', Buffer.from(magic)],
  ]
  it.each(frames)('is refused when it is read: %s', async (_, stored) => {
    const before = process.memoryUsage().rss
    const error = await failure(() => readPacked('zstd', stored, 127))
    expect(error).toMatchObject({ code: 'IMAGE_DAMAGED' })
    expect(process.memoryUsage().rss - before).toBeLessThan(128 * 1024 * 1024)
  })

  it('may have a window larger than a cluster, up to 8 MiB', async () => {
    expect((await readPacked('zstd', windowOf(23), 20)).equals(text)).toBe(true)
  })
})
