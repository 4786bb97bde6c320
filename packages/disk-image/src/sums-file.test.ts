import { describe, expect, it } from 'vitest'
import { all, batchesOf, collect, failure, fullImage, memoryBlocks, noise, options, randomFrom } from '../test/support.ts'
import { type ClusterSum, zeroSum } from './cluster-sums.ts'
import { clusterBytes } from './clusters.ts'
import { logicalDigest, overlaySums } from './merge-sums.ts'
import { encodeSums, openSums } from './sums-file.ts'

function randomSums(random: () => number, count: number): { sums: ClusterSum[]; size: number } {
  const sums: ClusterSum[] = []
  let index = -1
  for (let position = 0; position < count; position += 1) {
    index += 1 + Math.floor(random() * 4)
    const zero = random() < 0.2
    sums.push({ index, kind: zero ? 'zero' : 'data', sum: zero ? zeroSum : noise(16, random) })
  }
  return { sums, size: (index + 1) * clusterBytes }
}

const plain = (sums: readonly ClusterSum[]) => sums.map(({ index, kind, sum }) => `${index} ${kind} ${Buffer.from(sum).toString('hex')}`)
const fileOf = (sums: readonly ClusterSum[], size: number) => collect(encodeSums({ size, count: sums.length }, batchesOf(sums)).bytes)
const openBytes = (file: Buffer) => openSums(memoryBlocks(file, 2), options)

describe('a sums file', () => {
  it.each([0, 1, 5, 4096, 4097, 20_000])('gives back its %i sums, in order and by cluster', async (count) => {
    const random = randomFrom(count)
    const { sums, size } = randomSums(random, count)
    const file = await fileOf(sums, size)
    expect(file.length).toBe(32 + 24 * count)
    expect(encodeSums({ size, count }, batchesOf(sums)).size).toBe(file.length)
    const opened = await openBytes(file)
    expect({ size: opened.size, count: opened.count }).toEqual({ size, count })
    expect(plain((await all(opened.batches(options))).flat())).toEqual(plain(sums))
    const byIndex = new Map(sums.map((sum) => [sum.index, sum]))
    for (let step = 0; step < 300; step += 1) {
      const index = Math.floor(random() * (size / clusterBytes + 3))
      const found = await opened.find(index, options)
      expect(found === undefined ? [] : plain([found])).toEqual(plain([byIndex.get(index)].filter((sum) => sum !== undefined)))
    }
  })

  it('is laid out as the README says', async () => {
    const sum = noise(16, randomFrom(1))
    const file = await fileOf([{ index: 0x0102030405, kind: 'data', sum }], 2 ** 53 - 1)
    expect(file.toString('hex')).toBe(
      `${Buffer.from('HFSUMS\r\n').toString('hex')}01000000${'00000100'}ffffffffffff1f000100000000000000` +
        `050403020100${'01'}00${sum.toString('hex')}`,
    )
  })

  it('lets no flipped bit pass: it is refused, or what it says differs', async () => {
    const { sums, size } = randomSums(randomFrom(2), 6)
    const file = await fileOf(sums, size)
    const original = `${size} ${plain(sums).join()}`
    const meaning = async (bytes: Buffer) => {
      const opened = await openBytes(bytes)
      return `${opened.size} ${plain((await all(opened.batches(options))).flat()).join()}`
    }
    expect(await meaning(file)).toBe(original)
    let refused = 0
    for (let bit = 0; bit < file.length * 8; bit += 1) {
      const flipped = Buffer.from(file)
      flipped.writeUInt8(flipped.readUInt8(bit >> 3) ^ (1 << (bit & 7)), bit >> 3)
      const outcome = await meaning(flipped).catch((error: { code?: string }) => `${error.code}`)
      expect(outcome, `bit ${bit}`).not.toBe(original)
      if (/^(IMAGE_DAMAGED|UNSUPPORTED_FORMAT)$/.test(outcome)) refused += 1
    }
    expect(refused).toBeGreaterThan(300)
  })

  it('refuses a zero cluster with the sum of data', async () => {
    const file = await fileOf([{ index: 0, kind: 'zero', sum: noise(16, randomFrom(5)) }], clusterBytes)
    const opened = await openBytes(file)
    expect(await failure(() => all(opened.batches(options)))).toMatchObject({ code: 'IMAGE_DAMAGED', details: { record: 0 } })
    expect(await failure(() => opened.find(0, options))).toMatchObject({ code: 'IMAGE_DAMAGED' })
  })

  it('is refused when it is cut or longer, at any length', async () => {
    const { sums, size } = randomSums(randomFrom(3), 4)
    const file = await fileOf(sums, size)
    for (let length = 0; length < file.length; length += 1) {
      expect((await failure(() => openBytes(file.subarray(0, length)))).code, `${length} bytes`).toMatch(
        /^(IMAGE_DAMAGED|UNSUPPORTED_FORMAT)$/,
      )
    }
    expect(await failure(() => openBytes(Buffer.concat([file, Buffer.alloc(24)])))).toMatchObject({ code: 'IMAGE_DAMAGED' })
  })

  it('takes no memory for a count that the file does not have', async () => {
    const header = (await fileOf([], 2 ** 50)).subarray(0, 32)
    header.writeUInt32LE(2 ** 31, 24)
    const source = memoryBlocks(header)
    expect(await failure(() => openSums(source, options))).toMatchObject({ code: 'IMAGE_DAMAGED' })
    expect(source.disposals).toBe(1)
  })

  it.each<[string, (sums: ClusterSum[]) => ClusterSum[]]>([
    ['too few', (sums) => sums.slice(1)],
    ['too many', (sums) => [...sums, { index: 9, kind: 'zero', sum: zeroSum }]],
    ['out of order', (sums) => [...sums].reverse()],
    ['outside the disk', (sums) => [...sums.slice(0, -1), { index: 10, kind: 'zero', sum: zeroSum }]],
  ])('breaks off when the sums are %s', async (_, mutate) => {
    const sums = (await fullImage(noise(3 * clusterBytes, randomFrom(4)))).sums
    const encoded = encodeSums({ size: 10 * clusterBytes, count: 3 }, batchesOf(mutate([...sums])))
    expect(await failure(() => collect(encoded.bytes))).toMatchObject({ code: 'INVALID_OPTIONS' })
  })
})

