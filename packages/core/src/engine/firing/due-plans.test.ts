import { afterEach, expect, test } from 'vitest'
import { hour, minute, nightly, options, pass, planWorld } from '../../../test/plan-world.ts'
import type { PlanInput } from '../../model/plan.ts'
import type { Provider } from '../../spec/provider.ts'
import type { Run } from '../../spec/store.ts'
import type { EngineOptions } from '../engine.ts'

const closing: (() => Promise<void>)[] = []
afterEach(async () => {
  for (const close of closing.splice(0)) await close()
})

/** The same, and what its engines tell of due times. */
function world() {
  const base = planWorld()
  closing.push(base.close)
  const missed: string[] = []
  const fired: string[] = []
  async function make(plans: { readonly [id: string]: PlanInput }, more: Partial<EngineOptions> = {}) {
    const engine = await base.make(plans, more)
    engine.on('schedule-missed', ({ plan, missed: count }) => missed.push(`${plan} ${count}`))
    engine.on('plan-fired', ({ plan, due }) => fired.push(`${plan} ${due}`))
    return engine
  }
  return { ...base, missed, fired, make }
}

const keysOf = (runs: readonly Run[], operation = 'backup') => runs.filter((run) => run.operation === operation).map((run) => run.key)

test('a plan runs by itself at its due time, once for each of its workloads, and its points carry that time', async () => {
  const { clock, platform, make, runs, fired } = world()
  const [a, b] = [platform.addVolume('a'), platform.addVolume('b')]
  const schedule = { type: 'simple', every: 'hour', minute: 30 } as const
  const engine = await make({ hourly: nightly('', { workloads: [a, b].map((id) => ({ provider: 'p', id })), schedule }) })
  await clock.runUntil(engine.start())
  await pass(clock, 20 * minute)
  expect(await runs()).toEqual([])
  await pass(clock, hour + 20 * minute)
  expect(fired).toEqual(['hourly 2026-11-20T00:30:00.000Z', 'hourly 2026-11-20T01:30:00.000Z'])
  expect(keysOf(await runs())).toEqual(['00', '01'].flatMap((at) => [a, b].map((id) => `hourly/p/${id}/2026-11-20T${at}:30:00.000Z`)))
  const points = await engine.points({ repository: 'main', workload: { provider: 'p', id: a } })
  expect(points.map(({ summary }) => summary.due)).toEqual(['2026-11-20T01:30:00.000Z', '2026-11-20T00:30:00.000Z'])
  expect((await runs()).every((run) => run.state === 'succeeded' && run.planId === 'hourly')).toBe(true)
})

test('runDue does what is due and ends, for those who bring their own timer', async () => {
  const { clock, platform, make, runs } = world()
  const engine = await make({ nightly: nightly(platform.addVolume('a')) })
  await clock.runUntil(engine.runDue())
  expect(await runs()).toEqual([])
  clock.jump(3 * hour)
  await clock.runUntil(engine.runDue())
  expect((await runs()).map((run) => run.state)).toEqual(['succeeded'])
  await clock.runUntil(engine.runDue())
  expect(await runs()).toHaveLength(1)
})

test('runDue ends when everything is done that became due meanwhile, also with a store that takes its time', async () => {
  const { clock, platform, store, make, runs } = world()
  const take = store.runs.take.bind(store.runs)
  ;(store.runs as { take: unknown }).take = async (...given: Parameters<typeof take>) => {
    await new Promise((resolve) => setImmediate(resolve))
    return await take(...given)
  }
  const workloads = ['a', 'b', 'c'].map((name) => ({ provider: 'p', id: platform.addVolume(name) }))
  const engine = await make({ nightly: nightly('', { workloads, retention: { last: 1 } }) }, { concurrency: 1 })
  await engine.runDue()
  clock.jump(3 * hour)
  engine.confirmClock()
  await engine.runDue()
  expect((await runs()).map(({ operation, state }) => `${operation} ${state}`).sort()).toEqual([
    ...Array(3).fill('backup succeeded'),
    ...Array(3).fill('prune succeeded'),
  ])
})

