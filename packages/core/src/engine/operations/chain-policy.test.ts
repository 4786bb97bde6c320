import type { Clock } from '@holdfast/core/spec'
import { countingIds, memoryPlatform, memoryRepository, memoryStore, scriptedProvider, seededRandom } from '@holdfast/testkit'
import { expect, onTestFinished, test } from 'vitest'
import { hastyClock } from '../../../test/damage/damage-world.ts'
import { hour, nightly } from '../../../test/plan-world.ts'
import type { BackupPlanInput } from '../../model/plan.ts'
import type { BackupOutcome } from '../../model/run-outcome.ts'
import { createEngine } from '../create-engine.ts'

/** The disks of so many backups of one machine, twelve hours apart; the first one is due on a Friday at 12:00 UTC. */
async function disksOf(count: number, chain: BackupPlanInput['chain']) {
  const wall = { time: Date.UTC(2026, 10, 20) }
  const clock: Clock = { ...hastyClock, now: () => wall.time }
  const platform = memoryPlatform({ random: seededRandom(7), clusters: 2 })
  const { schedule: _, ...plan } = nightly(platform.addMachine('web', 1), chain ? { chain } : {})
  const engine = await createEngine({
    name: 'node-a',
    store: memoryStore({ clock, ids: countingIds('s') }),
    repositories: { main: memoryRepository({ clock }) },
    providers: { p: scriptedProvider(platform, { shape: 'ovirtLike', name: 'p' }) },
    clock,
    ids: countingIds('e'),
    plans: { twice: plan },
  })
  onTestFinished(() => engine.stop())
  await engine.start()
  const disks: { form: string; reason?: string }[] = []
  for (let made = 0; made < count; made++) {
    wall.time += 12 * hour
    const [outcome] = (await engine.runPlan('twice')) as unknown as readonly BackupOutcome[]
    disks.push(...(outcome?.items.filter(({ form }) => form === 'full' || form === 'incremental') ?? []))
  }
  return { disks, letters: disks.map(({ form }) => form.charAt(0)).join('') }
}

test('a plan without chain makes ten increments in a row', async () => {
  const { disks, letters } = await disksOf(13, undefined)
  expect(letters).toBe('fiiiiiiiiiifi')
  expect(disks[11]?.reason).toBe('the chain has reached its limit of 10 increments')
})

test('a plan makes full backups as its chain says', async () => {
  const sundays = await disksOf(6, { fullOn: { weekday: 'sunday' } })
  expect(sundays.letters).toBe('fiifii')
  expect(sundays.disks[3]?.reason).toMatch(/^the last full backup is of 2026-11-20T12:.*, and one is made every Sunday \(UTC\)$/)
  expect((await disksOf(5, { fullEvery: '25h' })).letters).toBe('fiifi')
  expect((await disksOf(4, { maxIncrementals: 1 })).letters).toBe('fifi')
  expect((await disksOf(2, { maxIncrementals: 0 })).letters).toBe('ff')
})
