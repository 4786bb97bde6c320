import assert from 'node:assert/strict'
import { HoldfastError, type RestoreRequest, type RestoreSource } from '@holdfast/core/spec'
import type { MemoryRun } from '../memory-run-context.ts'
import { type Backup, dataOf, hasCode, onlyMarked, type ProviderFixture, type ProviderTests, undoByAnother } from './contract-fixture.ts'

async function settledBackup(fixture: ProviderFixture): Promise<Backup> {
  const backup = await fixture.backup()
  await backup.run.undoOpen({ committed: true })
  return backup
}
const asked = (fixture: ProviderFixture, change: Partial<RestoreRequest> = {}): RestoreRequest => ({
  purpose: 'recover',
  name: fixture.newName,
  start: false,
  options: fixture.options.restore,
  ...change,
})
const restoreRun = (fixture: ProviderFixture, refuseIntent?: number): MemoryRun =>
  fixture.newRun({ run: `restore${refuseIntent ?? ''}`, ...(refuseIntent !== undefined && { refuseIntent }) })

/** The same source, whose last item breaks when its bytes are read. */
function damaged(source: RestoreSource): RestoreSource {
  const broken = async (): Promise<never> => {
    throw new HoldfastError('CHECKSUM_MISMATCH', 'the contract damaged this item')
  }
  const disks = source.disks.map(({ key, name, size, ...disk }, index) => {
    const here = { key, name, size, open: disk.open, openChanges: disk.openChanges }
    return index === source.disks.length - 1 ? { ...here, open: broken } : here
  })
  return {
    ...source,
    disks,
    files: source.files.map((file, index) =>
      index === source.files.length - 1 || file.format !== 'bytes' ? { ...file, open: broken } : file,
    ),
  }
}

export const restoreContract: ProviderTests = {
  'a restored copy, backed up again, has the same bytes, and the original is untouched': async (fixture) => {
    const backup = await settledBackup(fixture)
    const before = await fixture.things()
    const run = restoreRun(fixture)
    const { workload } = await fixture.provider.restore(asked(fixture), fixture.sourceOf(backup), run.run)
    await run.undoOpen({ committed: true })
    const made = await fixture.things()
    onlyMarked(before, made, run.run.mark, 'by the restore')
    const known = new Map(made.map((thing) => [thing.id, thing]))
    for (const thing of before) assert.deepEqual(known.get(thing.id), thing, `"${thing.id}" was changed by a restore beside it`)
    assert.equal((await fixture.workloadById(workload)).name, fixture.newName)
    const copy = await fixture.backup(workload, fixture.newRun({ run: 'again' }))
    await copy.run.undoOpen({ committed: true })
    assert.deepEqual(dataOf(copy.items), dataOf(backup.items))
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
    await run.undoOpen()
    await fixture.sameAs(before, 'after a test restore')
  },
  'stores an intent before each side effect: without it nothing is made': async (fixture) => {
    const source = fixture.sourceOf(await settledBackup(fixture))
    const before = await fixture.things()
    for (let refused = 1; ; refused++) {
      const run = restoreRun(fixture, refused)
      const attempt = fixture.provider.restore(asked(fixture, { purpose: 'test' }), source, run.run)
      const succeeded = await fixture.soon(
        attempt.then(
          () => true,
          () => false,
        ),
        `intent ${refused} refused`,
      )
      if (succeeded) assert.ok(run.intended.length < refused, `intent ${refused} could not be stored, and the restore went on`)
      await run.undoOpen()
      await fixture.sameAs(before, `after intent ${refused} could not be stored`)
      if (succeeded) return
    }
  },
  'damaged bytes make it reject, and its intents undo everything': async (fixture) => {
    const backup = await settledBackup(fixture)
    const before = await fixture.things()
    const run = restoreRun(fixture)
    const attempt = fixture.provider.restore(asked(fixture), damaged(fixture.sourceOf(backup)), run.run)
    hasCode(await fixture.rejection(attempt, 'damaged bytes'), 'CHECKSUM_MISMATCH', 'damaged bytes')
    const another = await fixture.another()
    await undoByAnother(another, run)
    await another[Symbol.asyncDispose]()
    await fixture.sameAs(before, 'after a restore of damaged bytes')
    await run.undoOpen()
    await fixture.sameAs(before, 'after it was undone again')
  },
  'aborted, rejects soon, and its intents undo everything': async (fixture) => {
    const source = fixture.sourceOf(await settledBackup(fixture))
    const before = await fixture.things()
    const run = restoreRun(fixture)
    const cut = <T extends { open(options: { signal: AbortSignal }): Promise<unknown> }>(item: T): T => ({
      ...item,
      open: (options: { signal: AbortSignal }) => {
        run.abort()
        return item.open(options)
      },
    })
    const cutSource = {
      ...source,
      disks: source.disks.map((disk) => ({ ...cut(disk), ...(disk.file && { file: cut(disk.file) }) })),
      files: source.files.map(cut),
    }
    await fixture.rejection(fixture.provider.restore(asked(fixture), cutSource, run.run), 'an aborted restore')
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
    assert.equal(await provider.delivered?.(mark, { signal }), undefined)
    const result = await provider.restore(asked(fixture), source, run.run)
    if (!provider.delivered) return void (await run.undoOpen())
    assert.deepEqual(await provider.delivered(mark, { signal }), result)
    assert.equal(await provider.delivered({ ...mark, run: 'another' }, { signal }), undefined)
    const things = await fixture.things()
    const answers = await run.undoOpen()
    assert.ok(
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
    if (!fixture.options.replaces) {
      hasCode(await fixture.rejection(attempt, 'a restore in place'), 'UNSUPPORTED', 'a restore in place')
      await run.undoOpen()
      return fixture.sameAs(before, 'after a refused restore in place')
    }
    assert.deepEqual(await attempt, { workload: fixture.workload })
    await run.undoOpen({ committed: true })
    const again = await fixture.backup(fixture.workload, fixture.newRun({ run: 'again' }))
    await again.run.undoOpen({ committed: true })
    assert.deepEqual(dataOf(again.items), dataOf(backup.items))
    assert.deepEqual(
      (await fixture.things()).map(({ id }) => id).sort(),
      before.map(({ id }) => id).sort(),
      'something is left beside the target',
    )
  },
  'leftovers are intents as JSON that undo what a lost catalog knows nothing of; a clean platform has none': async (fixture) => {
    const { provider, signal } = fixture
    if (!provider.leftovers) return assert.equal(provider.leftovers, undefined)
    const source = fixture.sourceOf(await settledBackup(fixture))
    for await (const intent of provider.leftovers({ signal })) assert.fail(`a clean platform has leftover "${intent.kind}"`)
    const run = restoreRun(fixture)
    await fixture.rejection(provider.restore(asked(fixture), damaged(source), run.run), 'damaged bytes')
    for await (const intent of provider.leftovers({ signal })) {
      assert.deepEqual(intent.mark, run.run.mark)
      await provider.undo(intent, { signal })
    }
    for await (const intent of provider.leftovers({ signal })) assert.fail(`"${intent.kind}" is still there after its undo`)
    await run.undoOpen()
  },
}
