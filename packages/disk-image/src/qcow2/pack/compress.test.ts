import { inflateRawSync } from 'node:zlib'
import { describe, expect, it } from 'vitest'
import { text } from '../../../test/pack-support.ts'
import { fillRandom, randomFrom } from '../../../test/support.ts'
import { clusterBytes } from '../../clusters.ts'
import { decompressCluster } from '../decompress.ts'
import { compressorOf, looksPackable } from './compress.ts'

const random = (seed: number) => {
  const bytes = Buffer.alloc(clusterBytes)
  fillRandom(bytes, randomFrom(seed))
  return bytes
}

/** Only so many bytes of a cluster are random. */
const partly = (bytes: number) => Buffer.concat([random(7).subarray(0, bytes), Buffer.alloc(clusterBytes - bytes, 'x')])

describe('the probe', () => {
  it('passes over what is random and nothing that can be packed', () => {
    for (let seed = 0; seed < 100; seed += 1) expect(looksPackable(random(seed)), `seed ${seed}`).toBe(false)
    for (let seed = 0; seed < 100; seed += 1) expect(looksPackable(text(clusterBytes, randomFrom(seed))), `seed ${seed}`).toBe(true)
    expect(looksPackable(Buffer.from(random(3).toString('base64')).subarray(0, clusterBytes))).toBe(true)
    expect(looksPackable(partly(clusterBytes / 2))).toBe(true)
  })
})

describe.each(['deflate', 'zstd'] as const)('a cluster packed with %s', (codec) => {
  const compress = compressorOf(codec)

  it.each([
    ['text', text(clusterBytes, randomFrom(1))],
    ['one byte', Buffer.alloc(clusterBytes, 7)],
    ['half random', partly(clusterBytes / 2)],
  ])('is unpacked as it was: %s', async (_, cluster) => {
    const packed = compress(cluster) as Buffer
    expect(packed.length).toBeLessThan(clusterBytes - 512)
    // What lies behind it in the file must not matter.
    expect((await decompressCluster(codec, Buffer.concat([packed, random(9)]), 0)).equals(cluster)).toBe(true)
  })

  it('stays plain when packing saves no sector', () => {
    expect(compress(random(1))).toBeUndefined()
    let longest = 0
    for (let bytes = clusterBytes - 4096; bytes <= clusterBytes; bytes += 64)
      longest = Math.max(longest, compress(partly(bytes))?.length ?? 0)
    expect(longest).toBeGreaterThan(clusterBytes - 8192)
    expect(longest).toBeLessThan(clusterBytes - 512)
  })
})

describe('deflate', () => {
  it('looks back 4 KiB at most, as QEMU does', () => {
    const packed = compressorOf('deflate')(text(clusterBytes, randomFrom(2))) as Buffer
    expect(inflateRawSync(packed, { windowBits: 12 }).length).toBe(clusterBytes)
  })
})
