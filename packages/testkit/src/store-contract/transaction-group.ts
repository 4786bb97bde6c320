import assert from 'node:assert/strict'
import type { Run, Store } from '@holdfast/core/spec'
import {
  collect,
  commitPoints,
  getRun,
  intent,
  leaseMs,
  leaseOf,
  manifest,
  point,
  repository,
  request,
  runningRun,
  type StoreContractOptions,
  type StoreTest,
  storeTestCase,
  takeAll,
  workload,
} from './store-handle.ts'

/** Opening, aborting, surviving, and many callers at once. */
export function transactionGroup(options: StoreContractOptions): void {
  openTests(options)
  abortTests(options)
  durabilityTests(options)
  raceTests(options)
}

function openTests(options: StoreContractOptions): void {
  const test = storeTestCase(options)
  options.describe('store: open', () => {
    test('the id stays and the epoch grows by one at each open', async ({ store, options }) => {
      const first = await store.open(options)
      const second = await store.open(options)
      assert.ok(first.storeId.length > 0 && first.epoch >= 1)
      assert.deepEqual([second.storeId, second.epoch], [first.storeId, first.epoch + 1])
      const { now } = await store.plans.due(1, options)
      assert.ok(second.now <= now)
    })
    test('above raises the epoch over a number that a repository has seen', async ({ store, options }) => {
      const { epoch } = await store.open(options)
      assert.equal((await store.open({ ...options, above: epoch + 40 })).epoch, epoch + 41)
      assert.equal((await store.open({ ...options, above: 1 })).epoch, epoch + 42)
    })
    test('open keeps what is there', async (given) => {
      const run = await runningRun(given, 'one')
      await given.store.open(given.options)
      assert.deepEqual(await getRun(given, 'one'), run)
    })
  })
}

type AbortedCall = (store: Store, run: Run, options: { readonly signal: AbortSignal }) => Promise<unknown>

/** Every method that changes anything but `open`. */
const changes: { readonly [name: string]: AbortedCall } = {
  'plans.put': (store, _, options) => store.plans.put({ id: 'nightly', revision: 0, plan: 1 }, [], options),
  'plans.remove': (store, _, options) => store.plans.remove('weekly', options),
  'plans.advance': (store, _, options) =>
    store.plans.advance({ planId: 'weekly', schedule: 'a', due: 5 }, 6, [request('aborted')], options),
  'runs.create': (store, _, options) => store.runs.create([request('aborted')], options),
  'runs.take': (store, _, options) => store.runs.take({ id: 'worker', offers: [] }, leaseMs, 5, options),
  'runs.renew': (store, run, options) => store.runs.renew(leaseOf(run), leaseMs * 2, 'aborted', options),
  'runs.save': (store, run, options) => store.runs.save(leaseOf(run), { intents: [intent('aborted')] }, options),
  'runs.finish': (store, run, options) => store.runs.finish(leaseOf(run), { state: 'failed', error: 'aborted' }, [], [], options),
  'runs.undone': (store, run, options) => store.runs.undone(run.id, ['i1'], options),
  'runs.cancel': (store, run, options) => store.runs.cancel(run.id, 'aborted', options),
  'points.sync': async (store, run, options) => {
    const { version } = await store.points.catalog(repository, workload, { signal: new AbortController().signal })
    return store.points.sync(leaseOf(run), repository, workload, version, [], [manifest('p1')], options)
  },
  'points.flag': (store, _, options) => store.points.flag(repository, 'p1', { pin: 'aborted' }, options),
  'points.condemn': async (store, run, options) => {
    const { version } = await store.points.catalog(repository, workload, { signal: new AbortController().signal })
    return store.points.condemn(leaseOf(run), repository, workload, version, [manifest('p1')], options)
  },
  'nodes.report': (store, _, options) => store.nodes.report({ node: 'a', state: 'OK', version: '1', checks: null }, options),
  'replications.put': (store, _, options) => store.replications.put({ id: 'web', epoch: 0, state: 'x', data: null }, [], [], options),
  'outbox.add': (store, _, options) => store.outbox.add([{ id: 'aborted', event: null }], options),
}

async function everything({ store, options }: StoreTest): Promise<unknown> {
  return {
    plans: await collect(store.plans.list(options)),
    due: (await store.plans.due(10, options)).cursors,
    runs: await collect(store.runs.list({}, options)),
    catalog: await store.points.catalog(repository, workload, options),
    nodes: (await store.nodes.list(options)).map((node) => node.node),
    replications: await collect(store.replications.list(options)),
    outbox: await store.outbox.take(0, 10, options),
  }
}

function abortTests(options: StoreContractOptions): void {
  const test = storeTestCase(options)
  options.describe('store: abort', () => {
    for (const [name, call] of Object.entries(changes)) {
      test(`${name} with an aborted signal rejects and leaves nothing`, async (given) => {
        const { store, options } = given
        await commitPoints(given, [point('p1')])
        const run = await runningRun(given, 'one')
        await store.runs.save(leaseOf(run), { intents: [intent('i1')] }, options)
        await store.plans.put({ id: 'weekly', revision: 0, plan: 1 }, [{ planId: 'weekly', schedule: 'a', due: 5 }], options)
        await store.runs.create([request('waiting')], options)
        const before = await everything(given)
        await assert.rejects(call(store, run, { signal: AbortSignal.abort() }))
        assert.deepEqual(await everything(given), before)
      })
    }
    test('a call that is aborted while it waits did everything or nothing', async (given) => {
      const { store, options } = given
      for (let round = 0; round < 20; round++) {
        const controller = new AbortController()
        const keys = [`a-${round}`, `b-${round}`]
        const calls = [store.runs.create([request(`other-${round}`)], options)]
        const aborted = store.runs.create(
          keys.map((key) => request(key)),
          controller,
        )
        for (let step = 0; step < round; step++) await Promise.resolve()
        controller.abort()
        const done = await aborted.then(
          () => true,
          () => false,
        )
        await Promise.all(calls)
        const there = await Promise.all(keys.map(async (key) => (await store.runs.get(key, options)) !== undefined))
        assert.deepEqual(there, [done, done])
      }
    })
  })
}