test('a plan that was removed and put again runs as it is now', async () => {
  const { clock, platform, make, runs } = world()
  const [a, b] = [platform.addVolume('a'), platform.addVolume('b')]
  const engine = await make({})
  await clock.runUntil(engine.runDue())
  for (const id of [a, b]) {
    await engine.putPlan('nightly', nightly(id))
    clock.jump(24 * hour)
    await clock.runUntil(engine.runDue())
    await engine.removePlan('nightly')
  }
  expect((await runs()).map(({ workload }) => workload)).toEqual([`p/${a}`, `p/${b}`])
})

test('runDue says when the store cannot be asked', async () => {
  const { clock, platform, store, make } = world()
  const due = () => Promise.reject(new Error('the database is gone'))
  const engine = await make({ nightly: nightly(platform.addVolume('a')) })
  await clock.runUntil(engine.runDue())
  ;(store.plans as { due: unknown }).due = due
  await expect(clock.runUntil(engine.runDue())).rejects.toThrow('the database is gone')
})

test('after a time without any node the latest due time runs once, and the others are explained', async () => {
  const { clock, platform, make, runs, missed } = world()
  const plans = { nightly: nightly(platform.addVolume('a')) }
  const first = await make(plans)
  await clock.runUntil(first.runDue())
  clock.jump(5 * 24 * hour)
  await clock.runUntil(first.runDue())
  expect(keysOf(await runs()).map((key) => key.slice(-24))).toEqual(['2026-11-24T02:30:00.000Z'])
  expect(missed).toEqual(['nightly 4'])
})

test('with the policy skip a late due time does not run, and that is told as a notification too', async () => {
  const { clock, platform, store, make, runs, missed } = world()
  const schedule = { type: 'simple', every: 'day', at: '02:30', missed: { policy: 'skip' } } as const
  const engine = await make({ nightly: nightly(platform.addVolume('a'), { schedule }) })
  await clock.runUntil(engine.runDue())
  clock.jump(3 * hour)
  await clock.runUntil(engine.runDue())
  expect(await runs()).toEqual([])
  expect(missed).toEqual(['nightly 1'])
  const told = await store.outbox.take(1000, 100, options)
  expect(told.map(({ id }) => id)).toEqual(['nightly/missed/2026-11-20T02:30:00.000Z'])
})

test('a clock that goes back fires nothing twice', async () => {
  const { clock, platform, make, runs } = world()
  const engine = await make({ nightly: nightly(platform.addVolume('a')) })
  await clock.runUntil(engine.runDue())
  clock.jump(3 * hour)
  await clock.runUntil(engine.runDue())
  for (const jump of [-2 * hour, hour, -24 * hour, 25 * hour]) {
    clock.jump(jump)
    await clock.runUntil(engine.runDue())
  }
  expect(keysOf(await runs())).toHaveLength(1)
})

test('two nodes that find a plan due at the same time make one run of it', async () => {
  const { clock, platform, make, runs } = world()
  const plans = { nightly: nightly(platform.addVolume('a')) }
  const nodes = [await make(plans), await make(plans, { name: 'node-b' })]
  for (const node of nodes) await clock.runUntil(node.start())
  clock.jump(2 * hour)
  await pass(clock, 40 * minute)
  expect(keysOf(await runs())).toHaveLength(1)
})

for (const [overlap, states] of [
  ['skip', ['running', 'skipped', 'skipped']],
  ['queue-one', ['running', 'queued', 'skipped']],
] as const)
  test(`overlap ${overlap}: what happens while the run before has not ended`, async () => {
    const { clock, platform, provider, make, runs } = world()
    const hanging = { ...provider, backup: () => new Promise(() => {}) } as unknown as Provider
    const schedule = { type: 'simple', every: 'hour', minute: 0, overlap } as const
    const engine = await make(
      { hourly: nightly(platform.addVolume('a'), { schedule }) },
      { providers: { p: hanging }, stallMs: 100 * hour },
    )
    await clock.runUntil(engine.start())
    for (let count = 0; count < 3; count++) {
      clock.jump(hour)
      await pass(clock, minute, minute)
    }
    expect((await runs()).map((run) => run.state)).toEqual(states)
  })

