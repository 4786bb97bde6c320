import assert from 'node:assert/strict'
import type { NodeReport, Replication } from '@holdfast/core/spec'
import { collect, type StoreContractOptions, type StoreTest, storeTestCase } from './store-handle.ts'

const report = (node: string, patch: Partial<NodeReport> = {}): NodeReport => ({
  node,
  state: 'OK',
  version: '1.0.0',
  checks: [],
  ...patch,
})
const replication = (epoch: number, patch: Partial<Replication> = {}): Replication => ({
  id: 'web',
  epoch,
  state: 'healthy',
  data: { replica: 'vm-7' },
  ...patch,
})

/** Nodes, replications, notifications. */
export function recordsGroup(options: StoreContractOptions): void {
  nodeTests(options)
  replicationTests(options)
  outboxTests(options)
}

function nodeTests(options: StoreContractOptions): void {
  const test = storeTestCase(options)
  options.describe('store: nodes', () => {
    test('report answers with the time of the report before', async ({ store, advance, options }) => {
      const first = await store.nodes.report(report('a'), options)
      assert.equal(first.previous, undefined)
      await store.nodes.report(report('b'), options)
      await advance(3000)
      const second = await store.nodes.report(report('a'), options)
      assert.equal(second.previous, first.now)
      assert.ok(second.now >= first.now + 3000)
    })
    test('list gives the last report of each node with its time and age, by name', async ({ store, advance, options }) => {
      const { now: atOfA } = await store.nodes.report(
        report('a', { state: 'Error', hostName: 'backup1', checks: [{ name: 'disk' }] }),
        options,
      )
      await store.nodes.report(report('b'), options)
      await advance(2000)
      const { now: atOfB } = await store.nodes.report(report('b', { state: 'Warning', version: '1.1.0' }), options)
      const nodes = await store.nodes.list(options)
      const withoutAge = nodes.map(({ age, ...rest }) => rest)
      assert.deepEqual(withoutAge, [
        { ...report('a', { state: 'Error', hostName: 'backup1', checks: [{ name: 'disk' }] }), at: atOfA },
        { ...report('b', { state: 'Warning', version: '1.1.0' }), at: atOfB },
      ])
      assert.ok((nodes[0]?.age ?? 0) >= 2000 && (nodes[1]?.age ?? -1) >= 0 && (nodes[1]?.age ?? 9999) < 2000)
    })
    test('history gives all reports of one node since a time, in their order', async ({ store, advance, options }) => {
      const times = []
      for (const version of ['1', '2', '3']) {
        times.push((await store.nodes.report(report('a', { version }), options)).now)
        await store.nodes.report(report('b'), options)
        await advance(1000)
      }
      const history = await collect(store.nodes.history('a', times[1] ?? 0, options))
      assert.deepEqual(history, [
        { ...report('a', { version: '2' }), at: times[1] },
        { ...report('a', { version: '3' }), at: times[2] },
      ])
    })
    test('report drops what any node reported more than 7 days ago, and nothing younger', async ({ store, advance, options }) => {
      const day = 86_400_000
      await store.nodes.report(report('gone'), options)
      const first = await store.nodes.report(report('a', { version: '1' }), options)
      await advance(6 * day)
      const second = await store.nodes.report(report('a', { version: '2' }), options)
      await advance(day)
      assert.equal((await store.nodes.list(options)).length, 2)
      await advance(1000)
      const third = await store.nodes.report(report('a', { version: '3' }), options)
      assert.deepEqual([second.previous, third.previous], [first.now, second.now])
      assert.deepEqual(
        (await store.nodes.list(options)).map(({ node }) => node),
        ['a'],
      )
      assert.deepEqual(await collect(store.nodes.history('gone', 0, options)), [])
      const history = await collect(store.nodes.history('a', 0, options))
      assert.deepEqual(
        history.map(({ version }) => version),
        ['2', '3'],
      )
    })
    test('report answers with the time of the report before, also when that is dropped by it', async ({ store, advance, options }) => {
      const first = await store.nodes.report(report('a'), options)
      await advance(8 * 86_400_000)
      assert.equal((await store.nodes.report(report('a'), options)).previous, first.now)
      assert.equal((await collect(store.nodes.history('a', 0, options))).length, 1)
    })
  })
}

