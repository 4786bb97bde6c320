import { memoryRepository } from '@holdfast/testkit'
import { expect, test } from 'vitest'
import { systemClock } from '../../clock.ts'
import { encodeManifest, type ManifestItem } from '../../model/manifest.ts'
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

const hash = 'ab'.repeat(32)

/** A manifest of the folder that holds a kept VMDK with these old names. */
function manifestOf(number: number, replaces?: readonly string[]): string {
  const item: ManifestItem = {
    type: 'stream',
    name: 'root.vmdk',
    format: 'vmdk',
    form: 'kept',
    size: 3,
    sha256: hash,
    file: { path: `${number}/root.vmdk`, size: 3, sha256: hash },
    disk: { key: 'd0', name: 'root', size: 65_536 },
    sums: { path: `${number}/root.sums`, size: 32, sha256: hash },
    digest: hash,
    ...(replaces && { replaces }),
  }
  const at = '2026-11-20T00:00:30.000Z'
  const bytes = encodeManifest({
    formatVersion: 1,
    repositoryId: 'r',
    folder,
    number,
    point: folder.slice(folder.indexOf('/') + 1),
    createdAt: at,
    due: at,
    workload: { provider: 'p', id: 'vm-1', name: 'vm', kind: 'machine' },
    providerKind: 'p',
    runKey: 'key',
    attempt: 1,
    sequence: 1,
    parents: {},
    items: [item],
    description: null,
    consistency: 'crash',
    skipped: [],
    bytes: { provisioned: 0, used: 0, transferred: 0, stored: 0 },
    warnings: [],
    software: { name: 'holdfast', version: '0' },
  })
  return Buffer.from(bytes).toString()
}

test('the old names of a VMDK that was written anew become aliases, but not those that a live number has or a writer is making', async () => {
  const repository = await repositoryWith({
    'manifest.1.json': '',
    '1/root.vmdk': 'bad',
    'manifest.2.json': manifestOf(2),
    '2/root.vmdk': 'old',
    '3/root.vmdk': 'unfinished',
    'manifest.4.json': manifestOf(4, ['1/root.vmdk', '2/root.vmdk', '3/root.vmdk']),
    '4/root.vmdk': 'new',
  })
  expect(await remove(repository)).toMatchObject({ live: true, deletedBytes: 3 })
  await expect(repository.open(`${folder}/1/root.vmdk`, options)).rejects.toMatchObject({ code: 'PATH_OUTSIDE' })
  const left = [...repository.snapshot()].map(([path, bytes]) => `${path.slice(folder.length + 1)} ${bytes.length}`)
  expect(left.filter((line) => line.includes('root.vmdk')).sort()).toEqual(['2/root.vmdk 3', '3/root.vmdk 10', '4/root.vmdk 3'])
})
