import { countingIds } from '@holdfast/testkit'
import { afterEach, expect, test } from 'vitest'
import { day, hour, minute, nightly, options, pass, planWorld } from '../../../test/plan-world.ts'
import type { Provider } from '../../spec/provider.ts'

const second = 1000
const closing: (() => Promise<void>)[] = []
afterEach(async () => {
  for (const close of closing.splice(0)) await close()
})

/** A world whose provider can be cut off. */
function world() {
  const given = planWorld()
  closing.push(given.close)
  const line = { cut: false }
  async function* workloads(call: Parameters<Provider['workloads']>[0]) {
    if (line.cut) throw new Error('the host is down')
    yield* given.provider.workloads(call)
  }
  const flaky: Provider = { ...given.provider, workloads }
  return { ...given, line, flaky }
}
const skipping = { type: 'simple', every: 'day', at: '02:30', missed: { policy: 'skip' } } as const
const narrow = { ...skipping, missed: { policy: 'latest', window: '10m' } } as const

test('a plan that skips what it missed runs its workloads by id when its patterns were waited for long enough', async () => {
  const { clock, platform, provider, flaky, line, make, runs } = world()
  line.cut = true
  const workloads = [
    { provider: 'p', id: platform.addVolume('a') },
    { provider: 'q', glob: 'x-*' },
  ]
  const engine = await make({ n: nightly('', { workloads, schedule: skipping }) }, { providers: { p: provider, q: flaky } })
  const missed: string[] = []
  engine.on('schedule-missed', ({ reason }) => missed.push(reason))
  await clock.runUntil(engine.start())
  for (let night = 0; night < 3; night++) {
    clock.jump(2.5 * hour)
    await pass(clock, 30 * minute, minute)
    clock.jump(21 * hour)
  }
  expect(missed).toEqual([])
  expect((await runs('backup')).map(({ key }) => key.slice(-24))).toEqual(['20', '21', '22'].map((date) => `2026-11-${date}T02:30:00.000Z`))
})

test('a platform that answers after some minutes is not too late for a narrow window', async () => {
  const { clock, platform, flaky, line, make, runs } = world()
  platform.addVolume('a')
  const engine = await make(
    { n: nightly('', { workloads: [{ provider: 'p', glob: '*' }], schedule: narrow }) },
    { providers: { p: flaky } },
  )
  await clock.runUntil(engine.start())
  for (const cutFor of [13 * minute, minute]) {
    clock.jump(2 * hour + 29 * minute)
    line.cut = true
    await pass(clock, minute + cutFor, 5 * second)
    line.cut = false
    await pass(clock, 10 * minute, minute)
    clock.jump(day - 2 * hour - 40 * minute - cutFor)
  }
  expect((await runs('backup')).map(({ key }) => key.slice(-24))).toEqual(['2026-11-20T02:30:00.000Z', '2026-11-21T02:30:00.000Z'])
})

test('a host that slept while it waited does not run hours late what is skipped when late', async () => {
  const { clock, platform, provider, flaky, line, make, runs } = world()
  const workloads = [
    { provider: 'p', id: platform.addVolume('a') },
    { provider: 'q', glob: 'x-*' },
  ]
  const engine = await make({ n: nightly('', { workloads, schedule: skipping }) }, { providers: { p: provider, q: flaky } })
  await clock.runUntil(engine.start())
  line.cut = true
  await pass(clock, 2 * hour + 32 * minute, minute)
  clock.jump(8 * hour)
  await pass(clock, hour, minute)
  expect(await runs('backup')).toEqual([])
})

test('patience begins anew at each due time, also when another node has run the plan meanwhile', async () => {
  const { clock, platform, store, flaky, line, make, runs } = world()
  platform.addVolume('x-1')
  const plans = { n: nightly('', { workloads: [{ provider: 'p', glob: '*x-1*' }] }) }
  const engine = await make(plans, { providers: { p: flaky }, ids: countingIds('f') })
  await clock.runUntil(engine.start())
  clock.jump(2 * hour + 29 * minute)
  line.cut = true
  await pass(clock, 2 * minute, 5 * second)
  const [due] = (await store.plans.due(10, options)).cursors
  if (!due?.due) throw new Error('the plan is not waited for')
  await store.plans.advance(due, due.due + day, [], options)
  line.cut = false
  await pass(clock, minute)
  clock.jump(day - 3 * minute)
  line.cut = true
  await pass(clock, 2 * minute, 5 * second)
  line.cut = false
  await pass(clock, hour, minute)
  expect(await runs('backup')).toHaveLength(1)
})