function replicationTests(options: StoreContractOptions): void {
  const test = storeTestCase(options)
  const put = ({ store, options }: StoreTest, value: Replication, ids: readonly string[] = []): Promise<boolean> =>
    store.replications.put(
      value,
      ids.map((id) => ({ id, replicationId: value.id, event: { note: id } })),
      ids.map((id) => ({ id, event: id })),
      options,
    )
  options.describe('store: replications', () => {
    test('put stores epoch + 1 if the stored epoch is the given one (0: new)', async (given) => {
      const { store, options } = given
      assert.equal(await put(given, replication(1)), false)
      assert.equal(await store.replications.get('web', options), undefined)
      assert.equal(await put(given, replication(0)), true)
      assert.deepEqual(await store.replications.get('web', options), replication(1))
      assert.equal(await put(given, replication(0, { state: 'late' }), ['e1']), false)
      assert.equal(await put(given, replication(1, { state: 'suspended' })), true)
      assert.deepEqual(await store.replications.get('web', options), replication(2, { state: 'suspended' }))
      assert.deepEqual(await collect(store.replications.timeline('web', options)), [])
      assert.deepEqual(await store.outbox.take(1, 5, options), [])
    })
    test('two changes of the same epoch: one wins', async (given) => {
      const answers = await Promise.all(['a', 'b', 'c', 'd'].map((state) => put(given, replication(0, { state }), [state])))
      assert.equal(answers.filter(Boolean).length, 1)
      assert.equal((await collect(given.store.replications.timeline('web', given.options))).length, 1)
    })
    test('timeline and notifications are written with it, an id only once', async (given) => {
      const { store, options } = given
      const { now } = await store.plans.due(1, options)
      await put(given, replication(0), ['e1', 'e2'])
      await put(given, replication(1), ['e2', 'e3'])
      await put(given, replication(0, { id: 'database' }), ['e4'])
      const timeline = await collect(store.replications.timeline('web', options))
      assert.deepEqual(
        timeline.map(({ id, replicationId, epoch, event }) => [id, replicationId, epoch, event]),
        [
          ['e1', 'web', 1, { note: 'e1' }],
          ['e2', 'web', 1, { note: 'e2' }],
          ['e3', 'web', 2, { note: 'e3' }],
        ],
      )
      assert.ok(timeline.every((entry) => entry.at >= now))
      assert.deepEqual(
        (await store.outbox.take(1, 9, options)).map((event) => event.id),
        ['e1', 'e2', 'e3', 'e4'],
      )
      assert.deepEqual((await collect(store.replications.list(options))).map((value) => value.id).sort(), ['database', 'web'])
    })
  })
}

function outboxTests(options: StoreContractOptions): void {
  const test = storeTestCase(options)
  const events = (...ids: string[]) => ids.map((id) => ({ id, event: { text: id } }))
  options.describe('store: notifications', () => {
    test('take gives the oldest first, up to the limit, and hides them for a while', async ({ store, advance, options }) => {
      await store.outbox.add(events('a', 'b', 'c'), options)
      assert.deepEqual(await store.outbox.take(1000, 2, options), events('a', 'b'))
      assert.deepEqual(await store.outbox.take(1000, 5, options), events('c'))
      assert.deepEqual(await store.outbox.take(1000, 5, options), [])
      await advance(1001)
      assert.deepEqual(await store.outbox.take(1000, 5, options), events('a', 'b', 'c'))
      assert.deepEqual(await store.outbox.take(1000, 0, options), [])
    })
    test('what is done is not given again; done may be repeated', async ({ store, advance, options }) => {
      await store.outbox.add(events('a', 'b'), options)
      await store.outbox.take(1000, 5, options)
      await store.outbox.done(['a', 'nothing'], options)
      await store.outbox.done(['a'], options)
      await advance(1001)
      assert.deepEqual(await store.outbox.take(1000, 5, options), events('b'))
    })
    test('an id is kept once, also when it was delivered', async ({ store, options }) => {
      await store.outbox.add(events('a'), options)
      await store.outbox.add([{ id: 'a', event: 'again' }, ...events('b')], options)
      assert.deepEqual(await store.outbox.take(0, 5, options), events('a', 'b'))
      await store.outbox.done(['a', 'b'], options)
      await store.outbox.add(events('a', 'b'), options)
      assert.deepEqual(await store.outbox.take(0, 5, options), [])
    })
  })
}
