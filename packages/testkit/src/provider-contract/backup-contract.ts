import assert from 'node:assert/strict'
import { type BackupSink, HoldfastError } from '@holdfast/core/spec'
import { collectingSink } from '../collecting-sink.ts'
import type { MemoryRun } from '../memory-run-context.ts'
import { ensure, hasCode, newThings, onlyMarked } from './contract-checks.ts'
import { type ProviderFixture, type ProviderTests, refuseEachIntent, sameContent } from './contract-fixture.ts'

/** A sink whose n-th item (from 1) cannot be stored. */
function fullSink(failing: number): BackupSink {
  const { sink } = collectingSink()
  let count = 0
  const refuse = () => {
    if (++count === failing) throw new HoldfastError('DISK_FULL', `no space for item ${count}`)
  }
  return {
    async blocks(item) {
      refuse()
      await sink.blocks(item)
    },
    async stream(item) {
      refuse()
      return sink.stream(item)
    },
  }
}

/** Opens an item, aborts and reads on, as when a run is cancelled just then. `ended` gets the streams that came to their end all the same. */
function abortingSink({ run, abort }: MemoryRun, ended: Map<string, number>): BackupSink {
  const plain = collectingSink({ signal: run.signal, duringItem: async () => abort() })
  return {
    blocks: plain.sink.blocks,
    async stream(item) {
      const bytes = await item.open({ signal: run.signal })
      abort()
      let size = 0
      try {
        for await (const chunk of bytes) size += chunk.length
      } finally {
        await bytes[Symbol.asyncDispose]?.()
      }
      ended.set(item.name, size)
      throw run.signal.reason
    },
  }
}

const request = ({ workload, parsed }: ProviderFixture) => ({ workload, options: parsed('backup') })

export const backupContract: ProviderTests = {
  'puts items with names of their own and a result that survives JSON': async (fixture) => {
    const { items, result, workload } = await fixture.backup() // jsonCopy refuses what does not survive
    ensure(items.length > 0, 'nothing was put')
    for (const item of items) {
      if (item.type === 'stream') assert.match(item.name, /^(?!\.\.?$)[^/\0]+$/, `item name "${item.name}" is not a plain file name`)
      if (item.type === 'disk') assert.equal(item.bytes.length, item.disk.size, `disk "${item.disk.key}" is not as large as it says`)
    }
    ensure(
      items.some(({ bytes }) => bytes.length > 0),
      'all items are empty',
    )
    if (workload.kind !== 'machine') return
    const keys = items.flatMap((item) => (item.disk ? [item.disk.key] : []))
    ensure(result.machine, 'the backup of a machine has no machine')
    for (const { key } of result.machine.disks) ensure(keys.includes(key), `disk "${key}" of the machine was not put`)
  },
  'gives the same bytes twice when nothing changed': async (fixture) => {
    const first = await fixture.backup()
    await first.run.undoOpen({ committed: true })
    const second = await fixture.backup(fixture.workload, fixture.newRun({ run: 'second' }))
    sameContent(fixture, second.items, first.items, 'two backups of the same content differ')
  },
  'leaves the platform as it was once its intents are undone after the commit': async (fixture) => {
    const before = await fixture.things()
    const { run } = await fixture.backup()
    await run.undoOpen({ committed: true })
    await fixture.sameAs(before, 'after a backup')
  },
  'whatever it makes while it runs carries the mark, and an intent is open for it': async (fixture) => {
    const before = await fixture.things()
    const run = fixture.newRun()
    let looked = 0
    const { sink } = collectingSink({
      async duringItem(name) {
        looked++
        const now = await fixture.things()
        onlyMarked(before, now, run.run.mark, `during "${name}"`)
        const [made] = newThings(before, now)
        ensure(made === undefined || run.intents.length > 0, `"${made?.id}" is there during "${name}", and no intent is open`)
      },
    })
    await fixture.provider.backup(request(fixture), sink, run.run)
    ensure(looked > 0, 'no item was opened')
    await run.undoOpen({ committed: true })
  },
  'rejects with NOT_FOUND for a workload that is not there, and makes nothing': async (fixture) => {
    const before = await fixture.things()
    const run = fixture.newRun()
    const attempt = fixture.provider.backup(
      { workload: 'contract-nobody', options: fixture.parsed('backup') },
      collectingSink().sink,
      run.run,
    )
    hasCode(await fixture.rejection(attempt, 'backup of nobody'), 'NOT_FOUND', 'backup of nobody')
    await run.undoOpen()
    await fixture.sameAs(before, 'after a backup of nobody')
  },
  'rejects with the sink’s error, whichever item it was, and its intents undo everything': async (fixture) => {
    const { items, run: first } = await fixture.backup()
    await first.undoOpen({ committed: true })
    const before = await fixture.things()
    for (let failing = 1; failing <= items.length; failing++) {
      const run = fixture.newRun({ run: `full${failing}` })
      const error = await fixture.rejection(
        fixture.provider.backup(request(fixture), fullSink(failing), run.run),
        `item ${failing} refused`,
      )
      hasCode(error, 'DISK_FULL', `item ${failing} refused`)
      await run.undoOpen()
      await fixture.sameAs(before, `after item ${failing} was refused`)
    }
  },
  'stores an intent before each side effect: without it nothing is made': (fixture) =>
    refuseEachIntent(fixture, 'backup', ({ run }) => fixture.provider.backup(request(fixture), collectingSink().sink, run)),
  'aborted while an item is open, rejects soon, and its intents undo everything': async (fixture) => {
    const { items, run: first } = await fixture.backup()
    await first.undoOpen({ committed: true })
    const before = await fixture.things()
    const run = fixture.newRun()
    const ended = new Map<string, number>()
    const attempt = fixture.provider.backup(request(fixture), abortingSink(run, ended), run.run)
    await fixture.abortion(attempt, run.run.signal, 'an aborted backup')
    for (const item of items) {
      const size = item.type === 'stream' ? ended.get(item.name) : undefined
      // Of an empty one the end is all there is.
      if (item.type === 'stream' && size !== undefined && item.bytes.length > 0)
        throw new Error(`stream "${item.name}" was aborted before its first byte, and ended after ${size} instead of rejecting`)
    }
    await run.undoOpen()
    await fixture.sameAs(before, 'after an aborted backup')
  },
  'aborted before it starts, rejects soon and makes nothing': async (fixture) => {
    const before = await fixture.things()
    const run = fixture.newRun()
    run.abort()
    const attempt = fixture.provider.backup(request(fixture), collectingSink().sink, run.run)
    await fixture.abortion(attempt, run.run.signal, 'a backup that was aborted first')
    assert.equal(run.intended.length, 0, 'a backup that was aborted first stored intents')
    await fixture.sameAs(before, 'after a backup that was aborted first')
  },
}
