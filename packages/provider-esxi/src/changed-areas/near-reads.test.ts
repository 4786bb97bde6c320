import type { BlockSource } from '@holdfast/core/spec'
import { memoryBlocks, seededRandom } from '@holdfast/testkit'
import { describe, expect, it } from 'vitest'
import { bytesOfRun, type ClusterRun, clusterBytes, clustersOf } from './cluster-runs.ts'
import { joinNear, nearReads } from './near-reads.ts'

const never = { signal: new AbortController().signal }
const seed = 27

/** A source that notes what is asked of it. */
function watched(bytes: Uint8Array): BlockSource & { readonly asked: (readonly [offset: number, length: number])[] } {
  const inner = memoryBlocks(bytes)
  const asked: (readonly [number, number])[] = []
  return {
    ...inner,
    asked,
    readers: 2,
    async readInto(target, offset, options) {
      asked.push([offset, target.length])
      await inner.readInto(target, offset, options)
    },
  }
}

function someRuns(random: ReturnType<typeof seededRandom>, clusters: number): readonly ClusterRun[] {
  const runs: ClusterRun[] = []
  for (let index = random.below(9); index < clusters; ) {
    const count = Math.min(1 + random.below(random.below(10) === 0 ? 90 : 3), clusters - index)
    runs.push({ index, count })
    index += count + 1 + random.below(9)
  }
  return runs
}

describe('runs that are near to each other', () => {
  it('are joined, to at most 4 MiB, and those that are not stay apart', () => {
    expect(joinNear([0, 5, 10, 16, 70].map((index) => ({ index, count: 1 })))).toEqual([
      { index: 0, count: 11 },
      { index: 16, count: 1 },
      { index: 70, count: 1 },
    ])
    const many = joinNear(Array.from({ length: 100 }, (_, place) => ({ index: place * 2, count: 1 })))
    expect(many.map(({ count }) => count)).toEqual([63, 63, 63, 7])
    expect(
      joinNear([
        { index: 0, count: 200 },
        { index: 201, count: 1 },
      ]),
    ).toHaveLength(2)
  })

  it(`are read as they are by two readers at once, none of them twice, whatever they are (seed ${seed})`, async () => {
    const random = seededRandom(seed)
    for (let round = 0; round < 20; round += 1) {
      const bytes = random.bytes(300 * clusterBytes + random.below(clusterBytes))
      const runs = someRuns(random, clustersOf(bytes.length))
      const source = watched(bytes)
      const near = nearReads(source, runs)
      const left = [...runs]
      const reader = async () => {
        for (let run = left.shift(); run !== undefined; run = left.shift()) {
          const { offset, length } = bytesOfRun(run, bytes.length)
          const target = new Uint8Array(length)
          await near.readInto(target, offset, never)
          expect(Buffer.compare(target, bytes.subarray(offset, offset + length)), `round ${round}, ${offset}`).toBe(0)
        }
      }
      await Promise.all([reader(), reader()])
      expect(source.asked.map(([offset, length]) => ({ index: offset / clusterBytes, count: clustersOf(length) }))).toEqual(joinNear(runs))
    }
  })

  it('whose request fails reject, and are asked for again', async () => {
    const bytes = seededRandom(seed).bytes(10 * clusterBytes)
    const source = watched(bytes)
    let failures = 1
    const failing = {
      ...source,
      async readInto(...[target, offset, options]: Parameters<BlockSource['readInto']>) {
        failures -= 1
        if (failures >= 0) throw new Error('the line was cut')
        await source.readInto(target, offset, options)
      },
    }
    const near = nearReads(failing, [
      { index: 1, count: 1 },
      { index: 3, count: 1 },
    ])
    const target = new Uint8Array(clusterBytes)
    await expect(near.readInto(target, clusterBytes, never)).rejects.toThrow('the line was cut')
    await near.readInto(target, 3 * clusterBytes, never)
    expect(Buffer.compare(target, bytes.subarray(3 * clusterBytes, 4 * clusterBytes))).toBe(0)
  })
})
