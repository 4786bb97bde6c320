import assert from 'node:assert/strict'
import type { RunRequest } from '@holdfast/core/spec'
import {
  collect,
  getRun,
  keysOf,
  leaseOf,
  rejectsWith,
  request,
  runningRun,
  type StoreContractOptions,
  storeTestCase,
} from './store-handle.ts'

const difficultJson = { text: 'Zürich "quoted" \\ \n 日本 𝄞', list: [1, -2.5, true, null, []], deep: { a: { b: {} } }, large: 2 ** 53 - 1 }

export function createGroup(options: StoreContractOptions): void {
  const test = storeTestCase(options)
  const overlapping = (key: string, policy: 'skip' | 'queue-one'): RunRequest => request(key, { overlap: { key: 'shop', policy } })
  options.describe('store: creating runs', () => {
    test('a new run is queued with everything that was asked', async ({ store, options }) => {
      const asked = request('full', {
        planId: 'nightly',
        workload: 'docker/shop',
        dueAt: 1000,
        delay: 500,
        priority: 7,
        maxFailures: 2,
        needs: ['provider:docker', 'repository:main'],
        resources: [{ name: 'repository:main', units: 1, capacity: 4 }],
        overlap: { key: 'shop', policy: 'skip' },
        input: difficultJson,
      })
      const [created] = await store.runs.create([asked], options)
      assert.equal(created?.created, true)
      const { id, ...run } = created?.run ?? { id: '' }
      assert.match(id, /^[a-z0-9]+$/)
      assert.deepEqual(run, { ...asked, notBefore: 1500, state: 'queued', attempt: 0, failures: 0, reads: [], intents: [] })
    })
    test('get finds a run by id and by key, and nothing else', async ({ store, options }) => {
      const [created] = await store.runs.create([request('one')], options)
      assert.deepEqual(await store.runs.get('one', options), created?.run)
      assert.deepEqual(await store.runs.get(created?.run.id ?? '', options), created?.run)
      assert.equal(await store.runs.get('two', options), undefined)
    })
    test('without dueAt a run is due now, on the store clock', async ({ store, advance, options }) => {
      const { now } = await store.plans.due(1, options)
      await advance(5000)
      const [created] = await store.runs.create([request('one', { delay: 30 })], options)
      assert.ok((created?.run.dueAt ?? 0) >= now + 5000)
      assert.equal(created?.run.notBefore, (created?.run.dueAt ?? 0) + 30)
    })
    test('the same key returns the first run, whatever is asked', async ({ store, options }) => {
      const [first] = await store.runs.create([request('one')], options)
      const [again] = await store.runs.create([request('one', { operation: 'restore', input: 'other' })], options)
      assert.deepEqual(again, { run: first?.run, created: false })
    })
    test('the same key twice in one call is one run', async ({ store, options }) => {
      const answers = await store.runs.create([request('one', { input: 1 }), request('two'), request('one', { input: 2 })], options)
      assert.deepEqual(
        answers.map((answer) => answer.created),
        [true, true, false],
      )
      assert.equal(answers[2]?.run.id, answers[0]?.run.id)
      assert.equal(answers[2]?.run.input, 1)
    })
    test('the same key returns the first run when it is final too', async (given) => {
      const run = await runningRun(given, 'one')
      await given.store.runs.finish(leaseOf(run), { state: 'failed', error: 'no' }, [], [], given.options)
      const [again] = await given.store.runs.create([request('one')], given.options)
      assert.deepEqual([again?.created, again?.run.state], [false, 'failed'])
    })
    test('many callers with one key: one run', async ({ store, options }) => {
      const answers = await Promise.all(Array.from({ length: 8 }, () => store.runs.create([request('one')], options)))
      assert.equal(answers.flat().filter((answer) => answer.created).length, 1)
      assert.equal(new Set(answers.flat().map((answer) => answer.run.id)).size, 1)
    })
    test('a request for more than a resource has is refused, and the others of the call with it', async ({ store, options }) => {
      const resources = [{ name: 'host:a', units: 3, capacity: 2 }]
      await rejectsWith('INVALID_OPTIONS', store.runs.create([request('fine'), request('greedy', { resources })], options))
      assert.equal(await store.runs.get('fine', options), undefined)
    })
    test('what a caller does to its request afterwards changes nothing', async (given) => {
      const input = { list: ['a'] }
      await given.store.runs.create([request('one', { input })], given.options)
      input.list.push('b')
      assert.deepEqual((await getRun(given, 'one')).input, { list: ['a'] })
    })
  })
  options.describe('store: overlap', () => {
    test("'skip': while a run with the key is queued or running, another is written as skipped", async (given) => {
      const { store, options } = given
      await store.runs.create([overlapping('one', 'skip')], options)
      const [second] = await store.runs.create([overlapping('two', 'skip')], options)
      assert.deepEqual([second?.created, second?.run.state], [true, 'skipped'])
      const [running] = await store.runs.take({ id: 'worker', offers: [] }, 1000, 5, options)
      assert.equal(running?.key, 'one')
      const [third] = await store.runs.create([overlapping('three', 'skip')], options)
      assert.equal(third?.run.state, 'skipped')
      assert.deepEqual(keysOf(await collect(store.runs.list({ states: ['skipped'] }, options))), ['two', 'three'])
      assert.equal((await store.runs.create([overlapping('two', 'skip')], options))[0]?.run.state, 'skipped')
    })
    test("'skip': once the other is final, a run is queued; other keys never matter", async (given) => {
      const { store, options } = given
      const run = await runningRun(given, 'one', { overlap: { key: 'shop', policy: 'skip' } })
      const [other] = await store.runs.create([request('other', { overlap: { key: 'else', policy: 'skip' } })], options)
      assert.equal(other?.run.state, 'queued')
      await store.runs.finish(leaseOf(run), { state: 'cancelled', error: null }, [], [], options)
      const [next] = await store.runs.create([overlapping('two', 'skip')], options)
      assert.equal(next?.run.state, 'queued')
    })
    test("'queue-one': beside a running run one more is queued, the next is skipped", async (given) => {
      const { store, options } = given
      await runningRun(given, 'one', { overlap: { key: 'shop', policy: 'queue-one' } })
      const [second, third] = await store.runs.create([overlapping('two', 'queue-one'), overlapping('three', 'queue-one')], options)
      assert.deepEqual([second?.run.state, third?.run.state], ['queued', 'skipped'])
    })
  })
}
