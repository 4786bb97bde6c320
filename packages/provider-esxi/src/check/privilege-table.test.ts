import { readFile } from 'node:fs/promises'
import { expect, test } from 'vitest'
import { methods } from '../vim25/methods.ts'
import { methodsForAll, privilegesByUse } from './privilege-table.ts'

const all = Object.values(privilegesByUse).flat()

test('every call of the table of calls either needs a privilege that is looked for, or none', () => {
  const needing = new Set(all.flatMap((one) => one.methods))
  expect(Object.keys(methods).toSorted()).toEqual([...needing, ...methodsForAll].toSorted())
})

test('no privilege is looked for twice on the same kind of object', () => {
  const asked = all.map(({ id, on }) => `${id} on ${on}`)
  expect(asked.filter((one, index) => asked.indexOf(one) !== index)).toEqual([])
})

test('the guide lists the privileges that are looked for', async () => {
  const places = {
    Datastore: 'datastores',
    Folder: 'folders of machines',
    HostSystem: 'hosts',
    Network: 'networks',
    ResourcePool: 'resource pools',
    VirtualMachine: 'machines',
  }
  const rows = Object.entries(privilegesByUse).flatMap(([use, each]) =>
    each.map(({ id, on, need }) => `| ${use} | \`${id}\` | ${places[on]} | ${need} |`),
  )
  const page = await readFile(new URL('../../../../docs/guide/back-up-esxi.md', import.meta.url), 'utf8')
  const table = /\| for \| privilege .*\n.*\n((?:\|.*\n)+)/.exec(page)?.[1] ?? ''
  expect(table.trimEnd().split('\n')).toEqual(rows)
})
