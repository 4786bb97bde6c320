import { afterEach, expect, test } from 'vitest'
import { planWorld } from '../../../test/plan-world.ts'
import { HoldfastError, type Provider } from '../../spec/index.ts'

const world = planWorld()
const id = world.platform.addVolume('shop-db')
afterEach(() => world.close())

test('a handle has catch and finally, as a promise has', async () => {
  const engine = await world.make({})
  const seen: unknown[] = []
  const order = { operation: 'backup', repository: 'main', workload: { provider: 'p', id }, compression: 'none' } as const
  const whole = engine.run({ key: 'a', ...order }).finally(() => void seen.push('ended'))
  expect(await world.clock.runUntil(whole)).toMatchObject({ number: 1 })
  expect(await engine.verify({ repository: 'none' }).catch((error: unknown) => error)).toMatchObject({ code: 'INVALID_OPTIONS' })
  await expect(engine.runPlan('none').finally(() => void seen.push('refused'))).rejects.toMatchObject({ code: 'NOT_FOUND' })
  expect(seen).toEqual(['ended', 'refused'])
})

test('progress tells that an attempt has failed, why, and when the next begins', async () => {
  let failures = 0
  const provider: Provider = {
    ...world.provider,
    async backup(request, sink, run) {
      if (failures++ === 0) throw new HoldfastError('UNREACHABLE', 'nobody answers at 192.0.2.1')
      return await world.provider.backup(request, sink, run)
    },
  }
  const engine = await world.make({}, { providers: { p: provider } })
  const run = engine.run({ key: 'd', operation: 'backup', repository: 'main', workload: { provider: 'p', id }, compression: 'none' })
  const steps: string[] = []
  const read = (async () => {
    for await (const { text } of run.progress()) steps.push(text)
  })()
  await world.clock.runUntil(Promise.all([read, run]))
  expect(steps).toContainEqual(expect.stringMatching(/^failed \(1 of 3\): nobody answers at 192\.0\.2\.1; again in [\d.]+ s$/))
})

test('accepted resolves as soon as the run is stored, and rejects for a mistake in what was asked', async () => {
  const engine = await world.make({})
  const order = { operation: 'backup', repository: 'main', workload: { provider: 'p', id } } as const
  const run = engine.run({ key: 'b', ...order })
  await run.accepted()
  expect(await engine.getRun('b')).toMatchObject({ operation: 'backup' })
  await expect(engine.run({ key: 'c', ...order, repository: 'none' }).accepted()).rejects.toMatchObject({ code: 'INVALID_OPTIONS' })
  expect(await engine.getRun('c')).toBeUndefined()
  await run.cancel('enough')
})
