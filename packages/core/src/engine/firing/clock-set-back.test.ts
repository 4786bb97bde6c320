import { afterEach, expect, test } from 'vitest'
import { day, hour, minute, nightly, options, pass, planWorld } from '../../../test/plan-world.ts'
import { HoldfastError } from '../../spec/errors.ts'
import type { Provider } from '../../spec/provider.ts'

const closing: (() => Promise<void>)[] = []
afterEach(async () => {
  for (const close of closing.splice(0)) await close()
})
function world() {
  const given = planWorld()
  closing.push(given.close)
  /** A clock that is wrong for a minute. */
  async function wrongBy(milliseconds: number): Promise<void> {
    given.clock.jump(milliseconds)
    await pass(given.clock, minute, 10_000)
    given.clock.jump(-milliseconds)
  }
  return { ...given, wrongBy }
}
const datesOf = async (runs: ReturnType<typeof planWorld>['runs']) =>
  (await runs('backup')).map(({ dueAt }) => new Date(dueAt).toISOString())

test('a plan goes on at its usual times after a clock that was a year ahead for a minute', async () => {
  const { clock, platform, make, runs, wrongBy } = world()
  const engine = await make({ n: nightly(platform.addVolume('a')) })
  await clock.runUntil(engine.start())
  await pass(clock, 3 * hour)
  await wrongBy(365 * day)
  for (let night = 0; night < 3; night++) {
    clock.jump(21 * hour)
    await pass(clock, 3 * hour)
  }
  expect((await datesOf(runs)).filter((due) => due.startsWith('2026'))).toEqual(
    ['20', '21', '22', '23'].map((date) => `2026-11-${date}T02:30:00.000Z`),
  )
})

test('the next start puts right what a clock that was ahead has left behind', async () => {
  const { clock, platform, make, runs } = world()
  const plans = { n: nightly(platform.addVolume('a')) }
  clock.jump(365 * day)
  const first = await make(plans)
  await clock.runUntil(first.start())
  await clock.runUntil(first.stop())
  clock.jump(-365 * day)
  await clock.runUntil((await make(plans)).start())
  await pass(clock, 3 * hour)
  expect(await datesOf(runs)).toEqual(['2026-11-20T02:30:00.000Z'])
})

test('a clock that goes back and comes again tells of nothing missed, and fires nothing twice', async () => {
  const { clock, platform, store, make, runs, wrongBy } = world()
  const engine = await make({ n: nightly(platform.addVolume('a')) })
  const told: string[] = []
  engine.on('schedule-missed', ({ due }) => told.push(`missed ${due}`))
  engine.on('plan-fired', ({ due }) => told.push(`fired ${due}`))
  await clock.runUntil(engine.start())
  await pass(clock, 3 * hour)
  clock.jump(day)
  await pass(clock, hour)
  const before = [...told]
  expect(before).toHaveLength(2)
  for (const milliseconds of [-365 * day, -30 * hour, -hour]) {
    await wrongBy(milliseconds)
    await pass(clock, hour / 2)
  }
  expect(told).toEqual(before)
  expect(await runs('backup')).toHaveLength(2)
  expect((await store.outbox.take(0, 100, options)).filter(({ id }) => id.includes('/missed/'))).toEqual([])
})

test('a start after a crash while the clock was ahead settles the run that was lost, and ends', async () => {
  const { clock, platform, store, make, runs } = world()
  const id = platform.addVolume('a')
  await store.open(options)
  clock.jump(30 * day)
  const first = await make({}, { name: 'dead' })
  const input = { operation: 'backup', repository: 'main', workload: { provider: 'p', id }, options: {}, compression: 'none' }
  const needs = ['provider:p', 'repository:main']
  const common = { operation: 'backup', workload: `p/${id}`, delay: 0, priority: 0, maxFailures: 3, needs, resources: [] } as const
  await store.runs.create([{ ...common, key: 'k', input }], options)
  expect(await store.runs.take({ id: 'dead', offers: needs }, 30_000, 1, options)).toHaveLength(1)
  clock.jump(-30 * day)
  await clock.runUntil(first.start(), { limitMs: 5 * minute })
  await pass(clock, 10 * minute)
  expect((await runs('backup')).map(({ state, attempt }) => `${state} ${attempt}`)).toEqual(['succeeded 3'])
})

test('a start does not wait for the end of what another node works on since the clock was ahead', async () => {
  const { clock, platform, provider, make, runs } = world()
  const id = platform.addVolume('a')
  const slow: Provider = {
    ...provider,
    async backup(...given: Parameters<Provider['backup']>) {
      await clock.sleep(20 * minute, options)
      return await provider.backup(...given)
    },
  }
  clock.jump(30 * day)
  const first = await make({}, { providers: { p: slow } })
  await clock.runUntil(first.start())
  first.run({ key: 'k', operation: 'backup', repository: 'main', workload: { provider: 'p', id }, compression: 'none' }).then(
    () => undefined,
    () => undefined,
  )
  await pass(clock, minute, 1000)
  clock.jump(-30 * day)
  const second = await make({}, { name: 'node-b', providers: { p: slow } })
  await clock.runUntil(second.start(), { limitMs: 2 * minute })
  expect((await runs('backup')).map(({ state, attempt }) => `${state} ${attempt}`)).toEqual(['running 1'])
})

test('a run that works while the clock is set back is left to who works on it', async () => {
  const { clock, platform, provider, make, runs } = world()
  const id = platform.addVolume('a')
  const slow: Provider = {
    ...provider,
    async backup(...given: Parameters<Provider['backup']>) {
      await clock.sleep(20 * minute, options)
      return await provider.backup(...given)
    },
  }
  const nodes = [await make({}, { providers: { p: slow } }), await make({}, { name: 'node-b', providers: { p: slow } })]
  for (const node of nodes) await clock.runUntil(node.start())
  const done = nodes[0]?.run({ key: 'k', operation: 'backup', repository: 'main', workload: { provider: 'p', id }, compression: 'none' })
  await pass(clock, 5 * minute, 1000)
  clock.jump(-30 * day)
  await pass(clock, 5 * minute, 1000)
  clock.jump(-3 * minute)
  await clock.runUntil(Promise.resolve(done))
  expect((await runs('backup')).map(({ state, attempt, failures }) => `${state} ${attempt} ${failures}`)).toEqual(['succeeded 1 0'])
})

test('a run that failed while the clock was ahead is tried again when it was to be', async () => {
  const { clock, platform, provider, make, runs, wrongBy } = world()
  const id = platform.addVolume('a')
  let failing = true
  const flaky: Provider = {
    ...provider,
    async backup(...given: Parameters<Provider['backup']>) {
      if (failing) throw new HoldfastError('PROVIDER_FAILED', 'the host is down')
      return await provider.backup(...given)
    },
  }
  const engine = await make({}, { providers: { p: flaky }, retry: { maxFailures: 3, delayMs: 5 * minute } })
  await clock.runUntil(engine.start())
  engine.run({ key: 'k', operation: 'backup', repository: 'main', workload: { provider: 'p', id }, compression: 'none' }).then(
    () => undefined,
    () => undefined,
  )
  await wrongBy(365 * day)
  failing = false
  expect((await runs('backup')).map(({ state }) => state)).toEqual(['queued'])
  await pass(clock, 10 * minute, minute)
  expect((await runs('backup')).map(({ state }) => state)).toEqual(['succeeded'])
})
