import { countingIds } from '@holdfast/testkit'
import { afterEach, expect, test } from 'vitest'
import { hour, minute, nightly, pass, planWorld } from '../../../test/plan-world.ts'
import type { PlanInput } from '../../model/plan.ts'
import type { Provider } from '../../spec/provider.ts'

const second = 1000
const closing: (() => Promise<void>)[] = []
afterEach(async () => {
  for (const close of closing.splice(0)) await close()
})

/** A world with a second provider, `q`, whose inventory answers nothing before its signal aborts. */
function world() {
  const given = planWorld()
  closing.push(given.close)
  const asked: number[] = []
  async function* workloads({ signal }: Parameters<Provider['workloads']>[0]): ReturnType<Provider['workloads']> {
    asked.push(given.clock.now())
    await new Promise((_, reject) => signal.addEventListener('abort', () => reject(signal.reason)))
  }
  const hanging: Provider = { ...given.provider, workloads }
  return { ...given, asked, hanging }
}
const skipping = { type: 'simple', every: 'day', at: '02:30', missed: { policy: 'skip' } } as const
const patterns = (count: number): { readonly [id: string]: PlanInput } =>
  Object.fromEntries(
    Array.from({ length: count }, (_, index) => [`h${index}`, nightly('', { workloads: [{ provider: 'q', glob: `x-${index}` }] })]),
  )

test('a provider whose inventory hangs holds up no other plan and no run', async () => {
  const { clock, platform, provider, hanging, make } = world()
  const id = platform.addVolume('a')
  const engine = await make({ ...patterns(4), z: nightly(id, { schedule: skipping }) }, { providers: { p: provider, q: hanging } })
  const fired: string[] = []
  engine.on('plan-fired', ({ plan }) => fired.push(`${plan} after ${(clock.now() - Date.UTC(2026, 10, 20, 2, 30)) / second} s`))
  await clock.runUntil(engine.start())
  await pass(clock, 2 * hour + 30 * minute, minute)
  await clock.advance(10 * second)
  const byHand = engine.run({ key: 'k', operation: 'backup', repository: 'main', workload: { provider: 'p', id }, compression: 'none' })
  await clock.runUntil(Promise.resolve(byHand), { limitMs: 30 * second })
  expect(fired).toEqual([expect.stringMatching(/^z after [0-5] s$/)])
})

test('an inventory is asked for once for all plans that wait for it, and again half a minute after it has failed', async () => {
  const { clock, provider, hanging, asked, make } = world()
  const engine = await make(patterns(4), { providers: { p: provider, q: hanging }, stallMs: 2 * minute })
  await clock.runUntil(engine.start())
  await pass(clock, 2 * hour + 30 * minute, minute)
  await pass(clock, 9 * minute, 5 * second)
  const waits = asked.map((at, index) => at - (asked[index - 1] ?? Date.UTC(2026, 10, 20, 2, 30)))
  expect(waits.length).toBe(4)
  expect(waits.slice(1).every((wait) => wait >= 2.5 * minute && wait <= 2.75 * minute)).toBe(true)
})

test('runDue waits for the inventories that its plans need', async () => {
  const { clock, platform, provider, make, runs } = world()
  platform.addVolume('x-1')
  async function* workloads(call: Parameters<Provider['workloads']>[0]) {
    await clock.sleep(minute, call)
    yield* provider.workloads(call)
  }
  const engine = await make(
    { n: nightly('', { workloads: [{ provider: 'p', glob: '*' }] }) },
    { providers: { p: { ...provider, workloads } } },
  )
  await clock.runUntil(engine.runDue())
  clock.jump(3 * hour)
  await clock.runUntil(engine.runDue())
  expect((await runs('backup')).map(({ state }) => state)).toEqual(['succeeded'])
})

test('stop does not wait for an inventory', async () => {
  const { clock, provider, hanging, make, asked } = world()
  const engine = await make(patterns(1), { providers: { p: provider, q: hanging } })
  await clock.runUntil(engine.start())
  await pass(clock, 2 * hour + 31 * minute, minute)
  expect(asked).not.toEqual([])
  const before = clock.now()
  await clock.runUntil(engine.stop({ graceMs: hour }))
  expect(clock.now() - before).toBeLessThan(second)
})

test('a thousand plans that this node cannot run do not keep it from the next one', { timeout: 30_000 }, async () => {
  const { clock, platform, provider, make, runs } = world()
  const other = await make({}, { name: 'x', providers: { p: provider, b: provider } })
  for (let index = 0; index < 1000; index++) await other.putPlan(`b${index}`, nightly('', { workloads: [{ provider: 'b', glob: '*' }] }))
  const mine = nightly(platform.addVolume('a'), { schedule: { type: 'simple', every: 'day', at: '02:31' } })
  const engine = await make({ mine }, { ids: countingIds('f') })
  await clock.runUntil(engine.start())
  clock.jump(2.5 * hour)
  await pass(clock, 2 * minute, minute)
  expect(await runs('backup')).toHaveLength(1)
})
