import assert from 'node:assert/strict'
import { assertHolds, assertRejects, type ContractTests, lent, putText, text } from './contract-fixture.ts'

const hostile = [
  '',
  '/',
  '/etc/x',
  '..',
  '../x',
  'a/../../x',
  'a/..',
  './x',
  'a/./x',
  'a//x',
  'a\\x',
  '..\\x',
  'a\0x',
  'a/x\n',
  '.hidden',
  'a/.x~1',
]

export const pathsContract: ContractTests = {
  'refuses every path that could leave the repository or be read in two ways': async (fixture) => {
    const { repository, signal } = fixture
    for (const path of hostile) {
      await assertRejects(repository.put(path, lent(text('x')), { signal }), 'PATH_OUTSIDE')
      await assertRejects(repository.put(path, lent(text('')), { signal, ifAbsent: true }), 'PATH_OUTSIDE')
      await assertRejects(repository.open(path, { signal }), 'PATH_OUTSIDE')
      await assertRejects(repository.delete(path, { signal }), 'PATH_OUTSIDE')
      await assertRejects(repository.delete(`${path}/`, { signal }), 'PATH_OUTSIDE')
    }
    for (const path of hostile.slice(1)) await assertRejects(repository.sync(path, { signal }), 'PATH_OUTSIDE')
    assert.deepEqual(await fixture.listed(''), [])
  },
  'refuses a folder as the name of a file': async (fixture) => {
    const { repository, signal } = fixture
    await assertRejects(repository.put('a/', lent(text('x')), { signal }), 'PATH_OUTSIDE')
    await assertRejects(repository.open('a/', { signal }), 'PATH_OUTSIDE')
  },
  'refuses to list or to alias outside': async ({ repository, signal }) => {
    for (const prefix of ['../', '/', '/etc/', 'a/../../', 'a//']) {
      const walk = async (): Promise<void> => {
        for await (const { path } of repository.list(prefix, { signal })) assert.fail(`list(${prefix}) shows ${path}`)
      }
      await assertRejects(walk(), 'PATH_OUTSIDE')
    }
    if (!repository.alias) return
    await repository.put('a/x', lent(text('x')), { signal })
    for (const path of hostile) {
      await assertRejects(repository.alias(path, 'a/x', { signal }), 'PATH_OUTSIDE')
      await assertRejects(repository.alias('a/y', path, { signal }), 'PATH_OUTSIDE')
    }
  },
  'takes every harmless name': async (fixture) => {
    const names = [
      'Größe.txt',
      'with blank',
      '100%',
      'a~b',
      'x'.repeat(200),
      '-rf',
      '*',
      'naïve',
      '日本語',
      'quote\'"',
      'COM1.x',
      '{}',
      '#',
      '?q=1&b',
      '+',
      'UPPER',
    ]
    for (const name of names) await putText(fixture, `folder of names/${name}/${name}`, name)
    for (const name of names) await assertHolds(fixture, `folder of names/${name}/${name}`, name)
    assert.deepEqual(await fixture.listed(''), names.map((name) => `folder of names/${name}/${name}`).toSorted())
  },
}
