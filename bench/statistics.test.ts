import { describe, expect, it } from 'vitest'
import { benchLine, type Cost, interleaved, median } from './statistics.ts'

const cost = (wallSeconds: number, cpuSeconds = wallSeconds, rssMib?: number): Cost => ({
  wallSeconds,
  cpuSeconds,
  ...(rssMib !== undefined && { rssMib }),
})

describe('median', () => {
  it('is the value in the middle, or half-way between the two', () => {
    expect(median([9])).toBe(9)
    expect(median([3, 100, 1])).toBe(3)
    expect(median([4, 1, 100, 2])).toBe(3)
  })
  it('does not sort text-wise and leaves its input alone', () => {
    const values = [10, 9, 100]
    expect(median(values)).toBe(10)
    expect(values).toEqual([10, 9, 100])
  })
  it('refuses nothing', () => {
    expect(() => median([])).toThrow('no median')
  })
})

describe('interleaved', () => {
  it('runs each program once per round, one after the other, and each comes first in turn', async () => {
    const order: string[] = []
    let running = 0
    const program = (name: string) => async (round: number) => {
      running++
      expect(running).toBe(1)
      await new Promise((resolve) => setImmediate(resolve))
      running--
      order.push(`${name}${round}`)
      return cost(round + 1)
    }
    const costs = await interleaved(3, { ours: program('a'), tar: program('b'), curl: program('c') })
    expect(order).toEqual(['a0', 'b0', 'c0', 'b1', 'c1', 'a1', 'c2', 'a2', 'b2'])
    expect(costs.curl.map((each) => each.wallSeconds)).toEqual([1, 2, 3])
  })
})

describe('benchLine', () => {
  it('compares round by round, so that a slow moment of the machine that meets both does not count', () => {
    const line = benchLine('disk', 'dd', [cost(1, 2, 90), cost(10, 4, 95), cost(2, 6, 100)], [cost(2, 1), cost(20, 1), cost(4, 1)], {
      bytes: 7,
    })
    expect(line).toEqual({
      bench: 'disk',
      peer: 'dd',
      wall_ratio: 0.5,
      cpu_ratio: 4,
      rss_mib: 95,
      ours: { wall_seconds: 2, cpu_seconds: 4, rss_mib: 95 },
      peers: { wall_seconds: 4, cpu_seconds: 1 },
      rounds: 3,
      data: { bytes: 7 },
    })
    expect(JSON.stringify(line)).not.toContain('\n')
  })
  it('refuses rounds that do not belong together', () => {
    expect(() => benchLine('disk', 'dd', [cost(1)], [cost(1), cost(2)], {})).toThrow('cannot be compared')
  })
})
