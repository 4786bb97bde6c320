import { describe, expect, it } from 'vitest'
import { watchHeldMemory } from '../../../test/held-memory.ts'
import { memoryBlocks, never, noise, randomFrom, withExtents } from '../../../test/support.ts'
import type { BlockSource, Extent, MappedBlocks } from '../../blocks.ts'
import { clusterBytes } from '../../clusters.ts'
import { packQcow2 } from './pack.ts'

const mebibyte = 1024 * 1024
const tebibyte = 1024 * 1024 * mebibyte
const ceiling = 28 * mebibyte

/** A huge disk that holds half a cluster of noise wherever its extents say data. */
function sparseDisk(size: number, extents: readonly Extent[]): MappedBlocks {
  const piece = Buffer.alloc(clusterBytes)
  noise(clusterBytes / 2, randomFrom(11)).copy(piece)
  const source: BlockSource = {
    ...memoryBlocks(Buffer.alloc(0)),
    size,
    async readInto(target) {
      for (let at = 0; at < target.length; at += clusterBytes) target.set(piece.subarray(0, target.length - at), at)
    },
  }
  return withExtents(source, extents)
}

/** The most that is held while an image is written, above that at its start, and the length of the file. */
async function measure(blocks: MappedBlocks, covers: 'all' | 'changes') {
  const memory = watchHeldMemory(ceiling)
  let [sums, length] = [0, 0]
  const target = {
    async write(bytes: Uint8Array, offset: number) {
      length = Math.max(length, offset + bytes.length)
      memory.look()
    },
  }
  const onSums = (batch: readonly unknown[]) => {
    sums += batch.length
    memory.look()
  }
  const image = await packQcow2(blocks, target, { covers, codec: 'zstd', signal: never, onSums })
  return { image, length, sums, growth: memory.growth() }
}

describe('memory', () => {
  it('of packing 1 TiB with a few MiB of scattered data stays under a ceiling', async () => {
    const extents = Array.from(
      { length: 64 },
      (_, position): Extent => ({ offset: position * 16 * 1024 * mebibyte, length: 2 * clusterBytes, kind: 'data' }),
    )
    const { image, length, sums, growth } = await measure(sparseDisk(tebibyte, extents), 'all')
    expect(length).toBe(image.size)
    expect([image.counts.packed, sums]).toEqual([128, 128])
    expect(growth).toBeLessThan(ceiling)
  })

  it('of packing 256 MiB of data stays under the same ceiling', async () => {
    const size = 256 * mebibyte
    const { image, length, sums, growth } = await measure(sparseDisk(size, [{ offset: 0, length: size, kind: 'data' }]), 'all')
    expect(length).toBe(image.size)
    expect([image.counts.packed, sums]).toEqual([size / clusterBytes, size / clusterBytes])
    expect(growth).toBeLessThan(ceiling)
  })

  it('of packing 64 GiB of zero clusters stays under it too', async () => {
    const size = 64 * 1024 * mebibyte
    const { image, length, sums, growth } = await measure(sparseDisk(size, [{ offset: 0, length: size, kind: 'zero' }]), 'changes')
    expect(length).toBe(image.size)
    expect([image.counts.zero, sums]).toEqual([size / clusterBytes, size / clusterBytes])
    expect(growth).toBeLessThan(ceiling)
  })
})
