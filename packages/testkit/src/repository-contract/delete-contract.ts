import assert from 'node:assert/strict'
import { assertAbsent, assertHolds, type ContractTests, lent, putText, text } from './contract-fixture.ts'

export const deleteContract: ContractTests = {
  'removes one file and nothing else': async (fixture) => {
    for (const path of ['a/1/x', 'a/1/xy', 'a/1/y', 'a/2/x']) await putText(fixture, path, path)
    await fixture.repository.delete('a/1/x', { signal: fixture.signal })
    await assertAbsent(fixture, 'a/1/x')
    assert.deepEqual(await fixture.listed(''), ['a/1/xy', 'a/1/y', 'a/2/x'])
    await assertHolds(fixture, 'a/1/y', 'a/1/y')
  },
  'takes what is gone already for success': async (fixture) => {
    const { repository, signal } = fixture
    await putText(fixture, 'a/x', 'x')
    for (const path of ['a/x', 'a/x', 'a/never', 'no/such/folder/x', 'a/', 'a/', 'no/such/', 'repository.json']) {
      await repository.delete(path, { signal })
    }
    assert.deepEqual(await fixture.listed(''), [])
  },
  'frees the name': async (fixture) => {
    const { repository, signal } = fixture
    for (const content of ['first', 'second', 'third']) {
      await repository.put('a/1/x', lent(text(content)), { signal, ifAbsent: true })
      await assertHolds(fixture, 'a/1/x', content)
      await repository.delete(content === 'first' ? 'a/' : 'a/1/x', { signal })
    }
    await assertAbsent(fixture, 'a/1/x')
  },
  'with a slash at the end removes everything below, at any depth': async (fixture) => {
    for (const path of ['a/p/1/x', 'a/p/1/2/y', 'a/p/pin.json', 'a/pq/x', 'a/p.json', 'b']) await putText(fixture, path, path)
    await fixture.repository.delete('a/p/', { signal: fixture.signal })
    for (const path of ['a/p/1/x', 'a/p/1/2/y', 'a/p/pin.json']) await assertAbsent(fixture, path)
    assert.deepEqual(await fixture.listed(''), ['a/p.json', 'a/pq/x', 'b'])
  },
  'lasts over a restart': async (fixture) => {
    await putText(fixture, 'a/x', 'x')
    await fixture.repository.delete('a/x', { signal: fixture.signal })
    const again = (await fixture.reopen?.()) ?? fixture.repository
    await assertAbsent({ ...fixture, repository: again }, 'a/x')
  },
}
