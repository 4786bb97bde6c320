import assert from 'node:assert/strict'
import type { Outcome } from '@holdfast/core/spec'
import {
  collect,
  commitPoints,
  condemnPoints,
  getRun,
  intent,
  keysOf,
  leaseMs,
  leaseOf,
  manifest,
  point,
  rejectsWith,
  repository,
  request,
  runningRun,
  type StoreContractOptions,
  storeTestCase,
  takeAll,
  versionOf,
  workload,
} from './store-handle.ts'

const success = (patch: Partial<Extract<Outcome, { state: 'succeeded' }>> = {}): Outcome => ({
  state: 'succeeded',
  result: { point: 'p1' },
  points: [],
  follow: [],
  ...patch,
})

export function finishGroup(options: StoreContractOptions): void {
  const test = storeTestCase(options)
  options.describe('store: finishing runs', () => {
    test('success writes state, points, following runs, intents and notifications together', async (given) => {
      const { store, options } = given
      const run = await runningRun(given, 'one')
      const left = [intent('i1', { kept: true })]
      await store.runs.finish(
        leaseOf(run),
        success({ points: [point('p1')], follow: [request('prune')] }),
        left,
        [{ id: 'e1', event: 'done' }],
        options,
      )
      const { worker, leaseUntil, ...rest } = run
      assert.deepEqual(await getRun(given, 'one'), { ...rest, state: 'succeeded', result: { point: 'p1' }, intents: left })
      assert.equal((await getRun(given, 'prune')).state, 'queued')
      assert.deepEqual(await store.outbox.take(1, 5, options), [{ id: 'e1', event: 'done' }])
      const { points } = await store.points.catalog(repository, workload, options)
      assert.deepEqual(points, [{ ...point('p1'), condemned: false, flags: {} }])
    })
    test('reads and target are free afterwards, and the catalog version has grown', async (given) => {
      const { store, options } = given
      await commitPoints(given, [point('p1')])
      const run = await runningRun(given, 'one')
      await store.runs.save(leaseOf(run), { target: manifest('p2'), reads: [manifest('p1')] }, options)
      const before = await store.points.catalog(repository, workload, options)
      const order = (refs: readonly { readonly folder: string }[]) => refs.map((ref) => ref.folder).sort()
      assert.deepEqual(order(before.inUse), ['p1', 'p2'])
      await store.runs.finish(leaseOf(run), { state: 'failed', error: 'no' }, [], [], options)
      const after = await store.points.catalog(repository, workload, options)
      assert.deepEqual(after.inUse, [])
      assert.ok(after.version > before.version)
      const { target, reads } = await getRun(given, 'one')
      assert.deepEqual({ target, reads }, { target: undefined, reads: [] })
    })
    test('back to the queue with a failure: counted, delayed, taken again with the next attempt', async (given) => {
      const { store, options } = given
      const run = await runningRun(given, 'one')
      await store.runs.save(leaseOf(run), { target: manifest('p1') }, options)
      const left = [intent('i1', { until: 10 })]
      await store.runs.finish(leaseOf(run), { state: 'queued', delay: 5000, failure: true, error: { code: 'STALLED' } }, left, [], options)
      const queued = await getRun(given, 'one')
      assert.deepEqual(
        [queued.state, queued.attempt, queued.failures, queued.worker, queued.leaseUntil],
        ['queued', 1, 1, undefined, undefined],
      )
      assert.deepEqual([queued.target, queued.intents, queued.error], [undefined, left, { code: 'STALLED' }])
      assert.deepEqual(await takeAll(given), [])
      await given.advance(5001)
      const [again] = await takeAll(given)
      assert.deepEqual([again?.attempt, again?.failures], [2, 1])
    })
    test('a graceful release costs nothing', async (given) => {
      const run = await runningRun(given, 'one')
      await given.store.runs.finish(leaseOf(run), { state: 'queued', delay: 0, failure: false }, [], [], given.options)
      const [again] = await takeAll(given)
      assert.deepEqual([again?.attempt, again?.failures], [2, 0])
    })
    test('the store never fails a run by itself: failures may pass maxFailures', async (given) => {
      await given.store.runs.create([request('one', { maxFailures: 1 })], given.options)
      for (let attempt = 1; attempt <= 4; attempt++) {
        const [run] = await takeAll(given)
        assert.deepEqual([run?.state, run?.attempt, run?.failures], ['running', attempt, attempt - 1])
        await given.advance(leaseMs + 1)
      }
    })
    for (const state of ['failed', 'cancelled'] as const) {
      test(`${state}: the error is kept, and the intents that are still open`, async (given) => {
        const run = await runningRun(given, 'one')
        await given.store.runs.finish(leaseOf(run), { state, error: { code: 'X' } }, [intent('i1')], [], given.options)
        const { worker, leaseUntil, ...rest } = run
        assert.deepEqual(await getRun(given, 'one'), { ...rest, state, error: { code: 'X' }, intents: [intent('i1')] })
      })
    }
    test('a second finish of the same attempt is refused and adds nothing', async (given) => {
      const run = await runningRun(given, 'one')
      await given.store.runs.finish(leaseOf(run), success(), [], [], given.options)
      const again = given.store.runs.finish(leaseOf(run), success({ follow: [request('more')] }), [], [], given.options)
      await rejectsWith('STALE_LEASE', again)
      assert.equal(await given.store.runs.get('more', given.options), undefined)
    })
    test('finish is one transaction: a following run that cannot be leaves nothing of it', async (given) => {
      const { store, options } = given
      const run = await runningRun(given, 'one')
      const before = await versionOf(given)
      const follow = [request('fine'), request('greedy', { resources: [{ name: 'host:a', units: 2, capacity: 1 }] })]
      await rejectsWith(
        'INVALID_OPTIONS',
        store.runs.finish(leaseOf(run), success({ points: [point('p1')], follow }), [], [{ id: 'e1', event: 1 }], options),
      )
      assert.deepEqual(await getRun(given, 'one'), run)
      assert.equal(await store.runs.get('fine', options), undefined)
      assert.deepEqual(await store.outbox.take(1, 5, options), [])
      const { points, version } = await store.points.catalog(repository, workload, options)
      assert.deepEqual([points, version], [[], before])
    })
    test('following runs obey overlap and the unique key', async (given) => {
      const overlap = { key: 'prune', policy: 'skip' } as const
      const follow = [request('prune-1', { overlap }), request('prune-2', { overlap }), request('prune-1')]
      await given.store.runs.finish(leaseOf(await runningRun(given, 'one')), success({ follow }), [], [], given.options)
      const runs = await collect(given.store.runs.list({}, given.options))
      assert.deepEqual(
        runs.map((run) => [run.key, run.state]),
        [
          ['one', 'succeeded'],
          ['prune-1', 'queued'],
          ['prune-2', 'skipped'],
        ],
      )
    })
    test('a condemned point stays condemned when a run finishes with it', async (given) => {
      await commitPoints(given, [point('p1')])
      await condemnPoints(given, [manifest('p1')])
      await commitPoints(given, [point('p1', { summary: 'again' })], 'adopts')
      const { points } = await given.store.points.catalog(repository, workload, given.options)
      assert.deepEqual(
        points.map(({ condemned, summary }) => [condemned, summary]),
        [[true, point('p1').summary]],
      )
    })
  })
  intentTests(options)
  cancelTests(options)
  listTests(options)
}

