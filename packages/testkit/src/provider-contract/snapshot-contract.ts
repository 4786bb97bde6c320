import assert from 'node:assert/strict'
import type { Snapshot, SnapshotAbility } from '@holdfast/core/spec'
import { jsonCopy } from '../memory-run-context.ts'
import { ensure, hasCode, newThings, onlyMarked } from './contract-checks.ts'
import { type ProviderFixture, type ProviderTests, refuseEachIntent, sameContent, undoByAnother } from './contract-fixture.ts'
import type { ContractRun } from './contract-run.ts'

const request = { name: 'contract', memory: false, quiesce: false } as const

/** Tests of an ability that a provider may do without. */
function ifAble(body: (fixture: ProviderFixture, snapshots: SnapshotAbility) => Promise<void>): ProviderTests[string] {
  return async (fixture) => {
    const { snapshots } = fixture.provider
    if (!snapshots) return assert.equal(snapshots, undefined) // the platform has none that people use
    await body(fixture, snapshots)
  }
}

async function taken(fixture: ProviderFixture, snapshots: SnapshotAbility, run: ContractRun): Promise<Snapshot> {
  const made = jsonCopy(await snapshots.create(fixture.workload, request, run.run))
  fixture.see(`snapshot "${made.id}"`, made)
  return made
}

/** The same, and its run is final. */
async function committed(fixture: ProviderFixture, snapshots: SnapshotAbility, run: string): Promise<Snapshot> {
  const of = fixture.newRun({ run })
  const made = await taken(fixture, snapshots, of)
  await of.undoOpen({ committed: true })
  return made
}

const listed = async ({ workload, signal }: ProviderFixture, snapshots: SnapshotAbility): Promise<readonly Snapshot[]> =>
  jsonCopy(await snapshots.list(workload, { signal }))
const idsOf = (all: readonly Snapshot[]): readonly string[] => all.map(({ id }) => id)

