import { scriptedProvider } from '@holdfast/testkit'
import { afterEach, expect, test } from 'vitest'
import { nightly, options, planWorld } from '../../test/plan-world.ts'
import type { Provider } from '../spec/provider.ts'
import type { PlanStore } from '../spec/store.ts'

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