test('jitter delays each run by a time that depends on its key alone', async () => {
  const { clock, platform, make, runs } = world()
  const workloads = ['a', 'b', 'c'].map((name) => ({ provider: 'p', id: platform.addVolume(name) }))
  const schedule = { type: 'simple', every: 'day', at: '02:30', jitter: '30m' } as const
  const engine = await make({ nightly: nightly('', { workloads, schedule }) })
  await clock.runUntil(engine.start())
  clock.jump(2 * hour)
  await pass(clock, hour + 10 * minute)
  const delays = (await runs()).map((run) => run.notBefore - run.dueAt)
  expect(new Set(delays).size).toBe(3)
  expect(delays.every((delay) => delay >= 0 && delay < 30 * minute)).toBe(true)
  expect((await runs()).every((run) => run.state === 'succeeded')).toBe(true)
})

test('workloads are chosen when the plan is due, by glob and labels; what nothing fits is told', async () => {
  const { clock, platform, store, make, runs } = world()
  const engine = await make({
    nightly: nightly('', {
      workloads: [
        { provider: 'p', glob: 'shop-*' },
        { provider: 'p', glob: 'nothing-*' },
      ],
    }),
  })
  const codes: string[] = []
  engine.on('warning', ({ code }) => codes.push(code))
  await clock.runUntil(engine.runDue())
  const [a, b] = [platform.addVolume('shop-a'), platform.addVolume('shop-b')]
  platform.addVolume('other')
  clock.jump(3 * hour)
  await clock.runUntil(engine.runDue())
  expect((await runs()).map((run) => run.workload)).toEqual([`p/${a}`, `p/${b}`])
  expect(codes).toContain('SELECTION_INCOMPLETE')
  expect((await store.outbox.take(1000, 100, options)).map(({ id }) => id)).toContain('nightly/selection/2026-11-20T02:30:00.000Z/0')
})

test('a provider that cannot be asked is asked again; after a quarter of an hour the plan runs without its patterns', async () => {
  const { clock, platform, provider, make, runs } = world()
  const id = platform.addVolume('shop-a')
  let failing = true
  const flaky = {
    ...provider,
    workloads(callOptions: never) {
      if (failing) throw new Error('host is down')
      return provider.workloads(callOptions)
    },
  } as Provider
  const workloads = [
    { provider: 'p', glob: 'shop-*' },
    { provider: 'p', id: 'gone' },
  ]
  const engine = await make({ nightly: nightly('', { workloads }) }, { providers: { p: flaky }, retry: { maxFailures: 1 } })
  await clock.runUntil(engine.start())
  clock.jump(2.5 * hour)
  await pass(clock, 10 * minute)
  expect(await runs()).toEqual([])
  await pass(clock, 10 * minute)
  expect((await runs()).map((run) => run.workload)).toEqual(['p/gone'])
  failing = false
  clock.jump(24 * hour)
  await pass(clock, 10 * minute)
  expect((await runs()).map((run) => run.workload)).toEqual(['p/gone', `p/${id}`, 'p/gone'])
})

test('plans of the code are reconciled at start: what is gone from it goes, what was put by hand stays', async () => {
  const { clock, platform, store, make } = world()
  const id = platform.addVolume('a')
  const first = await make({ one: nightly(id), two: nightly(id) })
  await first.putPlan('by-hand', nightly(id))
  await clock.runUntil(first.start())
  const other = await make({ two: nightly(id) }, { name: 'node-b' })
  await clock.runUntil(other.start())
  const again = await make({})
  await clock.runUntil(again.start())
  const names: string[] = []
  for await (const { id: name } of store.plans.list(options)) names.push(name)
  expect(names).toEqual(['by-hand', 'two'])
})

