import { fakeClock } from '@holdfast/testkit'
import { describe, expect, it } from 'vitest'
import { humanBytes, humanDuration } from './human-text.ts'
import { createProgressMeter } from './progress-meter.ts'

describe('the progress meter', () => {
  it('tells bytes, rate and time left', async () => {
    const clock = fakeClock()
    const meter = createProgressMeter({ clock })
    meter.expect(100 * 2 ** 20)
    meter.step('storing shop.tar')
    for (let second = 0; second < 5; second++) {
      await clock.advance(1000)
      meter.add(10 * 2 ** 20)
    }
    expect(meter.snapshot()).toEqual({
      text: 'storing shop.tar: 50 MiB of 100 MiB, 10 MiB/s, 5 s left',
      bytes: 50 * 2 ** 20,
      totalBytes: 100 * 2 ** 20,
      bytesPerSecond: 10 * 2 ** 20,
      millisecondsLeft: 5000,
      elapsedMs: 5000,
    })
  })
  it('does not count what was done before the first byte', async () => {
    const clock = fakeClock()
    const meter = createProgressMeter({ clock })
    meter.expect(1000)
    meter.step('making a snapshot')
    for (let second = 0; second < 60; second++) {
      await clock.advance(1000)
      meter.snapshot()
    }
    for (let tenth = 0; tenth < 20; tenth++) {
      meter.add(10)
      await clock.advance(100)
      if (tenth > 0) expect(meter.snapshot().bytesPerSecond).toBeGreaterThanOrEqual(50)
    }
    expect(meter.snapshot()).toMatchObject({ bytes: 200, bytesPerSecond: expect.toSatisfy((rate: number) => Math.abs(rate - 100) < 10) })
  })
  it('smooths the rate, and lets it fall when nothing moves', async () => {
    const clock = fakeClock()
    const meter = createProgressMeter({ clock })
    const second = async (bytes: number) => {
      await clock.advance(1000)
      meter.add(bytes)
    }
    for (let count = 0; count < 10; count++) await second(1000)
    await second(9000)
    expect(meter.snapshot().bytesPerSecond).toBe(3000)
    await clock.advance(60_000)
    expect(meter.snapshot().bytesPerSecond).toBe(0)
  })
  it('tells no total and no time left when there is more than was expected', async () => {
    const clock = fakeClock()
    const meter = createProgressMeter({ clock })
    meter.expect(10)
    await clock.advance(1000)
    meter.add(20)
    const progress = meter.snapshot()
    expect(progress).not.toHaveProperty('totalBytes')
    expect(progress).not.toHaveProperty('millisecondsLeft')
  })
  it('tells a fraction, and only a step when nothing is known', () => {
    const meter = createProgressMeter({ clock: fakeClock() })
    meter.step('waiting for the snapshot', 0.427)
    expect(meter.snapshot()).toMatchObject({ text: 'waiting for the snapshot: 42 %', fraction: 0.427, bytesPerSecond: 0, elapsedMs: 0 })
    meter.step('stopping')
    expect(meter.snapshot().text).toBe('stopping')
  })
  it('reports each step, and bytes at most four times a second', async () => {
    const clock = fakeClock()
    let changes = 0
    const meter = createProgressMeter({ clock, onChange: () => changes++ })
    meter.step('one')
    for (let count = 0; count < 100; count++) {
      await clock.advance(10)
      meter.add(1)
    }
    expect(changes).toBe(1 + 4)
  })
})

describe('amounts for people', () => {
  it('have at most three digits and a unit', () => {
    expect([0, 1023, 1024, 1536, 10 * 1024, 1_048_000, 2 ** 30, 1.26 * 2 ** 40].map(humanBytes)).toEqual([
      '0 B',
      '1023 B',
      '1.0 KiB',
      '1.5 KiB',
      '10 KiB',
      '1023 KiB',
      '1.0 GiB',
      '1.3 TiB',
    ])
    expect([10, 1000, 89_000, 120_000, 5_400_000, 8_000_000].map(humanDuration)).toEqual([
      '1 s',
      '1 s',
      '89 s',
      '2 min',
      '1 h 30 min',
      '2 h 13 min',
    ])
  })
})
