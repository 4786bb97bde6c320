import { describe, expect, it } from 'vitest'
import { jitterOf } from './jitter.ts'

describe('jitter', () => {
  it('is the same on every node and in every version', () => {
    expect(jitterOf('nightly/docker/shop-db/2026-11-20T02:30:00.000Z', 600_000)).toBe(8610)
  })

  it('is none without a jitter', () => {
    expect(jitterOf('nightly', 0)).toBe(0)
    expect(jitterOf('nightly', 1)).toBe(0)
  })

  it('stays below its limit and spreads over all of it', () => {
    const all = Array.from({ length: 2000 }, (_, index) => jitterOf(`plan-${index}`, 86_400_000))
    expect(all.every((jitter) => Number.isInteger(jitter) && jitter >= 0 && jitter < 86_400_000)).toBe(true)
    const hours = Array.from({ length: 24 }, (_, hour) => all.filter((jitter) => Math.floor(jitter / 3_600_000) === hour).length)
    expect(Math.min(...hours)).toBeGreaterThan(40)
    expect(Math.max(...hours)).toBeLessThan(140)
  })
})