function durabilityTests(options: StoreContractOptions): void {
  const test = storeTestCase(options)
  options.describe('store: a new process', () => {
    test('finds everything that was acknowledged, and a higher epoch', async (given) => {
      const { reopen, store, options } = given
      if (reopen === undefined) return assert.equal(given.another, undefined, 'a store that others can open can be reopened')
      await commitPoints(given, [point('p1')])
      await store.points.flag(repository, 'p1', { pin: 'keep' }, options)
      await store.plans.put({ id: 'weekly', revision: 0, plan: { a: 1 } }, [{ planId: 'weekly', schedule: 'a', due: 5 }], options)
      await store.nodes.report({ node: 'a', state: 'OK', version: '1', checks: [] }, options)
      await store.replications.put({ id: 'web', epoch: 0, state: 'x', data: null }, [], [{ id: 'e1', event: 1 }], options)
      await store.runs.save(leaseOf(await runningRun(given, 'one')), { reads: [manifest('p1')], intents: [intent('i1')] }, options)
      const before = await everything(given)
      const { storeId, epoch } = await store.open(options)
      const later = await reopen()
      const opened = await later.open(options)
      assert.deepEqual([opened.storeId, opened.epoch], [storeId, epoch + 1])
      assert.deepEqual(await everything({ ...given, store: later }), before)
    })
    test('takes over the runs of the one before it', async (given) => {
      const { reopen, options } = given
      if (reopen === undefined) return assert.equal(given.another, undefined, 'a store that others can open can be reopened')
      await runningRun(given, 'one')
      const store = await reopen()
      await store.open(options)
      assert.deepEqual(await takeAll({ ...given, store }), [])
      await given.advance(leaseMs + 1)
      assert.deepEqual(
        (await takeAll({ ...given, store })).map((run) => [run.key, run.attempt]),
        [['one', 2]],
      )
    })
  })
}

/** The store, and where possible another one over the same data. */
async function withCallers(given: StoreTest, body: (stores: readonly Store[]) => Promise<void>): Promise<void> {
  const other = await given.another?.()
  try {
    await other?.open(given.options)
    await body(other === undefined ? [given.store] : [given.store, other])
  } finally {
    await other?.[Symbol.asyncDispose]()
  }
}

function raceTests(options: StoreContractOptions): void {
  const test = storeTestCase(options)
  const callers = 8
  const each = <T>(stores: readonly Store[], call: (store: Store, index: number) => Promise<T>): Promise<T[]> =>
    Promise.all(Array.from({ length: callers }, (_, index) => call(stores[index % stores.length] as Store, index)))
  options.describe('store: many callers at once', () => {
    test('each due time is claimed exactly once', async (given) => {
      const { options } = given
      await given.store.plans.put({ id: 'nightly', revision: 0, plan: 1 }, [{ planId: 'nightly', schedule: 'a', due: 1 }], options)
      await withCallers(given, async (stores) => {
        for (let due = 1; due <= 4; due++) {
          const won = await each(stores, (store, index) =>
            store.plans.advance({ planId: 'nightly', schedule: 'a', due }, due + 1, [request(`${due}-by-${index}`)], options),
          )
          assert.equal(won.filter(Boolean).length, 1)
        }
      })
      assert.equal((await collect(given.store.runs.list({}, options))).length, 4)
    })
    test('each run is taken exactly once, and no limit is passed', async (given) => {
      const { options } = given
      const resources = [{ name: 'repository:main', units: 1, capacity: 3 }]
      const free = Array.from({ length: 20 }, (_, index) => request(`free-${index}`))
      const limited = Array.from({ length: 10 }, (_, index) => request(`limited-${index}`, { resources }))
      await given.store.runs.create([...free, ...limited], options)
      await withCallers(given, async (stores) => {
        const rounds = [1, 2, 3].map(() =>
          each(stores, (store, index) => store.runs.take({ id: `w${index}`, offers: [] }, leaseMs, 2, options)),
        )
        const keys = (await Promise.all(rounds)).flat(2).map((run) => run.key)
        assert.equal(new Set(keys).size, keys.length)
        assert.equal(keys.filter((key) => key.startsWith('free')).length, 20)
        assert.equal(keys.filter((key) => key.startsWith('limited')).length, 3)
      })
    })
    test('an ended lease is taken over exactly once', async (given) => {
      await runningRun(given, 'one')
      await given.advance(leaseMs + 1)
      await withCallers(given, async (stores) => {
        const taken = await each(stores, (store, index) => store.runs.take({ id: `w${index}`, offers: [] }, leaseMs, 1, given.options))
        assert.deepEqual(
          taken.flat().map((run) => run.attempt),
          [2],
        )
      })
    })
    test('each notification is given exactly once', async (given) => {
      const ids = Array.from({ length: 12 }, (_, index) => `e${index}`)
      await given.store.outbox.add(
        ids.map((id) => ({ id, event: null })),
        given.options,
      )
      await withCallers(given, async (stores) => {
        const taken = (await each(stores, (store) => store.outbox.take(leaseMs, 2, given.options))).flat().map((event) => event.id)
        assert.deepEqual(taken.sort(), ids.sort())
      })
    })
  })
}
