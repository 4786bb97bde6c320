import assert from 'node:assert/strict'
import { priorityHeadStartMs, type Resource } from '@holdfast/core/spec'
import {
  getRun,
  intent,
  keysOf,
  leaseMs,
  leaseOf,
  manifest,
  request,
  runningRun,
  type StoreContractOptions,
  storeTestCase,
  takeAll,
} from './store-handle.ts'

const uses = (name: string, units = 1, capacity = 1): { readonly resources: readonly Resource[] } => ({
  resources: [{ name, units, capacity }],
})

export function takeGroup(options: StoreContractOptions): void {
  const test = storeTestCase(options)
  options.describe('store: taking runs', () => {
    test('take gives a queued run its first attempt and a lease', async (given) => {
      const { store, options } = given
      const [created] = await store.runs.create([request('one')], options)
      const { now } = await store.plans.due(1, options)
      const [taken] = await takeAll(given)
      assert.ok((taken?.leaseUntil ?? 0) >= now + leaseMs)
      const { leaseUntil, ...rest } = taken ?? {}
      assert.deepEqual(rest, { ...created?.run, state: 'running', attempt: 1, failures: 0, worker: 'worker-1' })
      assert.deepEqual(await getRun(given, 'one'), taken)
      assert.deepEqual(await takeAll(given), [])
    })
    test('a run is not taken before its time, jitter included', async (given) => {
      const { now } = await given.store.plans.due(1, given.options)
      await given.store.runs.create([request('one', { dueAt: now + 1000, delay: 500 })], given.options)
      await given.advance(1400)
      assert.deepEqual(await takeAll(given), [])
      await given.advance(200)
      assert.deepEqual(keysOf(await takeAll(given)), ['one'])
    })
    test('a run goes only to a worker that offers all it needs', async ({ store, options }) => {
      await store.runs.create([request('one', { needs: ['provider:docker', 'repository:main'] })], options)
      const take = (offers: readonly string[]) => store.runs.take({ id: 'worker', offers }, leaseMs, 5, options)
      assert.deepEqual(await take(['repository:main']), [])
      assert.deepEqual(await take([]), [])
      assert.deepEqual(keysOf(await take(['repository:main', 'provider:esx', 'provider:docker'])), ['one'])
    })
    test('take gives at most limit runs', async (given) => {
      await given.store.runs.create([request('one'), request('two'), request('three')], given.options)
      assert.deepEqual(await takeAll(given, 0), [])
      assert.deepEqual(keysOf(await takeAll(given, 2)), ['one', 'two'])
      assert.deepEqual(keysOf(await takeAll(given, 2)), ['three'])
    })
    test('an ended lease is not given to the worker that says it still holds the run, but to another', async (given) => {
      const { store, options } = given
      await store.runs.create([request('one')], options)
      const [held] = await takeAll(given)
      const holds = [held?.id ?? '']
      await given.advance(leaseMs + 1000)
      assert.deepEqual(await store.runs.take({ id: 'worker-1', offers: [], holds }, leaseMs, 5, options), [])
      const [taken] = await store.runs.take({ id: 'worker-2', offers: [], holds: [] }, leaseMs, 5, options)
      assert.deepEqual([taken?.id, taken?.attempt, taken?.worker], [held?.id, 2, 'worker-2'])
    })
    test('higher priority comes first, then what was due first', async (given) => {
      const asked = [request('c', { dueAt: 300 }), request('b', { dueAt: 200 }), request('a', { dueAt: 400, priority: 5 })]
      await given.store.runs.create(asked, given.options)
      const order = [...(await takeAll(given, 1)), ...(await takeAll(given, 1)), ...(await takeAll(given, 1))]
      assert.deepEqual(keysOf(order), ['a', 'b', 'c'])
    })
    test('priority is a head start: what was due long before an urgent run comes first', async (given) => {
      const asked = [request('urgent', { dueAt: 4 * priorityHeadStartMs, priority: 3 }), request('old', { dueAt: priorityHeadStartMs - 1 })]
      await given.store.runs.create(asked, given.options)
      const order = [...(await takeAll(given, 1)), ...(await takeAll(given, 1))]
      assert.deepEqual(keysOf(order), ['old', 'urgent'])
    })
    test('only gives the named runs', async ({ store, options }) => {
      const created = await store.runs.create([request('one'), request('two')], options)
      const only = [created[1]?.run.id ?? '']
      assert.deepEqual(keysOf(await store.runs.take({ id: 'worker', offers: [], only }, leaseMs, 5, options)), ['two'])
      assert.deepEqual(await store.runs.take({ id: 'worker', offers: [], only: [] }, leaseMs, 5, options), [])
    })
    test('final runs are never taken', async (given) => {
      const { store, options } = given
      for (const state of ['failed', 'cancelled'] as const) {
        await store.runs.finish(leaseOf(await runningRun(given, state)), { state, error: null }, [], [], options)
      }
      const overlap = { key: 'shop', policy: 'skip' } as const
      await runningRun(given, 'first', { overlap })
      await store.runs.create([request('skipped', { overlap })], options)
      await given.advance(leaseMs / 2)
      assert.deepEqual(await takeAll(given), [])
    })
  })
  leaseTests(options)
  setBackTests(options)
  resourceTests(options)
}

