import assert from 'node:assert/strict'
import type { Lease } from '@holdfast/core/spec'
import {
  collect,
  commitPoints,
  condemnPoints,
  getRun,
  intent,
  leaseMs,
  leaseOf,
  manifest,
  point,
  rejectsWith,
  repository,
  runningRun,
  type StoreContractOptions,
  type StoreTest,
  storeTestCase,
  takeAll,
  versionOf,
  workload,
} from './store-handle.ts'

type LeaseCall = (given: StoreTest, lease: Lease) => Promise<unknown>

/** Every method that takes a lease. */
const leaseCalls: { readonly [name: string]: LeaseCall } = {
  renew: ({ store, options }, lease) => store.runs.renew(lease, leaseMs, 'late', options),
  save: ({ store, options }, lease) => store.runs.save(lease, { intents: [intent('late')] }, options),
  finish: ({ store, options }, lease) =>
    store.runs.finish(
      lease,
      { state: 'succeeded', result: 'late', points: [point('late')], follow: [] },
      [],
      [{ id: 'late', event: 1 }],
      options,
    ),
  sync: ({ store, options }, lease) => store.points.sync(lease, repository, workload, 0, [{ ...point('late'), flags: {} }], [], options),
  condemn: ({ store, options }, lease) => store.points.condemn(lease, repository, workload, 0, [], options),
  forget: ({ store, options }, lease) => store.points.forget(lease, [manifest('p1')], options),
  flag: ({ store, options }, lease) => store.points.flag(repository, 'p1', { pin: 'late' }, { ...options, lease }),
}

export function leaseGroup(options: StoreContractOptions): void {
  const test = storeTestCase(options)
  options.describe('store: the fence', () => {
    for (const [name, call] of Object.entries(leaseCalls)) {
      test(`${name} is refused once another attempt has the run`, async (given) => {
        const lost = leaseOf(await runningRun(given, 'one'))
        await given.advance(leaseMs + 1)
        await takeAll(given)
        const before = await getRun(given, 'one')
        await rejectsWith('STALE_LEASE', call(given, lost))
        assert.deepEqual(await getRun(given, 'one'), before)
        assert.deepEqual((await given.store.points.catalog(repository, workload, given.options)).points, [])
        assert.deepEqual(await given.store.outbox.take(1, 5, given.options), [])
      })
      test(`${name} is refused when the run is final, queued, of a later attempt or unknown`, async (given) => {
        const final = leaseOf(await runningRun(given, 'final'))
        await given.store.runs.finish(final, { state: 'failed', error: null }, [], [], given.options)
        const queued = leaseOf(await runningRun(given, 'queued'))
        await given.store.runs.finish(queued, { state: 'queued', delay: 0, failure: false }, [], [], given.options)
        const running = leaseOf(await runningRun(given, 'running'))
        const wrong = [final, queued, { ...running, attempt: 2 }, { runId: 'nobody', attempt: 1 }]
        for (const lease of wrong) await rejectsWith('STALE_LEASE', call(given, lease))
      })
    }
    test('a lease that has ended is good until somebody takes the run over', async (given) => {
      const run = await runningRun(given, 'one')
      await given.advance(leaseMs * 2)
      await given.store.runs.save(leaseOf(run), { intents: [intent('i1')] }, given.options)
      await given.store.runs.renew(leaseOf(run), leaseMs, null, given.options)
      assert.deepEqual(await takeAll(given), [])
    })
  })
  renewAndSaveTests(options)
  refusalTests(options)
}

