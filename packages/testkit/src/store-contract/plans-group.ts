import assert from 'node:assert/strict'
import type { Cursor } from '@holdfast/core/spec'
import { collect, request, type StoreContractOptions, type StoreTest, storeTestCase } from './store-handle.ts'

const cursor = (schedule: string, due: number | null): Cursor => ({ planId: 'nightly', schedule, due })

async function putPlan({ store, options }: StoreTest, cursors: readonly Cursor[], revision = 0): Promise<void> {
  assert.equal(await store.plans.put({ id: 'nightly', revision, plan: { kind: 'backup' } }, cursors, options), true)
}
const timeOf = async ({ store, options }: StoreTest): Promise<number> => (await store.plans.due(1, options)).now
const dueOf = async ({ store, options }: StoreTest, limit = 10): Promise<readonly Cursor[]> =>
  (await store.plans.due(limit, options)).cursors

export function plansGroup(options: StoreContractOptions): void {
  const test = storeTestCase(options)
  options.describe('store: plans', () => {
    test('a new plan is put with revision 0 and then has revision 1', async (given) => {
      await putPlan(given, [])
      assert.deepEqual(await given.store.plans.get('nightly', given.options), { id: 'nightly', revision: 1, plan: { kind: 'backup' } })
      assert.equal(await given.store.plans.get('weekly', given.options), undefined)
    })
    test('put does nothing and answers false unless the revision is the stored one', async (given) => {
      const { store, options } = given
      const put = (revision: number, plan: string) => store.plans.put({ id: 'nightly', revision, plan }, [cursor('b', 5)], options)
      assert.equal(await put(3, 'new with a revision'), false)
      await putPlan(given, [cursor('a', 1)])
      assert.equal(await put(0, 'new again'), false)
      assert.equal(await put(2, 'ahead'), false)
      assert.deepEqual((await store.plans.get('nightly', options))?.plan, { kind: 'backup' })
      assert.deepEqual(await dueOf(given), [cursor('a', 1)])
      assert.equal(await put(1, 'right'), true)
      assert.deepEqual(await store.plans.get('nightly', options), { id: 'nightly', revision: 2, plan: 'right' })
    })
    test('two changes of the same revision: one wins', async ({ store, options }) => {
      const put = (plan: number) => store.plans.put({ id: 'nightly', revision: 0, plan }, [], options)
      const answers = await Promise.all([1, 2, 3, 4].map(put))
      assert.equal(answers.filter(Boolean).length, 1)
    })
    test('schedules that remain keep their time, others go, new ones come', async (given) => {
      await putPlan(given, [cursor('kept', 100), cursor('ended', null), cursor('gone', 50)])
      await putPlan(given, [cursor('kept', 7), cursor('ended', 8), cursor('new', 9)], 1)
      assert.deepEqual(await dueOf(given), [cursor('new', 9), cursor('kept', 100)])
    })
    test('list gives every plan', async ({ store, options }) => {
      for (const id of ['b', 'a', 'c']) await store.plans.put({ id, revision: 0, plan: id }, [], options)
      const plans = await collect(store.plans.list(options))
      assert.deepEqual(plans.map((plan) => plan.id).sort(), ['a', 'b', 'c'])
      assert.ok(plans.every((plan) => plan.revision === 1))
    })
    test('remove takes the plan and its cursors, and may be repeated', async (given) => {
      const { store, options } = given
      await putPlan(given, [cursor('a', 1)])
      assert.equal(await store.plans.remove('nightly', options), true)
      assert.equal(await store.plans.remove('nightly', options), false)
      assert.equal(await store.plans.get('nightly', options), undefined)
      assert.deepEqual(await dueOf(given), [])
      assert.equal(await store.plans.advance(cursor('a', 1), 2, [request('late')], options), false)
      assert.equal(await store.runs.get('late', options), undefined)
      await putPlan(given, [cursor('a', 3)])
      assert.deepEqual(await dueOf(given), [cursor('a', 3)])
    })
    test('remove takes only the revision that was named: what somebody has changed meanwhile stays', async (given) => {
      const { store, options } = given
      await putPlan(given, [cursor('a', 1)])
      await putPlan(given, [cursor('a', 1)], 1)
      assert.equal(await store.plans.remove('nightly', { ...options, revision: 1 }), false)
      assert.equal((await store.plans.get('nightly', options))?.revision, 2)
      assert.deepEqual(await dueOf(given), [cursor('a', 1)])
      assert.equal(await store.plans.remove('nightly', { ...options, revision: 2 }), true)
      assert.deepEqual(await dueOf(given), [])
    })
  })
  dueTests(options)
}