function leaseTests(options: StoreContractOptions): void {
  const test = storeTestCase(options)
  options.describe('store: ended leases', () => {
    test('a run whose lease has ended is taken over: next attempt, one failure more, everything else as it was', async (given) => {
      const { store, options } = given
      const run = await runningRun(given, 'one', uses('host:a'))
      await store.runs.save(leaseOf(run), { target: manifest('p1'), intents: [intent('i1')] }, options)
      await store.runs.renew(leaseOf(run), leaseMs, { done: 0.5 }, options)
      const before = await getRun(given, 'one')
      await given.advance(leaseMs + 1)
      const [after] = await takeAll(given, 5, 'worker-2')
      assert.ok((after?.leaseUntil ?? 0) > (before.leaseUntil ?? 0))
      assert.deepEqual(after, { ...before, attempt: 2, failures: 1, worker: 'worker-2', leaseUntil: after?.leaseUntil })
    })
    test('a lease that goes on is left alone, a renewed one too', async (given) => {
      const run = await runningRun(given, 'one')
      await given.advance(leaseMs - 1000)
      assert.deepEqual(await takeAll(given), [])
      await given.store.runs.renew(leaseOf(run), leaseMs, null, given.options)
      await given.advance(leaseMs - 1000)
      assert.deepEqual(await takeAll(given), [])
    })
    test('resources stay with a run whose lease has ended, before and after the takeover', async (given) => {
      await runningRun(given, 'one', uses('host:a'))
      await given.store.runs.create([request('two', uses('host:a'))], given.options)
      await given.advance(leaseMs + 1)
      assert.deepEqual(keysOf(await takeAll(given)), ['one'])
      assert.deepEqual(await takeAll(given), [])
    })
    test('an ended lease goes only to a worker that can do the run', async (given) => {
      const { store, options } = given
      await store.runs.create([request('one', { needs: ['provider:docker'] })], options)
      const take = (offers: readonly string[]) => store.runs.take({ id: 'worker', offers }, leaseMs, 5, options)
      await take(['provider:docker'])
      await given.advance(leaseMs + 1)
      assert.deepEqual(await take(['provider:esx']), [])
      assert.equal((await take(['provider:docker']))[0]?.attempt, 2)
    })
  })
}

