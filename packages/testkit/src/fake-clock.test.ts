import { describe, expect, it } from 'vitest'
import { fakeClock } from './fake-clock.ts'

const options = { signal: new AbortController().signal }

describe('fakeClock', () => {
  it('stands still until it is advanced, and moves both clocks by the same time', async () => {
    const clock = fakeClock({ start: 1000 })
    expect([clock.now(), clock.monotonic()]).toEqual([1000, 0])
    await clock.advance(250)
    expect([clock.now(), clock.monotonic()]).toEqual([1250, 250])
  })
  it('wakes sleepers in the order of their times, and those of one time in the order in which they fell asleep', async () => {
    const clock = fakeClock()
    const woken: string[] = []
    const sleep = (name: string, milliseconds: number) =>
      clock.sleep(milliseconds, options).then(() => woken.push(`${name}@${clock.monotonic()}`))
    void sleep('c', 30)
    void sleep('a', 10)
    void sleep('b1', 20)
    void sleep('b2', 20)
    await clock.advance(25)
    expect(woken).toEqual(['a@10', 'b1@20', 'b2@20'])
    expect([clock.sleepers, clock.untilNext()]).toEqual([1, 5])
  })
  it('lets a sleeper sleep again within the same advance', async () => {
    const clock = fakeClock()
    const times: number[] = []
    void (async () => {
      for (let round = 0; round < 3; round++) {
        await clock.sleep(10, options)
        times.push(clock.monotonic())
      }
    })()
    await clock.advance(100)
    expect(times).toEqual([10, 20, 30])
  })
  it('rejects a sleep with the reason of its signal, and forgets the sleeper', async () => {
    const clock = fakeClock()
    const controller = new AbortController()
    const sleep = clock.sleep(10, controller)
    controller.abort(new Error('enough'))
    await expect(sleep).rejects.toThrow('enough')
    expect(clock.sleepers).toBe(0)
    await expect(clock.sleep(10, controller)).rejects.toThrow('enough')
  })
  it('jumps the wall clock without moving the monotonic clock or waking anybody', async () => {
    const clock = fakeClock({ start: 0 })
    void clock.sleep(10, options)
    clock.jump(86_400_000)
    expect([clock.now(), clock.monotonic(), clock.sleepers]).toEqual([86_400_000, 0, 1])
  })
  it('runs until a promise is settled, or says that nobody sleeps', async () => {
    const clock = fakeClock()
    expect(await clock.runUntil(clock.sleep(5000, options).then(() => clock.monotonic()))).toBe(5000)
    await expect(clock.runUntil(new Promise(() => {}))).rejects.toThrow('nobody sleeps')
    await expect(clock.runUntil(clock.sleep(5000, options), { limitMs: 100 })).rejects.toThrow('not done after 100 ms')
  })
  it('runs until nobody sleeps', async () => {
    const clock = fakeClock()
    void clock.sleep(10, options).then(() => clock.sleep(10, options))
    await clock.runUntilIdle()
    expect([clock.monotonic(), clock.sleepers]).toEqual([20, 0])
  })
})
