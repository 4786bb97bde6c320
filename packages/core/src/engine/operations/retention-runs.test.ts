import { type FakeClock, seededRandom } from '@holdfast/testkit'
import { afterEach, expect, test } from 'vitest'
import { day, nightly, planWorld } from '../../../test/plan-world.ts'
import type { BackupPlanInput } from '../../model/plan.ts'
import type { Engine } from '../engine.ts'

const closing: (() => Promise<void>)[] = []
afterEach(async () => {
  for (const close of closing.splice(0)) await close()
})

/** The same, with one workload and a plan for it. */
function world(shape: 'tarVolume' | 'ovirtLike' = 'tarVolume') {
  const base = planWorld(shape)
  closing.push(base.close)
  const id = shape === 'tarVolume' ? base.platform.addVolume('data') : base.platform.addMachine('web', 1)
  return { ...base, id, plan: (more: Partial<BackupPlanInput> = {}) => nightly(id, more) }
}

async function days(clock: FakeClock, engine: Engine, count: number, each?: () => void): Promise<void> {
  for (let done = 0; done < count; done++) {
    each?.()
    await clock.advance(day)
    await clock.runUntil(engine.runDue())
  }
}

const dueDays = async (engine: Engine) =>
  (await engine.points({ repository: 'main' })).map(({ summary }) => Number(summary.due.slice(8, 10)))

test('after each backup the points go that the retention of its plan does not keep, and the run says why', async () => {
  const { clock, make, plan, runs } = world()
  const engine = await make({ nightly: plan({ retention: { last: 3 } }) })
  await clock.runUntil(engine.runDue())
  await days(clock, engine, 6)
  expect(await dueDays(engine)).toEqual([25, 24, 23])
  const prunes = await runs('prune')
  expect(prunes).toHaveLength(6)
  expect(prunes.every((run) => run.state === 'succeeded' && run.planId === 'nightly')).toBe(true)
  const [reasons] = Object.values((prunes.at(-1)?.result as { reasons: object } | undefined)?.reasons ?? {})
  expect(reasons).toContain('no rule keeps it')
})

test('a pinned point stays; a plan without retention keeps everything; points made by hand stay', async () => {
  const { clock, make, plan, id } = world()
  const engine = await make({ nightly: plan({ retention: { last: 1 } }) })
  await clock.runUntil(engine.runDue())
  await days(clock, engine, 1)
  const [first] = await engine.points({ repository: 'main' })
  await engine.pin({ repository: 'main', point: first?.id ?? '' }, 'before the migration')
  const byHand = engine.run({
    key: 'by-hand',
    operation: 'backup',
    repository: 'main',
    workload: { provider: 'p', id },
    compression: 'none',
  })
  await clock.runUntil(Promise.resolve(byHand))
  await days(clock, engine, 3)
  expect(await dueDays(engine)).toEqual([23, 21, 20])
  await clock.runUntil((await make({ nightly: plan() })).runDue())
  await days(clock, engine, 2)
  expect(await dueDays(engine)).toEqual([25, 24, 23, 21, 20])
})

test('a clock that has jumped prunes nothing until a person says that it is right', async () => {
  const { clock, make, plan, runs } = world()
  const engine = await make({ nightly: plan({ retention: { last: 1 } }) })
  await clock.runUntil(engine.runDue())
  await days(clock, engine, 1)
  clock.jump(3 * day)
  await clock.runUntil(engine.runDue())
  expect(await dueDays(engine)).toHaveLength(2)
  expect((await runs('prune')).at(-1)?.error).toMatchObject({ code: 'CLOCK_JUMPED' })
  engine.confirmClock()
  await days(clock, engine, 1)
  expect(await dueDays(engine)).toHaveLength(1)
})

test('previewPrune tells what would go and why; the table names each point; nothing changes', async () => {
  const { clock, make, plan } = world()
  const engine = await make({ nightly: plan() })
  await clock.runUntil(engine.runDue())
  await days(clock, engine, 4)
  await engine.putPlan('nightly', plan({ retention: { last: 2 } }))
  const preview = await engine.previewPrune({ repository: 'main' })
  expect(preview.points.map(({ keep }) => keep)).toEqual([true, true, false, false])
  for (const { point, reasons } of preview.points) {
    expect(preview.text).toContain(point)
    expect(reasons.length).toBeGreaterThan(0)
  }
  expect(await dueDays(engine)).toHaveLength(4)
  const pruned = await clock.runUntil(Promise.resolve(engine.prune({ repository: 'main', retention: true })))
  expect(pruned).toMatchObject({
    kept: 2,
    points: preview.points
      .filter(({ keep }) => !keep)
      .map(({ point }) => point)
      .sort(),
  })
})

