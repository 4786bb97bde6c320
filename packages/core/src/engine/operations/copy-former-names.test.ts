import { memoryRepository } from '@holdfast/testkit'
import { expect, test } from 'vitest'
import { systemClock } from '../../clock.ts'
import type { DiskItem, Manifest } from '../../model/manifest.ts'
import { bytesOf } from '../../spec/helpers/bytes.ts'
import { formerNames } from './copy-former-names.ts'

const options = { signal: new AbortController().signal }
const folder = 'vm-1-ba074c521f3f824f/20261120T000030Z-3547cb112ac4489a'

/** A folder with a file of the disk below 2 and 3, an alias of it below 1, and something else below 4. */
async function target() {
  const storage = memoryRepository({ clock: systemClock })
  for (const path of ['2/disk-0.qcow2', '3/disk-0.qcow2', '4/disk-1.qcow2'])
    await storage.put(`${folder}/${path}`, bytesOf(Buffer.from('bytes')), options)
  await storage.alias?.(`${folder}/1/disk-0.qcow2`, `${folder}/2/disk-0.qcow2`, options)
  return { storage, repository: 'offsite', folder, number: 5 }
}

const disk = (path: string, replaces?: readonly string[]): DiskItem =>
  ({ type: 'disk', disk: { key: 'd0', name: 'root', size: 1 }, file: { path, size: 5 }, ...(replaces && { replaces }) }) as DiskItem
const manifestWith = (item: DiskItem): Manifest => ({ items: [item] }) as unknown as Manifest
const made = disk('5/disk-0.qcow2')

test('what the old manifest says is all that is taken, when every manifest of the folder can be read', async () => {
  const manifest = manifestWith(disk('2/root.qcow2', ['1/root.qcow2']))
  expect(await formerNames(await target(), { manifest, isUnknown: false }, made, options)).toEqual(['1/root.qcow2', '2/root.qcow2'])
  expect(await formerNames(await target(), { isUnknown: false }, made, options)).toEqual([])
})

test('without its manifest a file or an alias of the same name, below any lower number, may be what a child names', async () => {
  expect(await formerNames(await target(), { isUnknown: true }, made, options)).toEqual([1, 2, 3].map((each) => `${each}/disk-0.qcow2`))
  const third = { ...(await target()), number: 3 }
  expect(await formerNames(third, { isUnknown: true }, disk('3/disk-0.qcow2'), options)).toEqual(['1/disk-0.qcow2', '2/disk-0.qcow2'])
})

test('an older manifest that can be read adds its names to those that are found, none twice', async () => {
  const manifest = manifestWith(disk('2/disk-0.qcow2', ['1/root.qcow2']))
  expect(await formerNames(await target(), { manifest, isUnknown: true }, made, options)).toEqual([
    '1/root.qcow2',
    '2/disk-0.qcow2',
    '1/disk-0.qcow2',
    '3/disk-0.qcow2',
  ])
})

test('a look that is aborted is no answer', async () => {
  const controller = new AbortController()
  controller.abort(new Error('enough'))
  await expect(formerNames(await target(), { isUnknown: true }, made, { signal: controller.signal })).rejects.toThrow('enough')
})
