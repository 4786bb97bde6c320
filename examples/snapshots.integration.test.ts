// The code of docs/guide/snapshots.md: two days on a clock that is moved by hand, on a platform in memory.
import { createEngine, type Engine, type PlanInput } from '@holdfast/core'
import { countingIds, type FakeClock, fakeClock, memoryPlatform, memoryStore, scriptedProvider, seededRandom } from '@holdfast/testkit'
import { expect, test } from 'vitest'

const hour = 3_600_000

// #region plan
const plans: { readonly [name: string]: PlanInput } = {
  hourly: {
    kind: 'snapshot',
    workloads: [{ provider: 'esx', glob: 'web*' }],
    schedule: { type: 'simple', every: 'hour', minute: 15 },
    retention: { last: 6, daily: 2 },
  },
}
// #endregion plan

async function nextHours(engine: Engine, clock: FakeClock, count: number): Promise<void> {
  for (let done = 0; done < count; done++) {
    await clock.advance(hour)
    await clock.runUntil(engine.runDue())
  }
}

test('a plan takes snapshots and keeps some; people take one, look at all, go back and remove theirs', async () => {
  const clock = fakeClock({ start: Date.UTC(2026, 10, 20, 6, 15) })
  const platform = memoryPlatform({ random: seededRandom(3), clock })
  const web = { provider: 'esx', id: platform.addMachine('web', 1) }
  platform.addSnapshot(web.id, 'of the administrator')
  const esx = scriptedProvider(platform, { shape: 'esxiLike', name: 'esx' })
  const store = memoryStore({ clock, ids: countingIds('s') })
  const engine = await createEngine({ name: 'shop', store, repositories: {}, providers: { esx }, plans, clock, ids: countingIds('e') })
  await clock.runUntil(engine.runDue())
  await nextHours(engine, clock, 48)

  const before = platform.digest(web.id)
  const handle = engine.snapshot(web)
  await clock.runUntil(Promise.resolve(handle))
  const random = seededRandom(4)
  while (platform.digest(web.id) === before) platform.mutate(random)
  const printed: string[] = []
  const print = (text: string) => void printed.push(text)
  const migrate = async () => {
    // #region by-hand
    const { snapshot } = await engine.snapshot(web, { name: 'before the migration' })
    for (const { id, name, createdAt, ours, plan } of await engine.snapshots(web)) {
      print(`${id} of ${createdAt}: ${name} (${ours ? (plan ?? 'by hand') : 'not ours'})`)
    }
    // If it went wrong: what was written since is lost.
    await engine.revertToSnapshot(web, snapshot)
    await engine.removeSnapshot(web, snapshot)
    // #endregion by-hand
  }
  const whole = platform.digest(web.id)
  await clock.runUntil(migrate())
  expect(platform.digest(web.id)).toBe(whole)
  expect(printed[0]).toMatch(/: before the migration \(by hand\)$/)
  expect(printed.at(-1)).toMatch(/: of the administrator \(not ours\)$/)
  const mine = printed.filter((line) => line.endsWith('(hourly)')).map((line) => line.slice(-29, -9))
  expect(mine).toEqual([
    ...['2026-11-22T06:15:00Z', '2026-11-22T05:15:00Z', '2026-11-22T04:15:00Z', '2026-11-22T03:15:00Z', '2026-11-22T02:15:00Z'],
    ...['2026-11-22T01:15:00Z', '2026-11-21T23:15:00Z'],
  ])
  await clock.runUntil(engine.stop())
})
