import assert from 'node:assert/strict'
import { codeOf } from '@holdfast/core/spec'
import { assertBytes, assertHolds, type ContractTests, lent, pattern, putText, readFile, text } from './contract-fixture.ts'

export const raceContract: ContractTests = {
  'lets one of twenty racing creations win, and all others know': async (fixture) => {
    const { repository, signal } = fixture
    for (const round of [0, 1, 2]) {
      const path = `a/manifest.${round}.json`
      // Every third gives the number up, as a clean-up does.
      const contents = Array.from({ length: 20 }, (_, index) => (index % 3 === round ? '' : `attempt ${index}`))
      const outcomes = await Promise.allSettled(
        contents.map((content) => repository.put(path, lent(text(content)), { signal, ifAbsent: true })),
      )
      const winners = outcomes.flatMap((outcome, index) => (outcome.status === 'fulfilled' ? [index] : []))
      for (const outcome of outcomes)
        if (outcome.status === 'rejected') assert.equal(codeOf(outcome.reason), 'EXISTS', String(outcome.reason))
      if (fixture.abilities.createIfAbsent === 'atomic') assert.equal(winners.length, 1, `winners: ${winners}`)
      else assert.ok(winners.length >= 1)
      const content = new TextDecoder().decode(await readFile(repository, path, signal))
      assert.ok(
        winners.some((index) => contents[index] === content),
        `${JSON.stringify(content)} was written by no winner`,
      )
    }
  },
  'leaves one whole version of several that are put at once': async (fixture) => {
    const { repository, signal } = fixture
    const versions = Array.from({ length: 8 }, (_, index) => pattern(100_000 + index, index + 1))
    await Promise.all(versions.map((bytes) => repository.put('a/pin.json', lent(bytes), { signal })))
    const found = await readFile(repository, 'a/pin.json', signal)
    const version = versions.find(({ length }) => length === found.length)
    assert.ok(version, `no version has ${found.length} bytes`)
    assertBytes(found, version, 'the version that stayed')
    assert.deepEqual(await fixture.listed(''), ['a/pin.json'])
  },
  'takes different files in one new folder at once': async (fixture) => {
    await Promise.all(Array.from({ length: 20 }, (_, index) => putText(fixture, `new/folder/${index % 4}/${index}`, `content ${index}`)))
    for (let index = 0; index < 20; index++) await assertHolds(fixture, `new/folder/${index % 4}/${index}`, `content ${index}`)
  },
  'keeps a file that is put while its neighbours go': async (fixture) => {
    const { repository, signal } = fixture
    for (let round = 0; round < 10; round++) {
      await putText(fixture, `a/${round}/old`, 'old')
      await Promise.all([
        repository.delete(`a/${round}/old`, { signal }),
        putText(fixture, `a/${round}/new`, 'new'),
        repository.put(`a/${round}/empty`, lent(text('')), { signal, ifAbsent: true }),
      ])
      await assertHolds(fixture, `a/${round}/new`, 'new')
      await assertHolds(fixture, `a/${round}/empty`, '')
    }
    assert.equal((await fixture.listed('a/')).length, 20)
  },
}
