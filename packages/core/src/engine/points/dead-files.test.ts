import { memoryRepository } from '@holdfast/testkit'
import { expect, test } from 'vitest'
import { systemClock } from '../../clock.ts'
import { bytesOf } from '../../spec/helpers/bytes.ts'
import { removeDeadFiles } from './dead-files.ts'

const folder = 'vm-1-ba074c521f3f824f/20261120T000030Z-3547cb112ac4489a'
const options = { signal: new AbortController().signal }

async function repositoryWith(files: { readonly [path: string]: string }) {
  const repository = memoryRepository({ clock: systemClock })
  for (const [path, text] of Object.entries(files)) {
    const bytes = Buffer.from(text)
    await repository.put(`${folder}/${path}`, bytesOf(bytes), { ...options, size: bytes.length })
  }
  return repository
}

const remove = (repository: Awaited<ReturnType<typeof repositoryWith>>) =>
  removeDeadFiles(repository, { repository: 'main', folder }, options, 1)

test('what lies below a dead number goes', async () => {
  const repository = await repositoryWith({ 'manifest.1.json': '', '1/disk.qcow2': 'bytes' })
  expect(await remove(repository)).toMatchObject({ live: false, deletedBytes: 5 })
  expect([...repository.snapshot().keys()]).toEqual([`${folder}/manifest.1.json`])
})

test('nothing goes while a manifest cannot be read: it might name it, and which one it is is told', async () => {
  const repository = await repositoryWith({ 'manifest.1.json': '', '1/disk.qcow2': 'bytes', 'manifest.2.json': 'no manifest' })
  expect(await remove(repository)).toMatchObject({ live: true, deletedBytes: 0, undecided: `${folder}/manifest.2.json` })
  expect(repository.snapshot().has(`${folder}/1/disk.qcow2`)).toBe(true)
  await repository.delete(`${folder}/manifest.2.json`, options)
  const decided = await remove(repository)
  expect(decided).toMatchObject({ live: false, deletedBytes: 5 })
  expect(decided.undecided).toBeUndefined()
})

test('a manifest of a number that nobody counts to is left alone, and what lies below a dead number goes as usual', async () => {
  const stray = 'manifest.999999999.json'
  const repository = await repositoryWith({ 'manifest.1.json': '', '1/disk.qcow2': 'bytes', [stray]: 'no manifest' })
  expect(await remove(repository)).toMatchObject({ live: false, deletedBytes: 5 })
  expect([...repository.snapshot().keys()].sort()).toEqual([`${folder}/manifest.1.json`, `${folder}/${stray}`])
})
