import { countingIds, memoryPlatform, memoryRepository, memoryStore, scriptedProvider, seededRandom } from '@holdfast/testkit'
import { expect, onTestFinished, test } from 'vitest'
import { systemClock } from '../../clock.ts'
import type { Clock } from '../../spec/clock.ts'
import { HoldfastError } from '../../spec/errors.ts'
import { createEngine } from '../create-engine.ts'

/** An engine whose plan protects `present` and, before them, volumes that the platform does not have. */
async function world(absent: readonly string[], present: readonly string[]) {
  const platform = memoryPlatform({ random: seededRandom(7) })
  const ids = present.map((name) => platform.addVolume(name))
  const engine = await createEngine({
    name: 'node-a',
    store: memoryStore({ clock: systemClock, ids: countingIds('s') }),
    repositories: { main: memoryRepository({ clock: systemClock }) },
    providers: { p: scriptedProvider(platform, { shape: 'tarVolume', name: 'p' }) },
    plans: {
      nightly: { kind: 'backup', repository: 'main', workloads: [...absent, ...ids].map((id) => ({ provider: 'p', id })) },
    },
    retry: { maxFailures: 1 },
  })
  onTestFinished(() => engine.stop())
  await engine.start()
  const error: unknown = await engine.runPlan('nightly').then(
    () => undefined,
    (reason: unknown) => reason,
  )
  if (!HoldfastError.isInstance(error)) throw new Error(`expected a HoldfastError, not ${String(error)}`)
  return { error, ids }
}

test('when some workloads of a plan fail, the error is that of the first, names it, and tells how the others ended', async () => {
  const { error, ids } = await world(['gone', 'lost'], ['data'])
  const cause = error.cause as HoldfastError
  expect(error).toMatchObject({
    code: 'NOT_FOUND',
    remedy: `1 succeeded (see details.outcomes). Of p/gone: ${cause.remedy}`,
    retryable: cause.retryable,
  })
  expect(error.message).toBe(`2 of 3 workloads failed; p/gone: ${cause.message} Also: p/lost (see details.failures).`)
  expect(error.details).toMatchObject({
    outcomes: [{ point: expect.any(String) }],
    failures: [
      { workload: 'p/gone', key: expect.stringContaining('nightly/p/gone/'), code: 'NOT_FOUND', message: cause.message },
      { workload: 'p/lost', key: expect.stringContaining('nightly/p/lost/'), code: 'NOT_FOUND' },
    ],
  })
  expect(ids).toHaveLength(1)
})

test('when the only workload of a plan fails, its error is thrown as it is', async () => {
  const { error } = await world(['gone'], [])
  expect(error.code).toBe('NOT_FOUND')
  expect(error.message).not.toContain('workloads failed')
})

test('whoever awaits a run hears of its end at once, not when it is time to look again', async () => {
  const platform = memoryPlatform({ random: seededRandom(8) })
  const workloads = [{ provider: 'p', id: platform.addVolume('data') }]
  const looks: number[] = []
  const clock: Clock = {
    ...systemClock,
    // The time between two looks does not pass.
    sleep: (milliseconds, options) =>
      systemClock.sleep(milliseconds === 100 ? looks.push(milliseconds) * 3_600_000 : milliseconds, options),
  }
  const engine = await createEngine({
    name: 'node-a',
    store: memoryStore({ clock, ids: countingIds('s') }),
    repositories: { main: memoryRepository({ clock }) },
    providers: { p: scriptedProvider(platform, { shape: 'tarVolume', name: 'p' }) },
    plans: { nightly: { kind: 'backup', repository: 'main', workloads } },
    clock,
  })
  onTestFinished(() => engine.stop())
  await engine.start()
  await expect(engine.runPlan('nightly')).resolves.toMatchObject([{ point: expect.any(String) }])
  expect(looks).not.toHaveLength(0)
})
