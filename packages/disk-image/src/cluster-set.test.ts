import { describe, expect, it } from 'vitest'
import { randomFrom } from '../test/support.ts'
import { createClusterSet, extentsOf } from './cluster-set.ts'
import { clusterBytes } from './clusters.ts'

function expectedRuns(model: ReadonlySet<number>) {
  const runs: { index: number; count: number }[] = []
  for (const index of [...model].sort((a, b) => a - b)) {
    const last = runs.at(-1)
    if (last !== undefined && last.index + last.count === index) last.count += 1
    else runs.push({ index, count: 1 })
  }
  return runs
}

describe('a set of clusters', () => {
  it.each([1, 2, 3, 4, 5, 6, 7, 8])('holds what was added, seed %i', (seed) => {
    const random = randomFrom(seed)
    const set = createClusterSet()
    const model = new Set<number>()
    for (let step = 0; step < 60; step += 1) {
      const index = Math.floor(random() * 40_000)
      const count = 1 + Math.floor(random() * (random() < 0.1 ? 20_000 : 12))
      let fresh = true
      for (let at = index; at < index + count; at += 1) {
        if (model.has(at)) fresh = false
        model.add(at)
      }
      expect(set.add(index, count)).toBe(fresh)
    }
    expect([...set.runs()]).toEqual(expectedRuns(model))
    for (let step = 0; step < 2000; step += 1) {
      const index = Math.floor(random() * 61_000)
      expect(set.has(index)).toBe(model.has(index))
    }
  })

  it('takes one piece of memory where something was added, also at petabytes', () => {
    const set = createClusterSet()
    set.add(2 ** 34, 3)
    set.add(5)
    expect(set.chunks).toBe(2)
    expect([...set.runs()]).toEqual([
      { index: 5, count: 1 },
      { index: 2 ** 34, count: 3 },
    ])
  })

  it('gives extents in guest order, the last cut at the end of the disk', () => {
    const data = createClusterSet()
    const zero = createClusterSet()
    zero.add(0)
    data.add(1, 2)
    zero.add(4)
    zero.add(9)
    data.add(10)
    expect([...extentsOf(data, zero, 10 * clusterBytes + 1)]).toEqual([
      { offset: 0, length: clusterBytes, kind: 'zero' },
      { offset: clusterBytes, length: 2 * clusterBytes, kind: 'data' },
      { offset: 4 * clusterBytes, length: clusterBytes, kind: 'zero' },
      { offset: 9 * clusterBytes, length: clusterBytes, kind: 'zero' },
      { offset: 10 * clusterBytes, length: 1, kind: 'data' },
    ])
  })
})