function intentTests(options: StoreContractOptions): void {
  const test = storeTestCase(options)
  options.describe('store: what is still to undo', () => {
    test('undone removes the named intents, whatever the state of the run, and may be repeated', async (given) => {
      const { store, options } = given
      const run = await runningRun(given, 'one')
      await store.runs.save(leaseOf(run), { intents: [intent('i1'), intent('i2'), intent('i3')] }, options)
      await store.runs.undone(run.id, ['i1'], options)
      assert.deepEqual((await getRun(given, 'one')).intents, [intent('i2'), intent('i3')])
      await store.runs.finish(leaseOf(run), { state: 'failed', error: null }, [intent('i2'), intent('i3')], [], options)
      await store.runs.undone(run.id, ['i1', 'i3'], options)
      await store.runs.undone(run.id, ['i1', 'i3'], options)
      assert.deepEqual((await getRun(given, 'one')).intents, [intent('i2')])
      await store.runs.undone('nobody', ['i1'], options)
    })
    test('an intent with until stays until then', async (given) => {
      const { store, options } = given
      const { now } = await store.plans.due(1, options)
      const run = await runningRun(given, 'one')
      const lost = intent('i1', { until: now + 10_000 })
      await store.runs.finish(leaseOf(run), { state: 'failed', error: null }, [lost], [], options)
      await store.runs.undone(run.id, ['i1'], options)
      assert.deepEqual((await getRun(given, 'one')).intents, [lost])
      await given.advance(10_001)
      assert.deepEqual((await getRun(given, 'one')).intents, [lost])
      await store.runs.undone(run.id, ['i1'], options)
      assert.deepEqual((await getRun(given, 'one')).intents, [])
    })
    test('withIntents lists the runs that have something to undo', async (given) => {
      const { store, options } = given
      const run = await runningRun(given, 'one')
      await runningRun(given, 'two')
      await store.runs.finish(leaseOf(run), { state: 'succeeded', result: null, points: [], follow: [] }, [intent('i1')], [], options)
      const listed = () => collect(store.runs.list({ withIntents: true }, options))
      assert.deepEqual(keysOf(await listed()), ['one'])
      await store.runs.undone(run.id, ['i1'], options)
      assert.deepEqual(await listed(), [])
    })
  })
}

