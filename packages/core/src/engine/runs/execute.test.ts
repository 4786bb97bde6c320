import { expect, onTestFinished, test } from 'vitest'
import { minute, nightly, pass, planWorld } from '../../../test/plan-world.ts'
import { HoldfastError } from '../../spec/errors.ts'

test.each(['ENGINE_STOPPED', 'RUN_CANCELLED'] as const)('%s from a provider that nobody has stopped is a failure', async (code) => {
  const { clock, platform, provider, make, runs, close } = planWorld()
  onTestFinished(close)
  let calls = 0
  const broken = {
    ...provider,
    backup() {
      calls++
      return Promise.reject(new HoldfastError(code, 'the other engine said so'))
    },
  }
  const engine = await make({ n: nightly(platform.addVolume('a')) }, { providers: { p: broken }, retry: { maxFailures: 2, delayMs: 1000 } })
  await clock.runUntil(engine.start())
  const ended = Promise.resolve(engine.runPlan('n')).catch((error: unknown) => error)
  await pass(clock, 5 * minute, 1000)
  expect(await runs()).toMatchObject([{ state: 'failed', failures: 1, error: { code: 'PROVIDER_FAILED' } }])
  expect(await ended).toMatchObject({ code: 'PROVIDER_FAILED', message: expect.stringContaining('the other engine said so') })
  expect(calls).toBe(2)
})
