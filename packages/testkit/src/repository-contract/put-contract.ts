import assert from 'node:assert/strict'
import {
  assertAbsent,
  assertBytes,
  assertHolds,
  assertRejects,
  type ContractTests,
  lent,
  pattern,
  putText,
  readFile,
  text,
} from './contract-fixture.ts'

export const putContract: ContractTests = {
  'gives back what was put, whatever the size of file and chunks': async ({ repository, signal }) => {
    for (const [index, size] of [1, 4095, 65536, (1 << 20) + 1, 3 * (1 << 20) + 7].entries()) {
      const bytes = pattern(size, index + 1)
      for (const [turn, lengths] of [[size], [1 << 20], [65536, 7, 300_000], [511]].entries()) {
        if (size > 1 << 20 && lengths[0] === 511) continue
        const path = `points/p${index}/1/file-${turn}`
        assert.equal((await repository.put(path, lent(bytes, lengths), { signal, ifAbsent: true })).size, size)
        assertBytes(await readFile(repository, path, signal), bytes, path)
      }
    }
  },
  'copies a chunk before it asks for the next': async ({ repository, signal }) => {
    const bytes = pattern(1000, 9)
    await repository.put('lent', lent(bytes, [10]), { signal })
    assertBytes(await readFile(repository, 'lent', signal), bytes, 'lent')
  },
  'takes chunks without bytes': async (fixture) => {
    async function* chunks(): AsyncGenerator<Uint8Array, void, undefined> {
      for (const part of ['', 'one', '', '', ' two', '']) yield text(part)
    }
    await fixture.repository.put('gaps', chunks(), { signal: fixture.signal })
    await assertHolds(fixture, 'gaps', 'one two')
  },
  'keeps an empty file': async (fixture) => {
    const { repository, signal } = fixture
    assert.equal((await repository.put('a/manifest.1.json', lent(text('')), { signal, size: 0, ifAbsent: true })).size, 0)
    await assertHolds(fixture, 'a/manifest.1.json', '')
    assert.deepEqual(await fixture.listed('a/'), ['a/manifest.1.json'])
  },
  'replaces what was put before, longer by shorter and the other way round': async (fixture) => {
    await putText(fixture, 'a/pin.json', 'a long first version')
    await putText(fixture, 'a/pin.json', 'short')
    await assertHolds(fixture, 'a/pin.json', 'short')
    await putText(fixture, 'a/pin.json', 'and a long third version')
    await assertHolds(fixture, 'a/pin.json', 'and a long third version')
    assert.deepEqual(await fixture.listed(''), ['a/pin.json'])
  },
  'empties a live file': async (fixture) => {
    await putText(fixture, 'a/manifest.1.json', 'a live manifest')
    await fixture.repository.put('a/manifest.1.json', lent(text('')), { signal: fixture.signal })
    await assertHolds(fixture, 'a/manifest.1.json', '')
  },
  'with ifAbsent refuses a taken name and leaves what is there': async (fixture) => {
    const { repository, signal } = fixture
    await putText(fixture, 'a/manifest.1.json', 'first')
    for (const content of ['second', '']) {
      await assertRejects(repository.put('a/manifest.1.json', lent(text(content)), { signal, ifAbsent: true }), 'EXISTS')
      await assertHolds(fixture, 'a/manifest.1.json', 'first')
    }
  },
  'with ifAbsent refuses the name of an empty file: a dead number stays dead': async (fixture) => {
    const { repository, signal } = fixture
    await repository.put('a/manifest.1.json', lent(text('')), { signal, ifAbsent: true })
    await assertRejects(repository.put('a/manifest.1.json', lent(text('late')), { signal, ifAbsent: true }), 'EXISTS')
    await assertRejects(repository.put('a/manifest.1.json', lent(text('')), { signal, ifAbsent: true }), 'EXISTS')
    await assertHolds(fixture, 'a/manifest.1.json', '')
  },
  'is still there after a restart': async (fixture) => {
    await putText(fixture, 'a/1/file', 'kept')
    const again = (await fixture.reopen?.()) ?? fixture.repository
    assertBytes(await readFile(again, 'a/1/file', fixture.signal), text('kept'), 'after a restart')
  },
}

export const wholeContract: ContractTests = {
  'takes a stream of the declared size': async (fixture) => {
    const { repository, signal } = fixture
    assert.equal((await repository.put('sized', lent(text('12345')), { signal, size: 5 })).size, 5)
    await assertHolds(fixture, 'sized', '12345')
  },
  'refuses a stream that is shorter or longer than declared': async (fixture) => {
    const { repository, signal } = fixture
    for (const size of [0, 4, 6, 5_000_000]) {
      await assertRejects(repository.put('a/sized', lent(text('12345')), { signal, size, ifAbsent: true }), 'TRUNCATED')
      await assertAbsent(fixture, 'a/sized')
    }
    await assertRejects(repository.put('a/sized', lent(text('')), { signal, size: 1 }), 'TRUNCATED')
    await assertAbsent(fixture, 'a/sized')
  },
  'rejects with the error of its stream and shows nothing of it': async (fixture) => {
    const { repository, signal } = fixture
    const mine = new Error('the disk under the source is gone')
    async function* broken(length: number): AsyncGenerator<Uint8Array, void, undefined> {
      if (length > 0) yield pattern(length)
      throw mine
    }
    for (const length of [0, 10, 2_000_000]) {
      await assert.rejects(repository.put('a/broken', broken(length), { signal, ifAbsent: true }), (error) => error === mine)
      await assertAbsent(fixture, 'a/broken')
    }
  },
  'leaves the earlier version when the new one is not whole': async (fixture) => {
    const { repository, signal } = fixture
    await putText(fixture, 'a/pin.json', 'earlier')
    async function* broken(): AsyncGenerator<Uint8Array, void, undefined> {
      yield text('half of')
      throw new Error('gone')
    }
    await assert.rejects(repository.put('a/pin.json', broken(), { signal }))
    await assertRejects(repository.put('a/pin.json', lent(text('later')), { signal, size: 9 }), 'TRUNCATED')
    await assertHolds(fixture, 'a/pin.json', 'earlier')
  },
  'shows a file only when it is whole': async (fixture) => {
    const { repository, signal } = fixture
    async function* watched(): AsyncGenerator<Uint8Array, void, undefined> {
      yield pattern(1 << 20)
      await assertAbsent(fixture, 'a/1/slow')
      yield pattern(1 << 20)
      await assertAbsent(fixture, 'a/1/slow')
    }
    await repository.put('a/1/slow', watched(), { signal, ifAbsent: true })
    assert.equal((await readFile(repository, 'a/1/slow', signal)).length, 2 << 20)
  },
}
