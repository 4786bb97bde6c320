import { scriptedProvider } from '@holdfast/testkit'
import { afterEach, expect, test } from 'vitest'
import { hour, nightly, options, pass, planWorld } from '../../../test/plan-world.ts'
import type { Provider } from '../../spec/provider.ts'
import type { PlanStore } from '../../spec/store.ts'

const closing: (() => Promise<void>)[] = []
afterEach(async () => {
  for (const close of closing.splice(0)) await close()
})
function world() {
  const base = planWorld()
  closing.push(base.close)
  return base
}

test('options of a plan for several providers reach each as it understands them itself', async () => {
  const { clock, platform, make } = world()
  const [a, b] = [platform.addVolume('a'), platform.addVolume('b')]
  const seen: string[] = []
  const understanding = (name: string, byDefault: string): Provider => {
    const provider = scriptedProvider(platform, { shape: 'tarVolume', name })
    return {
      ...provider,
      parseOptions: (_use, input) => ({ speed: byDefault, ...(input as object) }),
      backup(request, sink, context) {
        seen.push(`${name} ${JSON.stringify(request.options)}`)
        return provider.backup({ ...request, options: {} }, sink, context)
      },
    }
  }
  const workloads = [
    { provider: 'p', id: a },
    { provider: 'q', id: b },
  ]
  const providers = { p: understanding('p', 'slow'), q: understanding('q', 'fast') }
  const engine = await make({ both: nightly('', { workloads, options: { quiet: true } }) }, { providers })
  await clock.runUntil(engine.start())
  await clock.runUntil(Promise.resolve(engine.runPlan('both')))
  expect(seen.sort()).toEqual(['p {"speed":"slow","quiet":true}', 'q {"speed":"fast","quiet":true}'])
})

test('a plan that only a newer version can read keeps nobody from the others', async () => {
  const { clock, platform, store, make } = world()
  const engine = await make({ nightly: nightly(platform.addVolume('a')) })
  await clock.runUntil(engine.runDue())
  await store.plans.put({ id: 'newer', revision: 0, plan: { kind: 'teleport' } }, [], options)
  expect((await engine.plans()).map(({ id }) => id)).toEqual(['nightly'])
  expect((await engine.previewRuns({ until: '2026-11-20T03:00:00Z' })).map(({ plan }) => plan)).toEqual(['nightly'])
})

test('a plan that another node adopts while this one gives it up stays', async () => {
  const { clock, platform, store, make } = world()
  const id = platform.addVolume('a')
  const first = await make({ nightly: nightly(id) })
  await clock.runUntil(first.runDue())
  const remove: PlanStore['remove'] = store.plans.remove.bind(store.plans)
  let adopted = false
  ;(store.plans as { remove: PlanStore['remove'] }).remove = async (plan, given) => {
    adopted = true
    const row = await store.plans.get(plan, options)
    await store.plans.put({ id: plan, revision: row?.revision ?? 0, plan: { ...(row?.plan as object), owners: ['node-b'] } }, [], options)
    return await remove(plan, given)
  }
  await clock.runUntil((await make({})).runDue())
  expect(adopted).toBe(true)
  expect((await store.plans.get('nightly', options))?.plan).toMatchObject({ owners: ['node-b'] })
})

test('a plan of the code that was put anew by hand is shown, previewed and run as it fires', async () => {
  const { clock, platform, make, runs } = world()
  const [a, b] = [platform.addVolume('a'), platform.addVolume('b')]
  const engine = await make({ n: nightly(a) })
  const shown = async () => (await engine.plans()).map(({ plan }) => plan.kind === 'backup' && plan.workloads)
  const previewed = async () => (await engine.previewRuns({ until: '2026-11-20T23:00:00Z' })).flatMap((each) => each.runs)
  // Before the start the store does not know it: what fires will be that of the code.
  expect(await shown()).toEqual([[{ provider: 'p', id: a }]])
  expect(await previewed()).toEqual([`n/p/${a}/2026-11-20T02:30:00.000Z`])
  await clock.runUntil(engine.start())
  await engine.putPlan('n', nightly(b, { schedule: { type: 'simple', every: 'day', at: '05:00' } }))
  expect(await shown()).toEqual([[{ provider: 'p', id: b }]])
  const preview = await previewed()
  await clock.runUntil(Promise.resolve(engine.runPlan('n')))
  const [byHand] = await runs('backup')
  expect(byHand?.workload).toBe(`p/${b}`)
  await pass(clock, 20 * hour)
  expect((await runs('backup')).slice(1).map(({ key }) => key)).toEqual(preview)
})

test('a plan of the code that was removed is neither shown nor previewed nor run', async () => {
  const { clock, platform, make } = world()
  const engine = await make({ n: nightly(platform.addVolume('a')) })
  await clock.runUntil(engine.runDue())
  expect(await engine.removePlan('n')).toBe(true)
  expect(await engine.plans()).toEqual([])
  expect(await engine.previewRuns({ until: '2026-11-20T23:00:00Z' })).toEqual([])
  await expect(engine.runPlan('n')).rejects.toMatchObject({ code: 'NOT_FOUND', message: 'There is no plan "n". Known: none.' })
})
