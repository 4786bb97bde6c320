import assert from 'node:assert/strict'
import type { RestoreRequest, RestoreSource } from '@holdfast/core/spec'
import { jsonCopy, type MemoryRun } from '../memory-run-context.ts'
import { aborting, damaged, damages, watched, withOwnedChunks } from './changed-source.ts'
import { ensure, hasCode, newThings, onlyMarked } from './contract-checks.ts'
import { type Backup, type ProviderFixture, type ProviderTests, refuseEachIntent, sameContent, undoByAnother } from './contract-fixture.ts'
import type { ContractRun } from './contract-run.ts'
import type { PlatformThing } from './provider-under-test.ts'

async function settledBackup(fixture: ProviderFixture): Promise<Backup> {
  const backup = await fixture.backup()
  await backup.run.undoOpen({ committed: true })
  return backup
}
const asked = (fixture: ProviderFixture, change: Partial<RestoreRequest> = {}): RestoreRequest => ({
  purpose: 'recover',
  name: fixture.newName,
  start: false,
  options: fixture.parsed('restore'),
  ...change,
})
const restoreRun = (fixture: ProviderFixture, run = 'restore'): ContractRun => fixture.newRun({ run })

/** What the engine does once a run has committed. "Delivered" is what undo finds out by itself, too late, of a thing that should have been kept. */
async function commit(run: MemoryRun): Promise<void> {
  const open = run.intents.filter(({ kept }) => !kept).map(({ kind }) => `"${kind}"`)
  const answers = await run.undoOpen({ committed: true })
  ensure(
    answers.every((answer) => answer === 'undone'),
    `intent.keep() is missing: after the commit ${open.join(', ')} had to be undone, and undo found the workload delivered`,
  )
}

/** Restores the source beside the original, backs the copy up and compares. */
async function roundTrip(fixture: ProviderFixture, backup: Backup, source: RestoreSource): Promise<void> {
  const before = await fixture.things()
  const run = restoreRun(fixture)
  const { workload } = await fixture.provider.restore(asked(fixture), source, run.run)
  await commit(run)
  const made = await fixture.things()
  ensure(newThings(before, made).length > 0, 'nothing of the restore is there after its commit: is intent.keep() missing?')
  onlyMarked(before, made, run.run.mark, 'by the restore')
  const known = new Map(made.map((thing) => [thing.id, thing]))
  for (const thing of before) assert.deepEqual(known.get(thing.id), thing, `"${thing.id}" was changed by a restore beside it`)
  assert.equal((await fixture.workloadById(workload)).name, fixture.newName, 'the name of what was restored')
  const copy = await fixture.backup(workload, fixture.newRun({ run: 'again' }))
  await copy.run.undoOpen({ committed: true })
  sameContent(fixture, copy.items, backup.items, 'the copy, backed up again, differs from the original')
}

/** What `leftovers` says of this attempt, each undone: something, as long as something of it is there. */
async function undoLeftovers(
  { provider, signal, things, see }: ProviderFixture,
  run: MemoryRun,
  before: readonly PlatformThing[],
  what: string,
): Promise<void> {
  const there = newThings(before, await things())
  let found = 0
  for await (const intent of provider.leftovers?.({ signal }) ?? []) {
    found++
    see('a leftover', intent)
    assert.deepEqual(intent.mark, run.run.mark, `the mark of leftover "${intent.kind}"`)
    await provider.undo(jsonCopy(intent), { signal })
  }
  ensure(there.length === 0 || found > 0, `leftovers gave nothing although ${what} left "${there.map(({ id }) => id).join('", "')}"`)
  for await (const intent of provider.leftovers?.({ signal }) ?? [])
    throw new Error(`leftover "${intent.kind}" is still there after its undo`)
  await run.undoOpen()
}

