import { fakeClock } from '@holdfast/testkit'
import { describe, expect, it } from 'vitest'
import { HoldfastError } from '../../spec/errors.ts'
import { createCheckRunner, type Look } from './check-runner.ts'

const signal = new AbortController().signal
const good: Look = { name: 'good', look: async () => ({ state: 'OK', message: 'fine' }) }
const hanging = () => {
  const calls: PromiseWithResolvers<{ state: 'OK'; message: string }>[] = []
  const look: Look = {
    name: 'slow',
    look() {
      const call = Promise.withResolvers<{ state: 'OK'; message: string }>()
      calls.push(call)
      return call.promise
    },
  }
  return { calls, look }
}

describe('the checks of a node', () => {
  it('say name, state, message and how long they took, in the order in which they were given', async () => {
    const clock = fakeClock()
    const slow: Look = {
      name: 'slow',
      async look(options) {
        await clock.sleep(250, options)
        return { state: 'Warning', message: 'nearly full' }
      },
    }
    const checks = await clock.runUntil(createCheckRunner(clock, [slow, good], 1_000).run({ signal }))
    expect(checks).toEqual([
      { name: 'slow', state: 'Warning', message: 'nearly full', durationMs: 250 },
      { name: 'good', state: 'OK', message: 'fine', durationMs: 0 },
    ])
  })
  for (const [what, thrown, message] of [
    ['a HoldfastError', new HoldfastError('REPOSITORY_MISSING', 'It is not mounted.'), 'It is not mounted.'],
    ['something that is no error', 'boom', 'boom'],
    ['something without a text', Object.create(null), 'something without a text was thrown'],
  ] as const)
    it(`is Error when a look rejects with ${what}; the others are not touched`, async () => {
      const look: Look = { name: 'bad', look: () => Promise.reject(thrown) }
      const checks = await createCheckRunner(fakeClock(), [look, good], 1_000).run({ signal })
      expect(checks.map((check) => [check.name, check.state, check.message])).toEqual([
        ['bad', 'Error', message],
        ['good', 'OK', 'fine'],
      ])
    })
  it('is Error at the deadline when a look hangs, and all come then', async () => {
    const clock = fakeClock()
    const { look } = hanging()
    const checks = await clock.runUntil(createCheckRunner(clock, [look, good], 10_000).run({ signal }))
    expect(checks[0]).toEqual({ name: 'slow', state: 'Error', message: 'The check did not finish within 10 s', durationMs: 10_000 })
    expect(checks[1]?.state).toBe('OK')
    expect(clock.sleepers).toBe(0)
  })
  it('does not ask again while the last look hangs, and asks again once it has come back', async () => {
    const clock = fakeClock()
    const { calls, look } = hanging()
    const runner = createCheckRunner(clock, [look], 10_000)
    await clock.runUntil(runner.run({ signal }))
    await clock.advance(30_000)
    expect(await runner.run({ signal })).toEqual([
      { name: 'slow', state: 'Error', message: 'There has been no answer for 40 s.', durationMs: 0 },
    ])
    expect(calls.length).toBe(1)
    calls[0]?.resolve({ state: 'OK', message: 'late' })
    await clock.advance(1)
    const third = runner.run({ signal })
    calls[1]?.resolve({ state: 'OK', message: 'here again' })
    expect((await third)[0]).toMatchObject({ state: 'OK', message: 'here again' })
  })
  it('cuts a message that would fill the store', async () => {
    const look: Look = { name: 'long', look: async () => ({ state: 'OK', message: 'x'.repeat(5_000) }) }
    const [check] = await createCheckRunner(fakeClock(), [look], 1_000).run({ signal })
    expect(check?.message).toBe(`${'x'.repeat(500)}...`)
  })
  it('rejects only when it is aborted', async () => {
    const clock = fakeClock()
    const ending = new AbortController()
    const running = createCheckRunner(clock, [hanging().look], 10_000).run(ending)
    const reason = new Error('stopped')
    const rejected = expect(running).rejects.toBe(reason)
    ending.abort(reason)
    await rejected
    expect(clock.sleepers).toBe(0)
  })
})