function dueTests(options: StoreContractOptions): void {
  const test = storeTestCase(options)
  options.describe('store: due times', () => {
    test('due gives what is due on the store clock, oldest first, up to the limit', async (given) => {
      const now = await timeOf(given)
      await putPlan(given, [cursor('later', now + 10_000), cursor('second', now - 10), cursor('first', now - 20), cursor('never', null)])
      assert.deepEqual(await dueOf(given), [cursor('first', now - 20), cursor('second', now - 10)])
      assert.deepEqual(await dueOf(given, 1), [cursor('first', now - 20)])
      await given.advance(10_000)
      assert.ok((await timeOf(given)) >= now + 10_000)
      assert.equal((await dueOf(given)).length, 3)
    })
    test('advance moves the cursor and creates the runs together', async (given) => {
      const { store, options } = given
      await putPlan(given, [cursor('a', 100)])
      assert.equal(await store.plans.advance(cursor('a', 100), 200, [request('one'), request('two')], options), true)
      assert.deepEqual(await dueOf(given), [cursor('a', 200)])
      assert.equal((await store.runs.get('one', options))?.state, 'queued')
      assert.equal((await store.runs.get('two', options))?.state, 'queued')
    })
    test('advance writes its notifications with the claim, and none when it does nothing', async (given) => {
      const { store, options } = given
      await putPlan(given, [cursor('a', 100)])
      const told = (id: string) => ({ ...options, events: [{ id, event: { text: id } }] })
      assert.equal(await store.plans.advance(cursor('a', 100), 200, [], told('first')), true)
      assert.equal(await store.plans.advance(cursor('a', 100), 300, [], told('second')), false)
      assert.deepEqual(
        (await store.outbox.take(1000, 10, options)).map(({ id }) => id),
        ['first'],
      )
    })
    test('advance from another time than the stored one does nothing', async (given) => {
      const { store, options } = given
      await putPlan(given, [cursor('a', 100)])
      assert.equal(await store.plans.advance(cursor('a', 90), 200, [request('early')], options), false)
      assert.equal(await store.plans.advance(cursor('b', 100), 200, [request('unknown')], options), false)
      assert.equal(await store.plans.advance(cursor('a', 100), 200, [], options), true)
      assert.equal(await store.plans.advance(cursor('a', 100), 300, [request('late')], options), false)
      assert.deepEqual(await dueOf(given), [cursor('a', 200)])
      for (const key of ['early', 'unknown', 'late']) assert.equal(await store.runs.get(key, options), undefined)
    })
    test('a cursor never moves back, nor stands still', async (given) => {
      const { store, options } = given
      await putPlan(given, [cursor('a', 100)])
      for (const next of [99, 100]) {
        await store.plans.advance(cursor('a', 100), next, [request(`to-${next}`)], options).catch(() => undefined)
        assert.equal(await store.runs.get(`to-${next}`, options), undefined)
      }
      assert.deepEqual(await dueOf(given), [cursor('a', 100)])
    })
    test('setBack moves a cursor back, also one that was at its end, and only from where it is', async (given) => {
      const { store, options } = given
      const [far, ended] = [cursor('far', 900), cursor('ended', null)]
      await putPlan(given, [far, ended])
      assert.equal(await store.plans.setBack(cursor('far', 800), 300, options), false)
      assert.equal(await store.plans.setBack(cursor('far', null), 300, options), false)
      assert.equal(await store.plans.setBack(cursor('ended', 900), 300, options), false)
      assert.equal(await store.plans.setBack(cursor('unknown', 900), 300, options), false)
      for (const due of [900, 901]) assert.equal(await store.plans.setBack(far, due, options), false)
      assert.deepEqual(await dueOf(given), [far])
      assert.equal(await store.plans.setBack(far, 300, options), true)
      assert.equal(await store.plans.setBack(ended, 400, options), true)
      assert.equal(await store.plans.advance(far, 1000, [request('late')], options), false)
      assert.deepEqual(await dueOf(given), [cursor('far', 300), cursor('ended', 400)])
    })
    test('cursors gives all of them, and the time', async (given) => {
      const now = await timeOf(given)
      const all = [cursor('a', 100), cursor('b', now + 10_000), cursor('c', null)]
      await putPlan(given, all)
      const found = await given.store.plans.cursors(given.options)
      assert.deepEqual(
        found.cursors.toSorted((left, right) => (left.schedule < right.schedule ? -1 : 1)),
        all,
      )
      assert.ok(found.now >= now)
    })
    test('null ends a schedule: it is never due and cannot be advanced', async (given) => {
      const { store, options } = given
      await putPlan(given, [cursor('a', 100)])
      assert.equal(await store.plans.advance(cursor('a', 100), null, [], options), true)
      assert.deepEqual(await dueOf(given), [])
      assert.equal(await store.plans.advance(cursor('a', null), 300, [request('more')], options), false)
      assert.equal(await store.runs.get('more', options), undefined)
    })
    test('a run that exists already is not created again by advance', async (given) => {
      const { store, options } = given
      const [first] = await store.runs.create([request('one', { input: 'by hand' })], options)
      await putPlan(given, [cursor('a', 100)])
      assert.equal(await store.plans.advance(cursor('a', 100), 200, [request('one')], options), true)
      assert.deepEqual(await store.runs.get('one', options), first?.run)
    })
  })
}
