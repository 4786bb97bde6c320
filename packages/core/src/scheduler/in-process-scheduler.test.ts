import { fakeClock } from '@holdfast/testkit'
import { describe, expect, it } from 'vitest'
import { inProcessScheduler } from './in-process-scheduler.ts'

const options = { signal: new AbortController().signal }

function start(pollMs = 1000) {
  const clock = fakeClock()
  const scheduler = inProcessScheduler({ clock })
  const woken: number[] = []
  const begin = clock.now()
  const started = scheduler.start(() => woken.push(clock.now() - begin), { ...options, pollMs })
  return { clock, scheduler, woken, started }
}

describe('in-process scheduler', () => {
  it('wakes at each poll and exactly at the notified times, not at start', async () => {
    const { clock, scheduler, woken, started } = start()
    await started
    await scheduler.notify(new Date(clock.now() + 1500).toISOString(), options)
    await clock.advance(3500)
    expect(woken).toEqual([1000, 1500, 2500, 3500])
    await scheduler.stop()
  })

  it('sees a jump of the wall clock at the next poll', async () => {
    const { clock, scheduler, woken, started } = start(1000)
    await started
    await scheduler.notify(new Date(clock.now() + 3_600_000).toISOString(), options)
    await clock.advance(0)
    clock.jump(3_600_000)
    await clock.advance(999)
    expect(woken.length).toBe(0)
    await clock.advance(1)
    expect(woken.length).toBe(1)
    await scheduler.stop()
  })

  it('remembers the soonest of very many times', async () => {
    const { clock, scheduler, woken, started } = start(1_000_000)
    await started
    for (let index = 3000; index > 0; index--) await scheduler.notify(new Date(clock.now() + index * 10).toISOString(), options)
    await clock.advance(999_999)
    expect(woken).toEqual(Array.from({ length: 1000 }, (_, index) => (index + 1) * 10))
    await scheduler.stop()
  })

  it('leaves no timer behind', async () => {
    const { clock, scheduler, started } = start()
    await started
    await clock.advance(0)
    expect(clock.sleepers).toBe(1)
    await scheduler.stop()
    expect(clock.sleepers).toBe(0)
  })

  it('may be stopped by the wake itself', async () => {
    const clock = fakeClock()
    const scheduler = inProcessScheduler({ clock })
    let wakes = 0
    const stopping = new Promise<void>((resolve, reject) => {
      const wake = () => {
        wakes += 1
        scheduler.stop().then(resolve, reject)
      }
      scheduler.start(wake, { ...options, pollMs: 10 }).catch(reject)
    })
    await clock.advance(100)
    await stopping
    expect(wakes).toBe(1)
  })

  it('refuses to be started twice, a poll of nothing and a time that is none', async () => {
    const { scheduler, started } = start()
    await started
    const refused = { code: 'INVALID_OPTIONS' }
    await expect(scheduler.start(() => {}, { ...options, pollMs: 5 })).rejects.toMatchObject(refused)
    await expect(scheduler.notify('tomorrow', options)).rejects.toMatchObject({ ...refused, message: expect.stringContaining('tomorrow') })
    await scheduler.stop()
    for (const pollMs of [0, -1, Number.NaN]) await expect(scheduler.start(() => {}, { ...options, pollMs })).rejects.toMatchObject(refused)
  })
})