test('what a kept point builds on stays, also when no rule keeps it', async () => {
  const { clock, platform, make, plan } = world('ovirtLike')
  const engine = await make({ nightly: plan({ retention: { last: 2 } }) })
  await clock.runUntil(engine.runDue())
  const random = seededRandom(3)
  await days(clock, engine, 4, () => platform.mutate(random))
  const points = await engine.points({ repository: 'main' })
  const ids = new Set(points.map(({ id }) => id))
  for (const point of points) for (const parent of point.parents) expect(ids.has(parent)).toBe(true)
  const { findings } = await clock.runUntil(Promise.resolve(engine.verify({ repository: 'main' })))
  expect(findings).toEqual([])
})

test('a plan without retention says so when it is put', async () => {
  const { make, plan } = world()
  const engine = await make({})
  const told: string[] = []
  engine.on('warning', ({ code, message }) => told.push(`${code} ${message}`))
  await engine.putPlan('nightly', plan())
  expect(told).toEqual([expect.stringContaining('RETENTION_ABSENT')])
  await engine.putPlan('nightly', plan({ retention: { last: 1 } }))
  expect(told).toHaveLength(1)
})

test('maintenance: a clean-up prunes and sweeps, a health check looks for all files', async () => {
  const { clock, make, plan, runs } = world()
  const engine = await make({
    nightly: plan(),
    'clean-up': { kind: 'maintenance', task: 'clean-up', schedule: { type: 'simple', every: 'day', at: '04:30' } },
    'health-check': { kind: 'maintenance', task: 'health-check', schedule: { type: 'every', interval: '6h' } },
  })
  await clock.runUntil(engine.runDue())
  await days(clock, engine, 2)
  for (const operation of ['sweep', 'prune', 'verify']) {
    const found = await runs(operation)
    expect(found.length, operation).toBeGreaterThan(1)
    expect(found.map((run) => run.state).every((state) => state === 'succeeded')).toBe(true)
  }
})

test('verification plans: full, a sample of each workload, and a test restore that leaves nothing', async () => {
  const { clock, platform, make, plan, runs } = world()
  const schedule = { type: 'simple', every: 'day', at: '05:00' } as const
  const engine = await make({
    nightly: plan(),
    full: { kind: 'verification', repository: 'main', schedule },
    some: { kind: 'verification', repository: 'main', mode: 'sample', points: 1, schedule },
    trial: { kind: 'verification', repository: 'main', mode: 'restore', schedule },
  })
  await clock.runUntil(engine.runDue())
  await days(clock, engine, 3)
  const before = platform.things().length
  const byPlan = Map.groupBy([...(await runs('verify')), ...(await runs('restore'))], (run) => run.planId)
  expect([...byPlan.keys()].sort()).toEqual(['full', 'some', 'trial'])
  for (const found of byPlan.values()) expect(found.map((run) => run.state)).toEqual(found.map(() => 'succeeded'))
  expect((byPlan.get('full')?.at(-1)?.result as { points: number } | undefined)?.points).toBeGreaterThan(1)
  expect((byPlan.get('some')?.at(-1)?.result as { points: number } | undefined)?.points).toBe(1)
  expect(byPlan.get('trial')?.at(-1)?.result).toMatchObject({ purpose: 'test' })
  expect(platform.things()).toHaveLength(before)
  expect((await engine.points({ repository: 'main' })).slice(1).every(({ flags }) => flags.verifiedAt !== undefined)).toBe(true)
})

test('a longer retention that was put while a prune is at work counts: nothing goes by the old one', async () => {
  const { clock, store, make, plan } = world()
  const engine = await make({})
  await clock.runUntil(engine.runDue())
  await engine.putPlan('nightly', plan())
  await days(clock, engine, 5)
  await engine.putPlan('nightly', plan({ retention: { last: 1 } }))
  const condemn = store.points.condemn.bind(store.points)
  const get = store.plans.get.bind(store.plans)
  let asked = 0
  // The last look at the plan before anything is condemned.
  ;(store.plans as { get: typeof get }).get = async (id, options) => {
    if (++asked === 2) await engine.putPlan('nightly', plan({ retention: { last: 100 } }))
    return await get(id, options)
  }
  let condemned = 0
  ;(store.points as { condemn: typeof condemn }).condemn = (...given) => {
    condemned++
    return condemn(...given)
  }
  await clock.runUntil(Promise.resolve(engine.prune({ repository: 'main', retention: true })))
  expect(asked).toBeGreaterThan(2)
  expect(condemned).toBe(0)
  expect(await dueDays(engine)).toHaveLength(5)
})
