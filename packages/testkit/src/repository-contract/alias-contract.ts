import assert from 'node:assert/strict'
import type { Repository } from '@holdfast/core/spec'
import {
  assertAbsent,
  assertHolds,
  assertRejects,
  type ContractFixture,
  type ContractTests,
  lent,
  putText,
  text,
} from './contract-fixture.ts'

async function alias({ repository, signal }: ContractFixture, path: string, target: string, replace?: boolean): Promise<void> {
  await (repository.alias as NonNullable<Repository['alias']>)(path, target, { signal, ...(replace !== undefined && { replace }) })
}

export const aliasContract: ContractTests = {
  'gives a file another name that list does not show': async (fixture) => {
    await putText(fixture, 'a/p/2/disk', 'merged')
    await alias(fixture, 'a/p/1/disk', 'a/p/2/disk')
    assert.deepEqual(await fixture.listed(''), ['a/p/2/disk'])
    await assertHolds(fixture, 'a/p/2/disk', 'merged')
  },
  'takes the name: ifAbsent is refused': async (fixture) => {
    const { repository, signal } = fixture
    await putText(fixture, 'a/p/2/disk', 'merged')
    await alias(fixture, 'a/p/1/disk', 'a/p/2/disk')
    await assertRejects(repository.put('a/p/1/disk', lent(text('new')), { signal, ifAbsent: true }), 'EXISTS')
    await assertHolds(fixture, 'a/p/2/disk', 'merged')
  },
  'may be made again, also for another target': async (fixture) => {
    await putText(fixture, 'a/p/2/disk', 'second')
    await putText(fixture, 'a/p/3/disk', 'third')
    for (const number of [2, 2, 3]) await alias(fixture, 'a/p/1/disk', `a/p/${number}/disk`)
    await fixture.repository.delete('a/p/2/disk', { signal: fixture.signal })
    await assertRejects(fixture.repository.put('a/p/1/disk', lent(text('new')), { signal: fixture.signal, ifAbsent: true }), 'EXISTS')
    assert.deepEqual(await fixture.listed(''), ['a/p/3/disk'])
  },
  'goes before its target': async (fixture) => {
    const { repository, signal } = fixture
    for (const [index, gone] of ['a/p/2/disk', 'a/p/2/'].entries()) {
      await putText(fixture, 'a/p/2/disk', 'merged')
      await alias(fixture, 'a/p/1/disk', 'a/p/2/disk')
      await repository.delete(gone, { signal })
      await repository.put('a/p/1/disk', lent(text(`free ${index}`)), { signal, ifAbsent: true })
      await assertHolds(fixture, 'a/p/1/disk', `free ${index}`)
      await repository.delete('a/p/1/disk', { signal })
    }
  },
  'goes alone when only it is deleted': async (fixture) => {
    await putText(fixture, 'a/p/2/disk', 'merged')
    await alias(fixture, 'a/p/1/disk', 'a/p/2/disk')
    await fixture.repository.delete('a/p/1/disk', { signal: fixture.signal })
    await assertHolds(fixture, 'a/p/2/disk', 'merged')
    await assertAbsent(fixture, 'a/p/1/disk')
  },
  'takes the place of a file only with replace': async (fixture) => {
    await putText(fixture, 'a/p/1/disk', 'bytes')
    await putText(fixture, 'a/p/2/disk', 'merged')
    await assertRejects(alias(fixture, 'a/p/1/disk', 'a/p/2/disk', false), 'EXISTS')
    await alias(fixture, 'a/p/1/disk', 'a/p/2/disk', true)
    await alias(fixture, 'a/p/1/disk', 'a/p/2/disk', true)
    assert.deepEqual(await fixture.listed(''), ['a/p/2/disk'])
    await assertRejects(alias(fixture, 'a/p/2/disk', 'a/p/9/disk', true), 'NOT_FOUND')
    await assertHolds(fixture, 'a/p/2/disk', 'merged')
  },
  'needs a target, and never takes the place of a file': async (fixture) => {
    await putText(fixture, 'a/p/1/disk', 'bytes')
    await putText(fixture, 'a/p/2/disk', 'merged')
    await assertRejects(alias(fixture, 'a/p/3/disk', 'a/p/9/disk'), 'NOT_FOUND')
    await assertRejects(alias(fixture, 'a/p/1/disk', 'a/p/2/disk'), 'EXISTS')
    await assertHolds(fixture, 'a/p/1/disk', 'bytes')
  },
}

export const noAliasContract: ContractTests = {
  'is not offered': async ({ repository }) => assert.equal(repository.alias, undefined),
}