function cancelTests(options: StoreContractOptions): void {
  const test = storeTestCase(options)
  options.describe('store: cancelling runs', () => {
    test('a run that never ran is cancelled at once', async (given) => {
      const [created] = await given.store.runs.create([request('one')], given.options)
      const cancel = () => given.store.runs.cancel(created?.run.id ?? '', 'not wanted', given.options)
      assert.equal(await cancel(), 'cancelled')
      const run = await getRun(given, 'one')
      assert.deepEqual([run.state, run.cancelReason], ['cancelled', 'not wanted'])
      assert.equal(await cancel(), 'final')
      assert.deepEqual(await takeAll(given), [])
    })
    test('a running run is told at its next renewal, with the first reason', async (given) => {
      const run = await runningRun(given, 'one')
      assert.equal(await given.store.runs.cancel(run.id, 'first', given.options), 'requested')
      assert.equal(await given.store.runs.cancel(run.id, 'second', given.options), 'requested')
      assert.equal((await getRun(given, 'one')).state, 'running')
      assert.equal((await given.store.runs.renew(leaseOf(run), leaseMs, null, given.options)).cancel, 'first')
    })
    test('a run that waits for its next attempt is settled first, and soon', async (given) => {
      const run = await runningRun(given, 'one')
      await given.store.runs.finish(leaseOf(run), { state: 'queued', delay: 1_000_000, failure: true }, [], [], given.options)
      assert.equal(await given.store.runs.cancel(run.id, 'not wanted', given.options), 'requested')
      const [taken] = await takeAll(given)
      assert.deepEqual([taken?.attempt, taken?.cancelReason], [2, 'not wanted'])
    })
    test('final and unknown runs are told apart', async (given) => {
      const run = await runningRun(given, 'one')
      await given.store.runs.finish(leaseOf(run), { state: 'failed', error: null }, [], [], given.options)
      const before = await getRun(given, 'one')
      assert.equal(await given.store.runs.cancel(run.id, 'late', given.options), 'final')
      assert.equal(await given.store.runs.cancel('nobody', 'late', given.options), 'unknown')
      assert.deepEqual(await getRun(given, 'one'), before)
    })
  })
}

function listTests(options: StoreContractOptions): void {
  const test = storeTestCase(options)
  options.describe('store: listing runs', () => {
    test('filters are all met; runs come in the order of their creation', async (given) => {
      const { store, options } = given
      await runningRun(given, 'a', { planId: 'nightly', workload: 'docker/a' })
      await store.runs.create(
        [request('b', { planId: 'nightly', workload: 'docker/b' }), request('c', { planId: 'weekly', workload: 'docker/a' }), request('d')],
        options,
      )
      const listed = async (filter: Parameters<typeof store.runs.list>[0]) => keysOf(await collect(store.runs.list(filter, options)))
      assert.deepEqual(await listed({}), ['a', 'b', 'c', 'd'])
      assert.deepEqual(await listed({ planId: 'nightly' }), ['a', 'b'])
      assert.deepEqual(await listed({ workload: 'docker/a' }), ['a', 'c'])
      assert.deepEqual(await listed({ states: ['queued'] }), ['b', 'c', 'd'])
      assert.deepEqual(await listed({ states: ['queued', 'running'], planId: 'nightly', workload: 'docker/a' }), ['a'])
      assert.deepEqual(await listed({ states: [] }), [])
      assert.deepEqual(await listed({ withIntents: true }), [])
    })
    test('many runs are listed once each', async ({ store, options }) => {
      const keys = Array.from({ length: 250 }, (_, index) => `run-${index}`)
      await store.runs.create(
        keys.map((key) => request(key)),
        options,
      )
      assert.deepEqual(keysOf(await collect(store.runs.list({}, options))), keys)
      assert.deepEqual(keysOf(await collect(store.runs.list({ order: 'newest-first' }, options))), keys.toReversed())
    })
  })
}
