import assert from 'node:assert/strict'
import { type BackupSink, HoldfastError } from '@holdfast/core/spec'
import { collectingSink } from '../collecting-sink.ts'
import { dataOf, hasCode, onlyMarked, type ProviderFixture, type ProviderTests } from './contract-fixture.ts'

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

const request = ({ workload, options }: ProviderFixture) => ({ workload, options: options.backup })

export const backupContract: ProviderTests = {
  'puts items with names of their own and a result that survives JSON': async (fixture) => {
    const { items, result, workload } = await fixture.backup() // jsonCopy refuses what does not survive
    assert.ok(items.length > 0, 'nothing was put')
    for (const item of items) {
      if (item.type === 'stream') assert.match(item.name, /^(?!\.\.?$)[^/\0]+$/, `item name "${item.name}" is not a plain file name`)
      if (item.type === 'disk') assert.equal(item.bytes.length, item.disk.size, `disk "${item.disk.key}" is not as large as it says`)
    }
    assert.ok(
      items.some(({ bytes }) => bytes.length > 0),
      'all items are empty',
    )
    if (workload.kind !== 'machine') return
    const keys = items.flatMap((item) => (item.disk ? [item.disk.key] : []))
    assert.ok(result.machine, 'the backup of a machine has no machine')
    for (const { key } of result.machine.disks) assert.ok(keys.includes(key), `disk "${key}" of the machine was not put`)
  },
  'gives the same bytes twice when nothing changed': async (fixture) => {
    const first = await fixture.backup()
    await first.run.undoOpen({ committed: true })
    const second = await fixture.backup(fixture.workload, fixture.newRun({ run: 'second' }))
    assert.deepEqual(dataOf(second.items), dataOf(first.items))
  },
  'leaves the platform as it was once its intents are undone after the commit': async (fixture) => {
    const before = await fixture.things()
    const { run } = await fixture.backup()
    await run.undoOpen({ committed: true })
    await fixture.sameAs(before, 'after a backup')
  },
  'whatever it makes while it runs carries the mark': async (fixture) => {
    const before = await fixture.things()
    const run = fixture.newRun()
    let looked = 0
    const { sink } = collectingSink({
      async duringItem(name) {
        looked++
        onlyMarked(before, await fixture.things(), run.run.mark, `during "${name}"`)
      },
    })
    await fixture.provider.backup(request(fixture), sink, run.run)
    assert.ok(looked > 0, 'no item was opened')
    await run.undoOpen({ committed: true })
  },
  'rejects with NOT_FOUND for a workload that is not there, and makes nothing': async (fixture) => {
    const before = await fixture.things()
    const run = fixture.newRun()
    const attempt = fixture.provider.backup(
      { workload: 'contract-nobody', options: fixture.options.backup },
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
  'stores an intent before each side effect: without it nothing is made': async (fixture) => {
    const before = await fixture.things()
    for (let refused = 1; ; refused++) {
      const run = fixture.newRun({ run: `refused${refused}`, refuseIntent: refused })
      const attempt = fixture.provider.backup(request(fixture), collectingSink().sink, run.run)
      if (
        await fixture.soon(
          attempt.then(
            () => true,
            () => false,
          ),
          `intent ${refused} refused`,
        )
      ) {
        assert.ok(run.intended.length < refused, `intent ${refused} could not be stored, and the backup went on`)
        await run.undoOpen({ committed: true })
        return fixture.sameAs(before, 'after the backup')
      }
      await run.undoOpen()
      await fixture.sameAs(before, `after intent ${refused} could not be stored`)
    }
  },
  'aborted while an item is open, rejects soon, and its intents undo everything': async (fixture) => {
    const before = await fixture.things()
    const run = fixture.newRun()
    const { sink } = collectingSink({ signal: run.run.signal, duringItem: async () => run.abort() })
    await fixture.rejection(fixture.provider.backup(request(fixture), sink, run.run), 'an aborted backup')
    await run.undoOpen()
    await fixture.sameAs(before, 'after an aborted backup')
  },
  'aborted before it starts, rejects soon and makes nothing': async (fixture) => {
    const before = await fixture.things()
    const run = fixture.newRun()
    run.abort()
    await fixture.rejection(fixture.provider.backup(request(fixture), collectingSink().sink, run.run), 'an aborted backup')
    assert.equal(run.intended.length, 0)
    await fixture.sameAs(before, 'after a backup that was aborted first')
  },
}