export const restoreContract: ProviderTests = {
  'a restored copy, backed up again, has the same bytes, and the original is untouched': async (fixture) => {
    const backup = await settledBackup(fixture)
    await roundTrip(fixture, backup, withOwnedChunks(fixture.sourceOf(backup)))
  },
  'a chunk of a stream is used only until the next one is asked for': async (fixture) => {
    const backup = await settledBackup(fixture)
    const source = fixture.sourceOf(backup)
    if (source.files.length === 0) return
    await roundTrip(fixture, backup, source).catch((cause: unknown) => {
      const said = cause instanceof Error ? cause.message.split('\n')[0] : String(cause)
      const doubt = 'if the copy is wrong in the test before too, mend that first'
      throw new Error(`a chunk was used after the next one was asked for, when it holds other bytes (${doubt}): ${said}`, { cause })
    })
  },
  'whatever it makes while it runs carries the mark, and an intent is open for it': async (fixture) => {
    const backup = await settledBackup(fixture)
    const before = await fixture.things()
    const run = restoreRun(fixture)
    let seen: unknown
    const source = watched(fixture.sourceOf(backup), async (when) => {
      const now = await fixture.things()
      try {
        onlyMarked(before, now, run.run.mark, when)
        const [made] = newThings(before, now)
        ensure(made === undefined || run.intents.length > 0, `"${made?.id}" is there ${when}, and no intent is open`)
      } catch (error) {
        seen ??= error // the provider need not pass it on
      }
    })
    await fixture.provider.restore(asked(fixture, { purpose: 'test' }), source, run.run)
    await run.undoOpen()
    if (seen !== undefined) throw seen
  },
  'a name that is taken is refused with NAME_TAKEN, and what has it stays as it is': async (fixture) => {
    const backup = await settledBackup(fixture)
    const before = await fixture.things()
    const run = restoreRun(fixture)
    const name = backup.workload.name
    const error = await fixture.rejection(
      fixture.provider.restore(asked(fixture, { name }), fixture.sourceOf(backup), run.run),
      'a taken name',
    )
    hasCode(error, 'NAME_TAKEN', 'a taken name')
    await run.undoOpen()
    await fixture.sameAs(before, 'after a restore to a taken name')
  },
  'a test restore leaves nothing once everything is undone, kept or not': async (fixture) => {
    const backup = await settledBackup(fixture)
    const before = await fixture.things()
    const run = restoreRun(fixture)
    await fixture.provider.restore(asked(fixture, { purpose: 'test' }), fixture.sourceOf(backup), run.run)
    const made = await fixture.things()
    ensure(newThings(before, made).length > 0, 'things() shows nothing of a test restore: what is hidden or unfinished is a thing too')
    onlyMarked(before, made, run.run.mark, 'by a test restore')
    await run.undoOpen()
    await fixture.sameAs(before, 'after a test restore')
  },
  'stores an intent before each side effect: without it nothing is made': async (fixture) => {
    const source = fixture.sourceOf(await settledBackup(fixture))
    await refuseEachIntent(fixture, 'restore', ({ run }) => fixture.provider.restore(asked(fixture, { purpose: 'test' }), source, run))
  },
  'damaged bytes, found at once or at their end, make it reject, and its intents undo everything': async (fixture) => {
    const backup = await settledBackup(fixture)
    const before = await fixture.things()
    const another = await fixture.another()
    for (const when of damages) {
      const run = restoreRun(fixture, `damaged-${when}`)
      const source = damaged(fixture.sourceOf(backup), when, fixture.contentOf(backup.items).names)
      const what = when === 'open' ? 'bytes that cannot be opened' : 'bytes that are found damaged at their end'
      hasCode(await fixture.rejection(fixture.provider.restore(asked(fixture), source, run.run), what), 'CHECKSUM_MISMATCH', what)
      await undoByAnother(another, run)
      await fixture.sameAs(before, `after a restore of ${what}`)
      await run.undoOpen()
      await fixture.sameAs(before, 'after it was undone again')
    }
    await another[Symbol.asyncDispose]()
  },
  'aborted, rejects soon, and its intents undo everything': async (fixture) => {
    const source = fixture.sourceOf(await settledBackup(fixture))
    const before = await fixture.things()
    const run = restoreRun(fixture)
    const attempt = fixture.provider.restore(asked(fixture), aborting(source, run.abort), run.run)
    await fixture.abortion(attempt, run.run.signal, 'an aborted restore')
    await run.undoOpen()
    await fixture.sameAs(before, 'after an aborted restore')
  },
  'a point with nothing it can use is refused with UNSUPPORTED': async (fixture) => {
    const workload = await fixture.workloadById(fixture.workload)
    const before = await fixture.things()
    const run = restoreRun(fixture)
    const empty: RestoreSource = { point: 'empty', workload, kind: 'contract-other', description: null, disks: [], files: [] }
    hasCode(
      await fixture.rejection(fixture.provider.restore(asked(fixture), empty, run.run), 'an empty point'),
      'UNSUPPORTED',
      'an empty point',
    )
    await run.undoOpen()
    await fixture.sameAs(before, 'after a refused restore')
  },
  'delivered knows a restore once it is delivered, and then undo touches nothing': async (fixture) => {
    const { provider, signal } = fixture
    const source = fixture.sourceOf(await settledBackup(fixture))
    const run = restoreRun(fixture)
    const { attempt: _, ...mark } = run.run.mark
    assert.equal(await provider.delivered?.(mark, { signal }), undefined, 'delivered() of a run that has made nothing')
    const result = await provider.restore(asked(fixture), source, run.run)
    if (!provider.delivered) return void (await run.undoOpen())
    const found = await provider.delivered(mark, { signal })
    ensure(found !== undefined, 'delivered() does not know what this run delivered')
    assert.deepEqual(found, result, 'delivered() does not say what the restore said')
    assert.equal(await provider.delivered({ ...mark, run: 'another' }, { signal }), undefined, 'delivered() of another run')
    const things = await fixture.things()
    const answers = await run.undoOpen()
    ensure(
      answers.some((answer) => answer !== 'undone'),
      'undo says "undone" of what was delivered',
    )
    for (const answer of answers) if (answer !== 'undone') assert.deepEqual(answer.delivered, result)
    await fixture.sameAs(things, 'after the undo of a delivered restore')
  },
  'with a target: it has the bytes of the point afterwards, or the restore is refused with UNSUPPORTED': async (fixture) => {
    const backup = await settledBackup(fixture)
    const before = await fixture.things()
    const run = restoreRun(fixture)
    const attempt = fixture.provider.restore(asked(fixture, { target: fixture.workload }), fixture.sourceOf(backup), run.run)
    if (!fixture.replaces) {
      hasCode(await fixture.rejection(attempt, 'a restore in place'), 'UNSUPPORTED', 'a restore in place')
      await run.undoOpen()
      return fixture.sameAs(before, 'after a refused restore in place')
    }
    assert.deepEqual(await attempt, { workload: fixture.workload })
    await commit(run)
    const again = await fixture.backup(fixture.workload, fixture.newRun({ run: 'again' }))
    await again.run.undoOpen({ committed: true })
    sameContent(fixture, again.items, backup.items, 'the target differs from the point')
    assert.deepEqual(
      (await fixture.things()).map(({ id }) => id).sort(),
      before.map(({ id }) => id).sort(),
      'something is left beside the target',
    )
  },
  'leftovers are intents as JSON that undo what a lost catalog knows nothing of; a clean platform has none': async (fixture) => {
    const { provider, signal } = fixture
    if (!provider.leftovers) return assert.equal(provider.leftovers, undefined)
    const backup = await settledBackup(fixture)
    const source = fixture.sourceOf(backup)
    for await (const intent of provider.leftovers({ signal })) throw new Error(`a clean platform has leftover "${intent.kind}"`)
    const before = await fixture.things()
    const failed = restoreRun(fixture)
    const broken = damaged(source, 'end', fixture.contentOf(backup.items).names)
    await fixture.rejection(provider.restore(asked(fixture), broken, failed.run), 'a restore of damaged bytes')
    await undoLeftovers(fixture, failed, before, 'a restore of damaged bytes')
    const tested = restoreRun(fixture, 'test')
    await provider.restore(asked(fixture, { purpose: 'test' }), source, tested.run)
    await undoLeftovers(fixture, tested, before, 'a test restore')
  },
  'leftovers leave out what was delivered': async (fixture) => {
    const { provider, signal } = fixture
    if (!provider.leftovers) return assert.equal(provider.leftovers, undefined)
    const run = restoreRun(fixture)
    await provider.restore(asked(fixture), fixture.sourceOf(await settledBackup(fixture)), run.run)
    await run.undoOpen({ committed: true })
    for await (const intent of provider.leftovers({ signal })) throw new Error(`leftover "${intent.kind}" is a restore that was delivered`)
  },
}
