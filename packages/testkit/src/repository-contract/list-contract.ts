import assert from 'node:assert/strict'
import { type ContractTests, lent, pattern, putText, text } from './contract-fixture.ts'

export const listContract: ContractTests = {
  'is empty in the beginning, and for a folder that is not there': async (fixture) => {
    assert.deepEqual(await fixture.listed(''), [])
    assert.deepEqual(await fixture.listed('no/such/folder/'), [])
  },
  'shows every file below the prefix, at any depth, and no folder': async (fixture) => {
    const all = ['repository.json', 'a/p/1/disk', 'a/p/manifest.1.json', 'a/p/pin.json', 'a/q/manifest.2.json', 'b/p/1/2/3/deep']
    for (const path of all) await putText(fixture, path, path)
    assert.deepEqual(await fixture.listed(''), all.toSorted())
    assert.deepEqual(await fixture.listed('a/'), all.filter((path) => path.startsWith('a/')).toSorted())
    assert.deepEqual(await fixture.listed('a/p/1/'), ['a/p/1/disk'])
    assert.deepEqual(await fixture.listed('b/'), ['b/p/1/2/3/deep'])
  },
  'takes a folder for a folder, not for the beginning of a name': async (fixture) => {
    for (const path of ['a/1', 'ab/1', 'a.json', 'aa']) await putText(fixture, path, 'x')
    assert.deepEqual(await fixture.listed('a/'), ['a/1'])
  },
  'tells size and age': async ({ repository, signal }) => {
    await repository.put('a/full', lent(pattern(1234)), { signal })
    await repository.put('a/empty', lent(text('')), { signal })
    const sizes = new Map<string, number>()
    for await (const { path, size, ageMs } of repository.list('a/', { signal })) {
      sizes.set(path, size)
      assert.ok(Number.isFinite(ageMs) && ageMs >= 0 && ageMs < 3_600_000, `the age of ${path} is ${ageMs}`)
    }
    assert.deepEqual([...sizes].toSorted(), [
      ['a/empty', 0],
      ['a/full', 1234],
    ])
  },
  'goes on while files come and go': async (fixture) => {
    const { repository, signal } = fixture
    for (let index = 0; index < 20; index++) await putText(fixture, `a/${index}/file`, 'x')
    await putText(fixture, 'b/stays', 'x')
    const seen: string[] = []
    for await (const { path } of repository.list('', { signal })) {
      if (seen.length === 0) await repository.delete('a/', { signal })
      seen.push(path)
    }
    assert.ok(seen.length > 0)
    assert.deepEqual(await fixture.listed(''), ['b/stays'])
  },
}
