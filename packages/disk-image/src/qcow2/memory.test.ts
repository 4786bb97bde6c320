import { describe, expect, it } from 'vitest'
import { watchHeldMemory } from '../../test/held-memory.ts'
import { failure, memoryBlocks, never, noise, options, randomFrom, withExtents } from '../../test/support.ts'
import type { BlockSource, Extent, MappedBlocks } from '../blocks.ts'
import { clusterBytes } from '../clusters.ts'
import { encodeQcow2 } from './encode.ts'
import { openQcow2 } from './open.ts'

const mebibyte = 1024 * 1024
const tebibyte = 1024 * 1024 * mebibyte
const ceiling = 4 * mebibyte

/** A huge disk that holds one piece of noise wherever its extents say data. */
function sparseDisk(size: number, extents: readonly Extent[]): MappedBlocks {
  const piece = noise(clusterBytes, randomFrom(11))
  const source: BlockSource = {
    ...memoryBlocks(Buffer.alloc(0)),
    size,
    async readInto(target) {
      for (let at = 0; at < target.length; at += clusterBytes) target.set(piece.subarray(0, target.length - at), at)
    },
  }
  return withExtents(source, extents)
}

/** The most that is held while a stream passes, above that at its start, and its length. */
async function measure(blocks: MappedBlocks, covers: 'all' | 'changes') {
  let sums = 0
  const memory = watchHeldMemory(ceiling)
  const onSums = (batch: readonly unknown[]) => {
    sums += batch.length
    memory.look()
  }
  const encoded = await encodeQcow2(blocks, { covers, signal: never, onSums })
  let length = 0
  for await (const chunk of encoded.open(options)) {
    length += chunk.length
    memory.look()
  }
  return { encoded, length, sums, growth: memory.growth() }
}

describe('memory', () => {
  it('of encoding 1 TiB with a few MiB of scattered data stays under a ceiling', async () => {
    const extents = Array.from(
      { length: 64 },
      (_, position): Extent => ({ offset: position * 16 * 1024 * mebibyte, length: 2 * clusterBytes, kind: 'data' }),
    )
    const { encoded, length, sums, growth } = await measure(sparseDisk(tebibyte, extents), 'all')
    expect(length).toBe(encoded.size)
    expect(sums).toBe(128)
    expect(encoded.counts).toEqual({ data: 128, zero: 0 })
    expect(length).toBeLessThan(16 * mebibyte)
    expect(growth).toBeLessThan(ceiling)
  })

  it('of encoding 64 GiB of zero clusters stays under the same ceiling', async () => {
    const size = 64 * 1024 * mebibyte
    const { encoded, length, sums, growth } = await measure(sparseDisk(size, [{ offset: 0, length: size, kind: 'zero' }]), 'changes')
    expect(length).toBe(encoded.size)
    expect(sums).toBe(size / clusterBytes)
    expect(growth).toBeLessThan(ceiling)
  })

  it('is not taken because a file says so', async () => {
    const file = Buffer.alloc(4 * clusterBytes)
    file.write('QFI\xfb', 0, 'latin1')
    file.writeUInt32BE(3, 4)
    file.writeUInt32BE(16, 20)
    file.writeUInt32BE(4, 28 - 4)
    file.writeUInt32BE(4 * 1024 * 1024, 36)
    file.writeUInt32BE(clusterBytes, 44)
    file.writeUInt32BE(2 * clusterBytes, 52)
    file.writeUInt32BE(1, 56)
    file.writeUInt32BE(4, 96)
    file.writeUInt32BE(112, 100)
    const before = process.memoryUsage().arrayBuffers
    const error = await failure(() => openQcow2(memoryBlocks(file), options))
    expect(error).toMatchObject({ code: 'IMAGE_DAMAGED' })
    expect(error.message).toContain('L1 table')
    expect(process.memoryUsage().arrayBuffers - before).toBeLessThan(8 * mebibyte)
  })
})