describe('merged sums', () => {
  it.each([1, 2, 3, 4, 5])('take the newest of each cluster and nothing that a smaller layer cut off, seed %i', async (seed) => {
    const random = randomFrom(seed)
    const layers = Array.from({ length: 1 + Math.floor(random() * 9) }, () => {
      const { sums, size } = randomSums(random, Math.floor(random() * 300))
      return { sums, size: Math.floor(size * (1 + random())) }
    })
    const model = new Map<number, ClusterSum>()
    for (const { sums, size } of [...layers].reverse()) {
      for (const index of model.keys()) if (index >= Math.ceil(size / clusterBytes)) model.delete(index)
      for (const sum of sums) model.set(sum.index, sum)
    }
    const merged = overlaySums(layers.map(({ sums, size }) => ({ size, batches: batchesOf(sums) })))
    expect(plain((await all(merged)).flat())).toEqual(plain([...model.values()].sort((a, b) => a.index - b.index)))
  })

  it('have a digest that knows what the disk holds, not how it is stored', async () => {
    const { sums } = await fullImage(noise(3 * clusterBytes, randomFrom(6)))
    const digest = await logicalDigest(batchesOf(sums))
    expect(digest).toMatch(/^[0-9a-f]{64}$/)
    expect(
      await logicalDigest(batchesOf([...sums, { index: 7, kind: 'zero', sum: zeroSum }, { index: 8, kind: 'data', sum: zeroSum }])),
    ).toBe(digest)
    expect(await logicalDigest(batchesOf(sums.slice(1)))).not.toBe(digest)
    expect(await logicalDigest(batchesOf([]))).toBe('e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855')
  })
})
