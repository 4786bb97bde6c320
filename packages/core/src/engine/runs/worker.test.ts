import { countingIds, memoryPlatform, memoryRepository, memoryStore, scriptedProvider } from '@holdfast/testkit'
import { expect, onTestFinished, test } from 'vitest'
import { hour, nightly, planWorld } from '../../../test/plan-world.ts'
import { systemClock } from '../../clock.ts'
import type { Clock } from '../../spec/clock.ts'
import { createEngine } from '../create-engine.ts'

/** An engine whose process stands still for longer than its lease, in the middle of a backup or just before it looks for runs. */
async function runOfFrozen(where: 'backup' | 'take'): Promise<unknown> {
  const leaseMs = 600
  let slept = 0
  let working = false
  const clock: Clock = { ...systemClock, now: () => systemClock.now() + slept, monotonic: () => systemClock.monotonic() + slept }
  const platform = memoryPlatform()
  const id = platform.addVolume('data')
  const provider = scriptedProvider(platform, { shape: 'tarVolume', name: 'p' })
  const store = memoryStore({ clock, ids: countingIds('s') })
  const standStill = (at: typeof where): void => {
    if (at !== where || !working) return
    slept += 10 * leaseMs
    working = false
  }
  const take: typeof store.runs.take = (...given) => {
    standStill('take')
    return store.runs.take(...given)
  }
  const backup: typeof provider.backup = async (request, sink, run) => {
    working = true
    standStill('backup')
    await engine.run({ key: 'other', operation: 'verify', repository: 'main' }) // makes the worker look for runs at once
    return provider.backup(request, sink, run)
  }
  const engine = await createEngine({
    name: 'node-a',
    clock,
    leaseMs,
    store: { ...store, runs: { ...store.runs, take } },
    repositories: { main: memoryRepository({ clock }) },
    providers: { p: { ...provider, backup } },
  })
  await engine.start()
  await engine.run({ key: 'k', operation: 'backup', repository: 'main', workload: { provider: 'p', id } })
  expect(slept).toBe(10 * leaseMs)
  const run = await engine.getRun('k')
  await engine.stop()
  return run
}

test('freeze: a process that stood still for longer than its lease does not take its own run over', async () => {
  expect(await runOfFrozen('backup')).toMatchObject({ state: 'succeeded', attempt: 1, failures: 0 })
})

test('freeze: a process that stands still just before it looks for runs does not take its own run over', async () => {
  expect(await runOfFrozen('take')).toMatchObject({ state: 'succeeded', attempt: 1, failures: 0 })
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
