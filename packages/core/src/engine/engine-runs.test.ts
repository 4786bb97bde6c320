import { expect, onTestFinished, test } from 'vitest'
import { hour, nightly, options, planWorld } from '../../test/plan-world.ts'

function world() {
  const base = planWorld()
  onTestFinished(base.close)
  return base
}

test('runs are shown with the last one first, by plan, workload and state', async () => {
  const { clock, platform, make } = world()
  const [a, b] = [platform.addVolume('a'), platform.addVolume('b')]
  const engine = await make({ one: nightly(a), two: nightly(b) })
  await clock.runUntil(engine.runDue())
  for (let day = 0; day < 2; day++) {
    clock.jump(24 * hour)
    engine.confirmClock()
    await clock.runUntil(engine.runDue())
  }
  const shown = async (filter?: Parameters<typeof engine.runs>[0]) => {
    const keys: string[] = []
    for await (const { key } of engine.runs(filter)) keys.push(key.slice(0, key.indexOf('T')))
    return keys
  }
  expect((await shown()).toSorted()).toEqual([
    `one/p/${a}/2026-11-20`,
    `one/p/${a}/2026-11-21`,
    `two/p/${b}/2026-11-20`,
    `two/p/${b}/2026-11-21`,
  ])
  expect((await shown()).slice(0, 2).every((key) => key.endsWith('-21'))).toBe(true)
  expect(await shown({ plan: 'two' })).toEqual([`two/p/${b}/2026-11-21`, `two/p/${b}/2026-11-20`])
  expect(await shown({ workload: { provider: 'p', id: a } })).toEqual([`one/p/${a}/2026-11-21`, `one/p/${a}/2026-11-20`])
  expect(await shown({ states: ['failed', 'queued'] })).toEqual([])
})

test('a run is cancelled by its key, from any engine; one that ended is final, and one that is not there is an error', async () => {
  const { clock, platform, store, make } = world()
  const id = platform.addVolume('a')
  const node = await make({ one: nightly(id) })
  const other = await make({}, { name: 'node-b' })
  const key = 'elsewhere'
  const needs = ['provider:elsewhere']
  await store.runs.create([{ key, operation: 'backup', delay: 0, priority: 0, maxFailures: 1, needs, resources: [], input: {} }], options)
  expect(await other.cancel(key, 'not needed')).toBe('cancelled')
  expect(await node.getRun(key)).toMatchObject({ state: 'cancelled', cancelReason: 'not needed' })
  const done = node.run({ operation: 'backup', repository: 'main', workload: { provider: 'p', id }, key: 'done' })
  await clock.runUntil(Promise.resolve(done))
  expect(await other.cancel('done')).toBe('final')
  await expect(other.cancel('nothing')).rejects.toMatchObject({ code: 'NOT_FOUND', message: 'There is no run "nothing".' })
})

test('a run that is cancelled before it began ends for those who listen too', async () => {
  const { clock, platform, make } = world()
  const id = platform.addVolume('a')
  const node = await make({ one: nightly(id, { schedule: { type: 'simple', every: 'day', at: '00:00', jitter: '1h' } }) })
  const seen: unknown[] = []
  node.on('run-finished', (event) => seen.push(event))
  await clock.runUntil(node.start())
  clock.jump(24 * hour)
  node.confirmClock()
  await clock.advance(10_000)
  const key = `one/p/${id}/2026-11-21T00:00:00.000Z`
  expect(await node.cancel(key, 'not needed')).toBe('cancelled')
  const error = { code: 'RUN_CANCELLED', message: 'The run was cancelled before it began: not needed' }
  expect(seen).toMatchObject([{ key, operation: 'backup', attempt: 0, plan: 'one', workload: `p/${id}`, state: 'cancelled', error }])
  expect(await node.cancel(key)).toBe('final')
  expect(seen).toHaveLength(1)
})
