import { fakeClock } from '@holdfast/testkit'
import { describe, expect, it } from 'vitest'
import { createThrottle } from './throttle.ts'

const signal = new AbortController().signal

describe('the throttle', () => {
  it('holds several streams to one rate together', async () => {
    const clock = fakeClock()
    const throttle = createThrottle({ clock, bytesPerSecond: 1000 })
    const stream = async () => {
      for (let count = 0; count < 10; count++) await throttle.pass(100, { signal })
    }
    await clock.runUntil(Promise.all([stream(), stream(), stream()]))
    expect(clock.monotonic()).toBe(3000)
  })
  it('does not make up for a pause', async () => {
    const clock = fakeClock()
    const throttle = createThrottle({ clock, bytesPerSecond: 1000 })
    await clock.advance(60_000)
    await clock.runUntil(Promise.resolve(throttle.pass(500, { signal })))
    expect(clock.monotonic()).toBe(60_500)
  })
  it('needs no timer for waits that do not show', () => {
    const throttle = createThrottle({ clock: fakeClock(), bytesPerSecond: 2 ** 30 })
    expect(throttle.pass(1000, { signal })).toBeUndefined()
  })
  it('without a rate never waits', () => {
    expect(createThrottle({ clock: fakeClock() }).pass(2 ** 40, { signal })).toBeUndefined()
  })
  it('stops waiting when the call is aborted', async () => {
    const controller = new AbortController()
    const clock = fakeClock()
    const waiting = createThrottle({ clock, bytesPerSecond: 1 }).pass(1000, { signal: controller.signal })
    controller.abort(new Error('enough'))
    await expect(waiting).rejects.toThrow('enough')
    expect(clock.sleepers).toBe(0)
  })
})