test('a plan put by hand over one of the code belongs to nobody, and a plan of a newer version keeps no node from starting', async () => {
  const { clock, platform, store, make } = world()
  const id = platform.addVolume('a')
  const first = await make({ one: nightly(id) })
  await clock.runUntil(first.start())
  await first.putPlan('one', nightly(id, { priority: 7 }))
  await store.plans.put({ id: 'newer', revision: 0, plan: { kind: 'moon-phase', owners: ['node-a', 'node-b'] } }, [], options)
  await clock.runUntil((await make({})).start())
  const names: string[] = []
  for await (const { id: name } of store.plans.list(options)) names.push(name)
  expect(names).toEqual(['newer', 'one'])
})

test('a schedule that stays keeps its due time; one that changes begins anew', async () => {
  const { clock, platform, store, make } = world()
  const id = platform.addVolume('a')
  const cursors = async () => {
    const probe = Date.UTC(2027, 0, 1) - clock.now()
    clock.jump(probe)
    const due = (await store.plans.due(10, options)).cursors.map((cursor) => new Date(cursor.due ?? 0).toISOString())
    clock.jump(-probe)
    return due
  }
  await clock.runUntil((await make({ nightly: nightly(id) })).runDue())
  clock.jump(3 * hour)
  const engine = await make({ nightly: nightly(id, { priority: 5 }) })
  await engine.putPlan('nightly', nightly(id, { priority: 5 }))
  expect(await cursors()).toEqual(['2026-11-20T02:30:00.000Z'])
  await engine.putPlan('nightly', nightly(id, { schedule: { type: 'simple', every: 'day', at: '03:30' } }))
  expect(await cursors()).toEqual(['2026-11-20T03:30:00.000Z'])
  await engine.removePlan('nightly')
  expect(await cursors()).toEqual([])
})

test('previewRuns tells what would run, and changes nothing', async () => {
  const { clock, platform, make, runs } = world()
  const id = platform.addVolume('a')
  const engine = await make({
    nightly: nightly(id),
    tidy: { kind: 'maintenance', task: 'clean-up', schedule: { type: 'every', interval: '12h' } },
  })
  const preview = await engine.previewRuns({ until: '2026-11-21T03:00:00Z' })
  expect(preview.map(({ plan, due }) => `${plan} ${due.slice(0, 16)}`)).toEqual([
    'nightly 2026-11-20T02:30',
    'tidy 2026-11-20T12:00',
    'tidy 2026-11-21T00:00',
    'nightly 2026-11-21T02:30',
  ])
  expect(preview[0]?.runs).toEqual([`nightly/p/${id}/2026-11-20T02:30:00.000Z`])
  expect(await runs()).toEqual([])
  expect(clock.now()).toBe(Date.UTC(2026, 10, 20))
})

test('limits hold over all nodes: of one provider only so many runs work at once', async () => {
  const { clock, platform, provider, make } = world()
  let [working, most] = [0, 0]
  const slow = {
    ...provider,
    async backup(...given: Parameters<Provider['backup']>) {
      most = Math.max(most, ++working)
      await clock.sleep(minute, options)
      working--
      return await provider.backup(...given)
    },
  } as Provider
  const workloads = Array.from({ length: 6 }, (_, index) => ({ provider: 'p', id: platform.addVolume(`v${index}`) }))
  const more = { providers: { p: slow }, limits: { providers: { p: 2 } } }
  const nodes = [
    await make({ nightly: nightly('', { workloads }) }, more),
    await make({ nightly: nightly('', { workloads }) }, { ...more, name: 'node-b' }),
  ]
  for (const node of nodes) await clock.runUntil(node.start())
  clock.jump(2.5 * hour)
  await pass(clock, 10 * minute, minute)
  expect(most).toBe(2)
})

test('a limit on a name that does not exist is refused', async () => {
  const { make } = world()
  await expect(make({}, { limits: { providers: { q: 1 } } })).rejects.toMatchObject({
    code: 'INVALID_OPTIONS',
    message: expect.stringContaining('limits.providers.q'),
  })
  await expect(make({}, { limits: { repositories: { main: 0 } } })).rejects.toThrow('limits.repositories.main is 0')
})
