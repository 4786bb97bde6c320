import assert from 'node:assert/strict'
import { type BackupSink, HoldfastError, type Intent } from '@holdfast/core/spec'
import { collectingSink } from '../collecting-sink.ts'
import type { MemoryRun } from '../memory-run-context.ts'
import { hasCode } from './contract-checks.ts'
import { outcomeOf, type ProviderFixture, type ProviderTests, undoByAnother } from './contract-fixture.ts'

/** Dies, or is looked at, while the first item is open. */
async function cutBackup(fixture: ProviderFixture, look: (run: MemoryRun) => Promise<void> = async () => {}): Promise<MemoryRun> {
  const run = fixture.newRun()
  let first = true
  let seen: unknown
  const { sink } = collectingSink({
    signal: run.run.signal,
    async duringItem() {
      if (!first) return
      first = false
      await look(run).catch((error: unknown) => {
        seen = error
      })
      run.abort()
    },
  })
  await fixture.rejection(
    fixture.provider.backup({ workload: fixture.workload, options: fixture.parsed('backup') }, sink, run.run),
    'a cut backup',
  )
  if (seen !== undefined) throw seen // the provider's rejection must not hide it
  return run
}

/** Enough for a request that was on its way when its thing was undone. */
const rounds = 3

/** A sink in which the first item stays until `look` has resolved, and that takes none. */
function frozenSink(look: () => Promise<void>): { readonly sink: BackupSink; readonly looked: () => Promise<void> | undefined } {
  let looked: Promise<void> | undefined
  async function put(): Promise<never> {
    looked ??= look()
    await looked.catch(() => undefined)
    throw new HoldfastError('ABORTED', 'the contract let the process die')
  }
  return { sink: { blocks: put, stream: put }, looked: () => looked }
}

export const undoContract: ProviderTests = {
  'another instance undoes a dead attempt from the intents as JSON, twice': async (fixture) => {
    const before = await fixture.things()
    const run = await cutBackup(fixture)
    const another = await fixture.another()
    await undoByAnother(another, run)
    await fixture.sameAs(before, 'after another instance undid it')
    await undoByAnother(another, run)
    await undoByAnother(fixture.provider, run)
    await fixture.sameAs(before, 'after it was undone again')
    await another[Symbol.asyncDispose]()
  },
  'all that is there when it dies without a word stands in its intents': async (fixture) => {
    const before = await fixture.things()
    const run = fixture.newRun()
    const another = await fixture.another()
    // The provider waits and cannot clean up: only what was stored is known.
    const { sink, looked } = frozenSink(async () => {
      for (let round = 1; round < rounds; round++) {
        await undoByAnother(another, run)
        if ((await outcomeOf(fixture.sameAs(before, ''))) === undefined) return
      }
      await undoByAnother(another, run)
      await fixture.sameAs(before, 'after another instance undid every intent of an attempt that had put its first item')
    })
    const attempt = fixture.provider.backup({ workload: fixture.workload, options: fixture.parsed('backup') }, sink, run.run)
    const error = await outcomeOf(attempt)
    if (looked() === undefined) throw error ?? new Error('no item was put')
    await looked()
    await undoByAnother(another, run)
    await fixture.sameAs(before, 'after the attempt had come to its end')
    await another[Symbol.asyncDispose]()
  },
  'an intent whose side effect never happened is undone without an error': async (fixture) => {
    const { run } = await fixture.backup()
    await run.undoOpen({ committed: true })
    const before = await fixture.things()
    for (const intent of run.intended.toReversed()) await fixture.provider.undo(intent, { signal: fixture.signal })
    await fixture.sameAs(before, 'after things that are gone were undone')
  },
  'undo for another attempt touches nothing that carries a mark': async (fixture) => {
    let compared = 0
    let stored = 0
    const marked = async () => (await fixture.things()).filter(({ mark }) => mark !== undefined)
    const run = await cutBackup(fixture, async ({ intents }) => {
      const during = await marked()
      stored = intents.length
      for (const intent of intents.toReversed()) {
        const foreign: Intent = { ...intent, mark: { ...intent.mark, attempt: intent.mark.attempt + 1 } }
        await fixture.provider.undo(foreign, { signal: fixture.signal })
        compared++
      }
      assert.deepEqual(await marked(), during, 'undo of attempt 2 touched what attempt 1 made')
    })
    assert.equal(compared, stored)
    await run.undoOpen()
  },
  'an intent of an unknown kind is not called undone': async (fixture) => {
    const mark = { system: 'testkit', plan: 'contract', run: 'unknown', attempt: 1 }
    const intent: Intent = { id: 'x', provider: 'provider', kind: 'contract-unknown-kind', data: {}, mark, kept: false }
    const error = await fixture.rejection(fixture.provider.undo(intent, { signal: fixture.signal }), 'undo of an unknown kind')
    hasCode(error, 'UNSUPPORTED', 'undo of an unknown kind')
  },
}
