import { memoryBlocks, seededRandom } from '@holdfast/testkit'
import { describe, expect, it } from 'vitest'
import { clusterBytes } from './cluster-runs.ts'
import { chooseSamples, compareSamples, takeSamples } from './samples.ts'

const never = { signal: new AbortController().signal }
const tebibyte = 2 ** 40

describe('samples of a disk', () => {
  it('are spread over all of it, never more than 64, and within it', () => {
    const chosen = chooseSamples(tebibyte, [], 'run')
    expect(chosen).toHaveLength(64)
    const part = tebibyte / clusterBytes / 64
    expect(chosen.map((index) => Math.floor(index / part))).toEqual(Array.from({ length: 64 }, (_, place) => place))
    expect(chooseSamples(0, [], 'run')).toEqual([])
    expect(chooseSamples(1, [], 'run')).toEqual([0])
  })

  it('are to one half where something was written', () => {
    const written = [
      { index: 1000, count: 50 },
      { index: 9000, count: 5000 },
    ]
    const chosen = chooseSamples(tebibyte, written, 'run')
    const near = chosen.filter((index) => written.some((run) => index >= run.index && index < run.index + run.count))
    expect(near.length).toBeGreaterThanOrEqual(30)
    expect(chosen.length - near.length).toBeGreaterThanOrEqual(30)
  })

  it('are the same for a run, and others for another', () => {
    expect(chooseSamples(tebibyte, [], 'run')).toEqual(chooseSamples(tebibyte, [], 'run'))
    expect(chooseSamples(tebibyte, [], 'run')).not.toEqual(chooseSamples(tebibyte, [], 'other'))
  })

  it('28: show a cluster that has changed although it shall not have, also the short one at the end', async () => {
    const bytes = seededRandom(28).bytes(3 * clusterBytes + 7)
    const samples = await takeSamples(memoryBlocks(bytes), [0, 1, 3], never)
    expect(await compareSamples(memoryBlocks(bytes), samples, [], never)).toEqual({ compared: 3 })
    const next = Uint8Array.from(bytes)
    next[next.length - 1] = (next.at(-1) ?? 0) ^ 1
    next[5] = (next[5] ?? 0) ^ 1
    expect(await compareSamples(memoryBlocks(next), samples, [{ index: 0, count: 1 }], never)).toEqual({
      compared: 2,
      missedAt: 3 * clusterBytes,
    })
    expect(await compareSamples(memoryBlocks(next), samples, [{ index: 0, count: 4 }], never)).toEqual({ compared: 0 })
  })
})
