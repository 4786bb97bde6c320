import { countingIds, memoryPlatform, memoryRepository, memoryStore, scriptedProvider } from '@holdfast/testkit'
import { expect, onTestFinished, test } from 'vitest'
import { hour, nightly, planWorld } from '../../../test/plan-world.ts'
import { systemClock } from '../../clock.ts'
import type { Clock } from '../../spec/clock.ts'
import { createEngine } from '../create-engine.ts'

test('freeze: a process that stood still for longer than its lease does not take its own run over', async () => {
  const leaseMs = 600
  let slept = 0
  const clock: Clock = { ...systemClock, now: () => systemClock.now() + slept, monotonic: () => systemClock.monotonic() + slept }
  const platform = memoryPlatform()
  const id = platform.addVolume('data')
  const provider = scriptedProvider(platform, { shape: 'tarVolume', name: 'p' })
  const engine = await createEngine({
    name: 'node-a',
    clock,
    leaseMs,
    store: memoryStore({ clock, ids: countingIds('s') }),
    repositories: { main: memoryRepository({ clock }) },
    providers: {
      p: {
        ...provider,
        async backup(request, sink, run) {
          slept += 10 * leaseMs
          await engine.run({ key: 'other', operation: 'verify', repository: 'main' }) // makes the worker look for runs at once
          return provider.backup(request, sink, run)
        },
      },
    },
  })
  await engine.start()
  await engine.run({ key: 'k', operation: 'backup', repository: 'main', workload: { provider: 'p', id } })
  expect(await engine.getRun('k')).toMatchObject({ state: 'succeeded', attempt: 1, failures: 0 })
  await engine.stop()
})

test('freeze: a process that stands still just before it looks for runs does not take its own run over', async () => {
  const leaseMs = 600
  let slept = 0
  const clock: Clock = { ...systemClock, now: () => systemClock.now() + slept, monotonic: () => systemClock.monotonic() + slept }
  const platform = memoryPlatform()
  const id = platform.addVolume('data')
  const provider = scriptedProvider(platform, { shape: 'tarVolume', name: 'p' })
  const store = memoryStore({ clock, ids: countingIds('s') })
  let working = false
  const take: typeof store.runs.take = (...given) => {
    if (working) slept += 10 * leaseMs
    working = false
    return store.runs.take(...given)
  }
  const engine = await createEngine({
    name: 'node-a',
    clock,
    leaseMs,
    store: { ...store, runs: { ...store.runs, take } },
    repositories: { main: memoryRepository({ clock }) },
    providers: {
      p: {
        ...provider,
        async backup(request, sink, run) {
          working = true
          await engine.run({ key: 'other', operation: 'verify', repository: 'main' }) // makes the worker look for runs at once
          return provider.backup(request, sink, run)
        },
      },
    },
  })
  await engine.start()
  await engine.run({ key: 'k', operation: 'backup', repository: 'main', workload: { provider: 'p', id } })
  expect(await engine.getRun('k')).toMatchObject({ state: 'succeeded', attempt: 1, failures: 0 })
  await engine.stop()
})

test('runDue waits for a plan with a pattern, also of a provider that answers at once', async () => {
  const { clock, platform, make, runs, close } = planWorld()
  onTestFinished(close)
  platform.addVolume('data')
  const hourly = { ...nightly('data'), workloads: [{ provider: 'p', glob: '*' }], schedule: { type: 'simple', every: 'hour' } } as const
  const engine = await make({ hourly })
  await clock.runUntil(engine.runDue())
  for (let count = 1; count <= 4; count++) {
    await clock.advance(hour)
    await clock.runUntil(engine.runDue())
    expect((await runs('backup')).filter(({ state }) => state === 'succeeded')).toHaveLength(count)
  }
})
