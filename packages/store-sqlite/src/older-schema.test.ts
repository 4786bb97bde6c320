import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { DatabaseSync } from 'node:sqlite'
import { schemaVersion } from '@holdfast/store-sql'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { sqlite } from './index.ts'

const options = { signal: new AbortController().signal }
let folder: string
let file: string

beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'holdfast-older-schema-'))
  file = join(folder, 'catalog.db')
})
afterEach(async () => {
  await rm(folder, { recursive: true })
})

/** Each step back from one version to the one before it; the last of them first. */
const back: readonly string[] = ['drop index node_reports_at; alter table node_reports drop column host_name;']

async function makeOlder(version: number): Promise<void> {
  const store = sqlite({ file })
  await store.open(options)
  await store.nodes.report({ node: 'a', state: 'OK', version: '1', checks: [] }, options)
  await store[Symbol.asyncDispose]()
  const database = new DatabaseSync(file)
  for (const step of back.slice(version - 1).reverse()) database.exec(step)
  database.exec(`update holdfast_meta set value = '${version}' where name = 'schema'`)
  database.close()
}

describe('a catalog of an older version', () => {
  it('is brought forward with what is in it: schema 1', async () => {
    expect(back.length).toBe(schemaVersion - 1)
    await makeOlder(1)
    const store = sqlite({ file })
    expect((await store.open(options)).epoch).toBe(2)
    expect(await store.nodes.list(options)).toMatchObject([{ node: 'a', state: 'OK', version: '1' }])
    await store.nodes.report({ node: 'b', state: 'OK', version: '2', hostName: 'backup1', checks: [] }, options)
    expect((await store.nodes.list(options))[1]).toMatchObject({ node: 'b', hostName: 'backup1' })
    await store[Symbol.asyncDispose]()
  })
})
