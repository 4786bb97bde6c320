import assert from 'node:assert/strict'
import { assertHolds, type ContractTests, putText } from './contract-fixture.ts'

export const syncContract: ContractTests = {
  'resolves for any folder, with or without a slash, there or not, and changes nothing': async (fixture) => {
    await putText(fixture, 'a/p/1/disk', 'disk')
    await putText(fixture, 'a/p/manifest.1.json', 'manifest')
    for (const folder of ['', 'a', 'a/', 'a/p', 'a/p/', 'a/p/1/', 'no/such/folder']) {
      await fixture.repository.sync(folder, { signal: fixture.signal })
    }
    await assertHolds(fixture, 'a/p/1/disk', 'disk')
    assert.deepEqual(await fixture.listed(''), ['a/p/1/disk', 'a/p/manifest.1.json'])
  },
  'may run several times at once': async (fixture) => {
    await putText(fixture, 'a/x', 'x')
    await Promise.all(Array.from({ length: 5 }, () => fixture.repository.sync('a', { signal: fixture.signal })))
    await assertHolds(fixture, 'a/x', 'x')
  },
}

export const checkContract: ContractTests = {
  'says in words that all is well, and writes nothing': async (fixture) => {
    const checks = await fixture.repository.check({ signal: fixture.signal })
    assert.ok(checks.length > 0, 'there is no check')
    for (const { name, status, message } of checks) {
      assert.ok(name.length > 0 && message.length > 0)
      assert.notEqual(status, 'error', message)
    }
    assert.deepEqual(await fixture.listed(''), [])
  },
  'has the version and the abilities that it says': async ({ repository, abilities }) => {
    assert.equal(repository.specVersion, 1)
    assert.equal(repository.createIfAbsent, abilities.createIfAbsent)
    assert.equal(repository.alias !== undefined, abilities.alias)
  },
}