function renewAndSaveTests(options: StoreContractOptions): void {
  const test = storeTestCase(options)
  options.describe('store: renew and save', () => {
    test('renew prolongs the lease from now and keeps the progress', async (given) => {
      const run = await runningRun(given, 'one')
      await given.advance(1000)
      const { leaseUntil, ...rest } = await given.store.runs.renew(leaseOf(run), leaseMs, { fraction: 0.25 }, given.options)
      assert.ok(leaseUntil >= (run.leaseUntil ?? 0) + 1000)
      assert.deepEqual(rest, {})
      assert.deepEqual(await getRun(given, 'one'), { ...run, leaseUntil, progress: { fraction: 0.25 } })
    })
    test('save replaces the given fields and no others', async (given) => {
      await commitPoints(given, [point('p1'), point('p2')])
      const run = await runningRun(given, 'one')
      const save = (patch: Parameters<typeof given.store.runs.save>[1]) => given.store.runs.save(leaseOf(run), patch, given.options)
      await save({ target: manifest('p3'), reads: [manifest('p1')], intents: [intent('i1', { until: 5 }), intent('i2', { kept: true })] })
      const full = await getRun(given, 'one')
      assert.deepEqual(full, {
        ...run,
        target: manifest('p3'),
        reads: [manifest('p1')],
        intents: [intent('i1', { until: 5 }), intent('i2', { kept: true })],
      })
      await save({ reads: [manifest('p2')] })
      assert.deepEqual(await getRun(given, 'one'), { ...full, reads: [manifest('p2')] })
      await save({ target: null, intents: [] })
      const { target, ...withoutTarget } = full
      assert.deepEqual(await getRun(given, 'one'), { ...withoutTarget, reads: [manifest('p2')], intents: [] })
    })
    test('new reads, a new target and their end raise the catalog version; intents do not', async (given) => {
      await commitPoints(given, [point('p1')])
      const run = await runningRun(given, 'one')
      const save = (patch: Parameters<typeof given.store.runs.save>[1]) => given.store.runs.save(leaseOf(run), patch, given.options)
      let last = await versionOf(given)
      for (const patch of [{ reads: [manifest('p1')] }, { target: manifest('p2') }, { reads: [] }, { target: null }]) {
        await save(patch)
        const version = await versionOf(given)
        assert.ok(version > last, `${JSON.stringify(patch)} raises the version`)
        last = version
      }
      await save({ intents: [intent('i1')] })
      assert.equal(await versionOf(given), last)
    })
    test('reads of another workload raise the version of the workload they belong to', async (given) => {
      await commitPoints(given, [point('p1')])
      const before = await versionOf(given)
      const run = await runningRun(given, 'restore', { workload: 'docker/elsewhere' })
      await given.store.runs.save(leaseOf(run), { reads: [manifest('p1')] }, given.options)
      assert.ok((await versionOf(given)) > before)
    })
  })
}

function refusalTests(options: StoreContractOptions): void {
  const test = storeTestCase(options)
  options.describe('store: what save refuses', () => {
    test('reads that are condemned or unknown, with the rest of the patch', async (given) => {
      await commitPoints(given, [point('p1'), point('p2')])
      await condemnPoints(given, [manifest('p2')])
      const run = await runningRun(given, 'one')
      for (const read of [manifest('p2'), manifest('p9'), manifest('p1', 2)]) {
        const patch = { target: manifest('p5'), reads: [manifest('p1'), read], intents: [intent('i1')] }
        await rejectsWith('POINT_CONDEMNED', given.store.runs.save(leaseOf(run), patch, given.options))
      }
      assert.deepEqual(await getRun(given, 'one'), run)
    })
    test('a condemned number as target', async (given) => {
      await commitPoints(given, [point('p1')])
      await condemnPoints(given, [manifest('p1')])
      const run = await runningRun(given, 'one')
      await rejectsWith('POINT_CONDEMNED', given.store.runs.save(leaseOf(run), { target: manifest('p1') }, given.options))
      await given.store.runs.save(leaseOf(run), { target: manifest('p1', 2) }, given.options)
    })
    test('the target of another unfinished run, until that run is done with it', async (given) => {
      const { store, options } = given
      const [first, second] = [await runningRun(given, 'one'), await runningRun(given, 'two')]
      const patch = { target: manifest('p1') }
      await store.runs.save(leaseOf(first), patch, options)
      await store.runs.save(leaseOf(first), patch, options)
      await rejectsWith('NUMBER_TAKEN', store.runs.save(leaseOf(second), patch, options))
      await store.runs.save(leaseOf(second), { target: manifest('p1', 2) }, options)
      await store.runs.finish(leaseOf(first), { state: 'failed', error: null }, [], [], options)
      await store.runs.save(leaseOf(second), patch, options)
    })
    test('many runs that want one number: one gets it', async (given) => {
      const runs = []
      for (let index = 0; index < 6; index++) runs.push(await runningRun(given, `run-${index}`))
      const save = async (lease: Lease): Promise<number> =>
        given.store.runs.save(lease, { target: manifest('p1') }, given.options).then(
          () => 1,
          () => 0,
        )
      const won: number[] = await Promise.all(runs.map(leaseOf).map(save))
      assert.equal(
        won.reduce((sum, one) => sum + one, 0),
        1,
      )
      const holders = (await collect(given.store.runs.list({}, given.options))).filter((run) => run.target !== undefined)
      assert.equal(holders.length, 1)
    })
  })
}
