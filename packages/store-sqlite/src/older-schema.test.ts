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

/** Each step back from one version to the one before it: the first leads from 2 to 1. */
const back: readonly string[] = [
  'drop index node_reports_at; alter table node_reports drop column host_name;',
  'drop index runs_overlap; create index runs_overlap on runs (overlap_key); alter table runs drop column set_for;',
]

async function makeOlder(version: number): Promise<void> {
  const store = sqlite({ file })
  await store.open(options)
  await store.nodes.report({ node: 'a', state: 'OK', version: '1', checks: [] }, options)
  await store[Symbol.asyncDispose]()
  const database = new DatabaseSync(file)
  for (const step of back.slice(version - 1).toReversed()) database.exec(step)
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

  it('is brought forward to the same schema as a new one, from each version', async () => {
    const schemaOf = () => {
      const database = new DatabaseSync(file)
      const rows = database.prepare('select name, sql from sqlite_master order by name').all()
      database.close()
      return rows
    }
    for (let version = 1; version <= schemaVersion; version++) {
      await makeOlder(version)
      const store = sqlite({ file })
      await store.open(options)
      await store[Symbol.asyncDispose]()
      const brought = schemaOf()
      await rm(file)
      const fresh = sqlite({ file })
      await fresh.open(options)
      await fresh[Symbol.asyncDispose]()
      expect(brought).toEqual(schemaOf())
      await rm(file)
    }
  })
})
