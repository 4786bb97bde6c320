import assert from 'node:assert/strict'
import { codeOf } from '@holdfast/core/spec'
import { assertAbsent, assertHolds, type ContractTests, lent, pattern, putText, text } from './contract-fixture.ts'

/** The error of the table, or the reason that the signal carries. */
async function assertAborted(call: Promise<unknown>, signal: AbortSignal): Promise<void> {
  await assert.rejects(call, (error) => error === signal.reason || codeOf(error) === 'ABORTED')
}

function aborted(): AbortSignal {
  return AbortSignal.abort(new DOMException('stopped by the test', 'AbortError'))
}

export const abortContract: ContractTests = {
  'does nothing when it is aborted already': async (fixture) => {
    const { repository } = fixture
    await putText(fixture, 'a/x', 'x')
    const signal = aborted()
    await assertAborted(repository.put('a/new', lent(text('new')), { signal }), signal)
    await assertAborted(repository.put('a/empty', lent(text('')), { signal, ifAbsent: true }), signal)
    await assertAborted(repository.open('a/x', { signal }), signal)
    await assertAborted(repository.sync('a', { signal }), signal)
    await assertAborted(repository.delete('a/x', { signal }), signal)
    const walk = async (): Promise<void> => {
      for await (const { path } of repository.list('', { signal })) assert.fail(`list shows ${path}`)
    }
    await assertAborted(walk(), signal)
    await assertHolds(fixture, 'a/x', 'x')
    assert.deepEqual(await fixture.listed(''), ['a/x'])
  },
  'gives up a put at once, even if its stream hangs, and shows nothing of it': async (fixture) => {
    const { repository } = fixture
    for (const length of [0, 10, 3_000_000]) {
      const controller = new AbortController()
      async function* hanging(): AsyncGenerator<Uint8Array, void, undefined> {
        if (length > 0) yield pattern(length)
        queueMicrotask(() => controller.abort())
        await new Promise(() => undefined)
      }
      await assertAborted(repository.put('a/1/file', hanging(), { signal: controller.signal, ifAbsent: true }), controller.signal)
      await assertAbsent(fixture, 'a/1/file')
    }
    await repository.put('a/1/file', lent(text('again')), { signal: fixture.signal, ifAbsent: true })
    await assertHolds(fixture, 'a/1/file', 'again')
  },
  'leaves the earlier version when a put is aborted': async (fixture) => {
    await putText(fixture, 'a/pin.json', 'earlier')
    const controller = new AbortController()
    async function* stopped(): AsyncGenerator<Uint8Array, void, undefined> {
      yield text('lat')
      controller.abort()
      yield text('er')
    }
    await assertAborted(fixture.repository.put('a/pin.json', stopped(), { signal: controller.signal }), controller.signal)
    await assertHolds(fixture, 'a/pin.json', 'earlier')
  },
  'stops a stream that is being read': async (fixture) => {
    const { repository } = fixture
    await repository.put('file', lent(pattern(5_000_000)), { signal: fixture.signal })
    const file = await repository.open('file', { signal: fixture.signal })
    const controller = new AbortController()
    let received = 0
    const walk = async (): Promise<void> => {
      for await (const chunk of file.stream({ start: 0, end: file.size }, { signal: controller.signal })) {
        received += chunk.length
        controller.abort()
      }
    }
    await assertAborted(walk(), controller.signal)
    assert.ok(received < file.size, 'it went on to the end')
    await assertAborted(file.readInto(new Uint8Array(10), 0, { signal: controller.signal }), controller.signal)
    await file[Symbol.asyncDispose]()
  },
}