export const snapshotContract: ProviderTests = {
  'a snapshot carries the mark and stays when its run is final': ifAble(async (fixture, snapshots) => {
    const before = await fixture.things()
    const run = fixture.newRun()
    const made = await taken(fixture, snapshots, run)
    const now = await fixture.things()
    ensure(newThings(before, now).length > 0, 'no new thing is on the platform')
    onlyMarked(before, now, run.run.mark, 'by the snapshot')
    ensure(
      run.intents.some(({ kept }) => kept),
      'no intent was kept: the engine would remove the snapshot when its run ends',
    )
    await run.undoOpen({ committed: true })
    const found = (await listed(fixture, snapshots)).find(({ id }) => id === made.id)
    assert.deepEqual(found, made, 'the list shows another snapshot than the one that was made')
    assert.deepEqual(made.mark, run.run.mark, 'the snapshot does not show its mark')
    assert.equal(made.memory, false, 'a snapshot without memory says that it holds it')
    assert.match(made.createdAt, /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?Z$/, 'createdAt is not ISO 8601 UTC')
    await snapshots.remove(fixture.workload, made.id, { signal: fixture.signal })
    await fixture.sameAs(before, 'after the snapshot was removed')
  }),
  'a kept snapshot is no leftover': ifAble(async (fixture, snapshots) => {
    const made = await committed(fixture, snapshots, 'kept')
    for await (const { mark, kind } of fixture.provider.leftovers?.({ signal: fixture.signal }) ?? [])
      ensure(mark.run !== made.mark?.run, `"${kind}" calls the snapshot a leftover: it would be removed`)
    ensure(idsOf(await listed(fixture, snapshots)).includes(made.id), 'the snapshot is gone')
  }),
  'one whose run was lost is undone from its intents by another instance, twice': ifAble(async (fixture, snapshots) => {
    const before = await fixture.things()
    const run = fixture.newRun()
    await taken(fixture, snapshots, run)
    const another = await fixture.another()
    await undoByAnother(another, run)
    await fixture.sameAs(before, 'after another instance undid the snapshot')
    await undoByAnother(another, run)
    await fixture.sameAs(before, 'after it was undone again')
    await another[Symbol.asyncDispose]()
  }),
  'undo for another attempt leaves it where it is': ifAble(async (fixture, snapshots) => {
    const run = fixture.newRun()
    const made = await taken(fixture, snapshots, run)
    ensure(run.intents.length > 0, 'no intent is open for a snapshot whose run is not final')
    for (const intent of run.intents) {
      const foreign = { ...jsonCopy(intent), mark: { ...intent.mark, attempt: intent.mark.attempt + 1 } }
      await fixture.provider.undo(foreign, { signal: fixture.signal })
    }
    ensure(idsOf(await listed(fixture, snapshots)).includes(made.id), 'undo of attempt 2 removed what attempt 1 made')
    await run.undoOpen()
  }),
  'stores an intent before it: without it nothing is made': ifAble((fixture, snapshots) =>
    refuseEachIntent(fixture, 'snapshot', async (run) => await snapshots.create(fixture.workload, request, run.run)),
  ),
  'lists the oldest first; two may have the same name': ifAble(async (fixture, snapshots) => {
    const before = idsOf(await listed(fixture, snapshots))
    const made = [await committed(fixture, snapshots, 'first'), await committed(fixture, snapshots, 'second')]
    const all = idsOf(await listed(fixture, snapshots))
    assert.deepEqual(
      all.filter((id) => !before.includes(id)),
      idsOf(made),
      'the list is not in the order in which they were made',
    )
    assert.equal(new Set(all).size, all.length, 'an id is listed twice')
  }),
  'removes one and no other, also when it is gone already, and changes no content': ifAble(async (fixture, snapshots) => {
    const first = await committed(fixture, snapshots, 'first')
    const second = await committed(fixture, snapshots, 'second')
    const content = await fixture.backup()
    await content.run.undoOpen({ committed: true })
    for (let time = 1; time <= 2; time++) {
      await snapshots.remove(fixture.workload, first.id, { signal: fixture.signal })
      const left = idsOf(await listed(fixture, snapshots))
      ensure(!left.includes(first.id), 'the snapshot is still there')
      ensure(left.includes(second.id), 'another one, made after it, is gone too')
    }
    const after = await fixture.backup(fixture.workload, fixture.newRun({ run: 'after' }))
    await after.run.undoOpen({ committed: true })
    sameContent(fixture, after.items, content.items, 'a removal changed the content')
  }),
  'goes back to one that is there, and rejects with NOT_FOUND for one that is not': ifAble(async (fixture, snapshots) => {
    const made = await committed(fixture, snapshots, 'revert')
    const content = await fixture.backup()
    await content.run.undoOpen({ committed: true })
    await snapshots.revert(fixture.workload, made.id, { signal: fixture.signal })
    const after = await fixture.backup(fixture.workload, fixture.newRun({ run: 'after' }))
    await after.run.undoOpen({ committed: true })
    sameContent(fixture, after.items, content.items, 'nothing was written since the snapshot, and going back to it changed the content')
    ensure(idsOf(await listed(fixture, snapshots)).includes(made.id), 'the snapshot is gone after going back to it')
    await snapshots.remove(fixture.workload, made.id, { signal: fixture.signal })
    const revert = snapshots.revert(fixture.workload, made.id, { signal: fixture.signal })
    hasCode(await fixture.rejection(revert, 'going back to what is gone'), 'NOT_FOUND', 'going back to what is gone')
  }),
  'rejects with NOT_FOUND for a workload that is not there, and makes nothing': ifAble(async (fixture, snapshots) => {
    const before = await fixture.things()
    const run = fixture.newRun()
    const attempt = snapshots.create('contract-nobody', request, run.run)
    hasCode(await fixture.rejection(attempt, 'a snapshot of nobody'), 'NOT_FOUND', 'a snapshot of nobody')
    await run.undoOpen()
    await fixture.sameAs(before, 'after a snapshot of nobody')
  }),
  'aborted before it starts, rejects soon and makes nothing': ifAble(async (fixture, snapshots) => {
    const before = await fixture.things()
    const run = fixture.newRun()
    run.abort()
    await fixture.abortion(snapshots.create(fixture.workload, request, run.run), run.run.signal, 'a snapshot that was aborted first')
    await fixture.sameAs(before, 'after a snapshot that was aborted first')
  }),
}
