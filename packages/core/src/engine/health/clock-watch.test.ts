import { fakeClock } from '@holdfast/testkit'
import { describe, expect, it } from 'vitest'
import { createClockWatch } from './clock-watch.ts'

const minute = 60_000
const hour = 60 * minute
const day = 24 * hour
const watched = () => {
  const clock = fakeClock()
  const watch = createClockWatch(clock, 5 * minute)
  /** The store's time as seen without any delay. */
  const show = (offset = 0) => watch.show(clock.now() + offset, clock.monotonic(), clock.monotonic())
  return { clock, watch, show }
}

describe('the clock of the host (faults F7)', () => {
  it('is trusted as long as it goes on like the monotonic one', async () => {
    const { clock, watch } = watched()
    for (const milliseconds of [30_000, day, 400 * day]) {
      await clock.advance(milliseconds)
      expect(watch.trusted()).toBe(true)
    }
  })
  for (const [words, jump] of [
    ['a day forward', day],
    ['a day back', -day],
    ['an hour forward', hour],
    ['an hour back', -hour],
  ] as const)
    it(`is not trusted any more after a jump of ${words}, however long ago`, async () => {
      const { clock, watch } = watched()
      clock.jump(jump)
      expect(watch.trusted()).toBe(false)
      await clock.advance(30 * day)
      expect(watch.trusted()).toBe(false)
      expect(watch.away()).toEqual({ host: jump, store: 0 })
    })
  it('is trusted through many small steps of a time server', async () => {
    const { clock, watch } = watched()
    for (let step = 0; step < 100; step++) {
      clock.jump(step % 3 === 0 ? -2 * minute : 4 * minute)
      await clock.advance(30_000)
      expect(watch.trusted()).toBe(true)
    }
  })
  it('is trusted again when it comes back, also in several steps', () => {
    const { clock, watch } = watched()
    clock.jump(day)
    expect(watch.trusted()).toBe(false)
    clock.jump(-day + hour)
    expect(watch.trusted()).toBe(false)
    clock.jump(-hour + minute)
    expect(watch.trusted()).toBe(true)
  })
  it('is trusted again when a person confirms it, until the next jump', () => {
    const { clock, watch } = watched()
    clock.jump(day)
    expect(watch.trusted()).toBe(false)
    watch.confirm()
    expect(watch.trusted()).toBe(true)
    clock.jump(day)
    expect(watch.trusted()).toBe(false)
  })
  it('is confirmed as it is at that moment, also when nobody has looked since it jumped', () => {
    const { clock, watch } = watched()
    clock.jump(day)
    watch.confirm()
    expect(watch.trusted()).toBe(true)
  })
})

describe('the clock of the store (faults F7)', () => {
  it('may be another than ours and is trusted while it goes on', async () => {
    const { clock, watch, show } = watched()
    show(-3 * hour)
    await clock.advance(day)
    show(-3 * hour)
    expect(watch.trusted()).toBe(true)
  })
  it('is not trusted after a jump until it is set back', async () => {
    const { clock, watch, show } = watched()
    show()
    await clock.advance(30_000)
    show(day)
    expect(watch.trusted()).toBe(false)
    await clock.advance(30_000)
    show(day)
    expect(watch.trusted()).toBe(false)
    expect(watch.away()).toEqual({ host: 0, store: day })
    show(0)
    expect(watch.trusted()).toBe(true)
  })
  it('is not blamed for an answer that took long', async () => {
    const { clock, watch, show } = watched()
    show()
    const from = clock.monotonic()
    const time = clock.now()
    await clock.advance(20 * minute)
    watch.show(time, from, clock.monotonic())
    expect(watch.trusted()).toBe(true)
    show()
    expect(watch.trusted()).toBe(true)
  })
})