function setBackTests(options: StoreContractOptions): void {
  const test = storeTestCase(options)
  const year = 365 * 86_400_000
  options.describe('store: a clock that was ahead', () => {
    test('a lease lasts no longer than it was given for: who lives renews it, who is dead loses the run', async (given) => {
      if (given.setBack === undefined) return
      const [alive, dead] = [await runningRun(given, 'alive'), await runningRun(given, 'dead')]
      await given.setBack(year)
      assert.deepEqual(await takeAll(given), [])
      await given.advance(leaseMs - 1000)
      await given.store.runs.renew(leaseOf(alive), leaseMs, null, given.options)
      assert.deepEqual(await takeAll(given), [])
      await given.advance(2000)
      assert.deepEqual(keysOf(await takeAll(given)), [dead.key])
      assert.equal((await getRun(given, 'dead')).failures, 1)
    })
    test('a run that was made, or failed, then waits no longer than it was to', async (given) => {
      const { store, options } = given
      if (given.setBack === undefined) return
      const failed = leaseOf(await runningRun(given, 'failed'))
      await store.runs.finish(failed, { state: 'queued', delay: 5000, failure: true }, [], [], options)
      const { now } = await store.plans.due(0, options)
      await store.runs.create([request('planned', { dueAt: now, delay: 3000 })], options)
      await given.setBack(year)
      assert.deepEqual(await takeAll(given), [])
      await given.advance(4000)
      assert.deepEqual(keysOf(await takeAll(given)), ['planned'])
      await given.advance(2000)
      assert.deepEqual(keysOf(await takeAll(given)), ['failed'])
    })
    test('clocks that differ by minutes end no lease: each process sees times that another one has set', async (given) => {
      if (given.setBack === undefined) return
      await runningRun(given, 'one')
      await given.setBack(600_000)
      await takeAll(given)
      await given.advance(leaseMs + 1000)
      assert.deepEqual(await takeAll(given), [])
      await given.advance(600_000)
      assert.deepEqual(keysOf(await takeAll(given)), ['one'])
    })
    test('a small step back ends no lease', async (given) => {
      if (given.setBack === undefined) return
      await runningRun(given, 'one')
      await given.setBack(1000)
      assert.deepEqual(await takeAll(given), [])
      await given.advance(leaseMs - 2000)
      assert.deepEqual(await takeAll(given), [])
    })
  })
}

function resourceTests(options: StoreContractOptions): void {
  const test = storeTestCase(options)
  options.describe('store: resources', () => {
    test('a limit holds within one take and over several', async (given) => {
      const asked = ['one', 'two', 'three', 'four'].map((key) => request(key, uses('repository:main', 1, 2)))
      await given.store.runs.create(asked, given.options)
      assert.deepEqual(keysOf(await takeAll(given)), ['one', 'two'])
      assert.deepEqual(await takeAll(given), [])
    })
    test('units count', async (given) => {
      const asked = [request('one', uses('host:a', 2, 3)), request('two', uses('host:a', 2, 3))]
      await given.store.runs.create(asked, given.options)
      assert.deepEqual(keysOf(await takeAll(given)), ['one'])
    })
    test('all or nothing: a run that lacks one resource holds none', async (given) => {
      await runningRun(given, 'holder', uses('host:a'))
      const both = [...uses('host:b').resources, ...uses('host:a').resources]
      await given.store.runs.create(
        [request('both', { resources: both, dueAt: 1 }), request('b', { ...uses('host:b'), dueAt: 2 })],
        given.options,
      )
      assert.deepEqual(keysOf(await takeAll(given)), ['b'])
    })
    for (const [name, outcome] of [
      ['success', { state: 'succeeded', result: null, points: [], follow: [] }],
      ['failure', { state: 'failed', error: null }],
      ['going back to the queue', { state: 'queued', delay: 1_000_000, failure: true }],
    ] as const) {
      test(`resources are free after ${name}`, async (given) => {
        const run = await runningRun(given, 'one', uses('host:a'))
        await given.store.runs.create([request('two', uses('host:a'))], given.options)
        await given.store.runs.finish(leaseOf(run), outcome, [], [], given.options)
        assert.deepEqual(keysOf(await takeAll(given)), ['two'])
      })
    }
    test('an older run that waits for a resource is not overtaken on it', async (given) => {
      const { store, options } = given
      const holder = await runningRun(given, 'holder', uses('host:a', 1, 2))
      const asked = [request('wide', { ...uses('host:a', 2, 2), dueAt: 1 }), request('narrow', { ...uses('host:a', 1, 2), dueAt: 2 })]
      await store.runs.create(asked, options)
      assert.deepEqual(await takeAll(given), [])
      await store.runs.finish(leaseOf(holder), { state: 'failed', error: null }, [], [], options)
      assert.deepEqual(keysOf(await takeAll(given)), ['wide'])
    })
    test('a run that waits holds up nobody who does not want that resource', async (given) => {
      await runningRun(given, 'holder', uses('host:a'))
      await given.store.runs.create([request('waits', { ...uses('host:a'), dueAt: 1 }), request('free', { dueAt: 2 })], given.options)
      assert.deepEqual(keysOf(await takeAll(given)), ['free'])
    })
  })
}
