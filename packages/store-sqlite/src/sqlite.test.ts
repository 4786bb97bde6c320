import { chmod, copyFile, mkdir, mkdtemp, readdir, readFile, rm, stat, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { DatabaseSync } from 'node:sqlite'
import { schemaVersion } from '@holdfast/store-sql'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { nodeSqlite, type SqliteOptions, sqlite } from './index.ts'

const options = { signal: new AbortController().signal }
let folder: string
let file: string

beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'holdfast-sqlite-'))
  file = join(folder, 'catalog.db')
})
afterEach(async () => {
  await rm(folder, { recursive: true })
})

async function open(more: Partial<SqliteOptions> = {}) {
  const store = sqlite({ file, ...more })
  try {
    return await store.open(options)
  } finally {
    await store[Symbol.asyncDispose]()
  }
}

function change(sql: string): void {
  const database = new DatabaseSync(file)
  database.exec(sql)
  database.close()
}

describe('the options', () => {
  const given = (wrong: object) => () => sqlite(wrong as SqliteOptions)
  it('that are not known are refused, with the one that was meant', () => {
    expect(given({ path: '/x' })).toThrow(
      expect.objectContaining({
        code: 'INVALID_OPTIONS',
        message: expect.stringMatching(/^sqlite: path is not known here; known: file, .*; file is missing/),
        remedy: 'Did you mean "file"?',
      }),
    )
    expect(given({ file: '/x', hostname: 'a' })).toThrow(expect.objectContaining({ remedy: 'Did you mean "hostName"?' }))
    expect(given({ file: '/x', bogus: 1 })).toThrow(
      expect.objectContaining({ message: expect.stringContaining('bogus is not known here') }),
    )
    expect(given({ file: '', waitMs: -1 })).toThrow(/file is ""; expected a path; waitMs is -1/)
  })
})

describe('the catalog file', () => {
  it('can be read by its owner only, its side files too', async () => {
    const store = sqlite({ file })
    await store.open(options)
    const names = await readdir(folder)
    expect(names).toContain('catalog.db-wal')
    for (const name of names) expect((await stat(join(folder, name))).mode & 0o777, name).toBe(0o600)
    await store[Symbol.asyncDispose]()
  })

  it('is not touched before open', async () => {
    const store = sqlite({ file })
    await expect(store.runs.get('x', options)).rejects.toMatchObject({ code: 'STORE_FAILED' })
    await store[Symbol.asyncDispose]()
    expect(await readdir(folder)).toEqual([])
  })

  it('takes the time from SQLite and ids from its random source by default', async () => {
    const store = sqlite({ file })
    const { now, storeId } = await store.open(options)
    expect(Math.abs(now - Date.now())).toBeLessThan(60_000)
    expect(Number.isInteger(now)).toBe(true)
    expect(storeId).toMatch(/^[0-9a-f]{32}$/)
    const request = { operation: 'backup', delay: 0, priority: 0, maxFailures: 1, needs: [], resources: [], input: null }
    const created = await store.runs.create(
      ['a', 'b'].map((key) => ({ ...request, key })),
      options,
    )
    expect(new Set([storeId, ...created.map(({ run }) => run.id)]).size).toBe(3)
    await store[Symbol.asyncDispose]()
  })

  it('is durable: write-ahead log, synchronous FULL, foreign keys, a short busy timeout', async () => {
    const settings: Record<string, unknown> = {}
    const store = sqlite({
      file,
      driver: async (path) => {
        const driver = await nodeSqlite(path)
        return {
          ...driver,
          all(sql, parameters) {
            if (sql.startsWith('begin')) {
              for (const name of ['journal_mode', 'synchronous', 'foreign_keys', 'busy_timeout']) {
                settings[name] = Object.values(driver.all(`pragma ${name}`, [])[0] ?? {})[0]
              }
            }
            return driver.all(sql, parameters)
          },
        }
      },
    })
    await store.open(options)
    expect(settings).toEqual({ journal_mode: 'wal', synchronous: 2, foreign_keys: 1, busy_timeout: 50 })
    await store[Symbol.asyncDispose]()
  })

  it('takes the write lock when a writing transaction begins, and none for a reading one', async () => {
    const statements: string[] = []
    const store = sqlite({
      file,
      driver: async (path) => {
        const driver = await nodeSqlite(path)
        return {
          ...driver,
          all(sql, parameters) {
            statements.push(sql)
            return driver.all(sql, parameters)
          },
        }
      },
    })
    await store.open(options)
    statements.length = 0
    await store.outbox.add([], options)
    await store.runs.get('x', options)
    expect(statements.filter((sql) => /^(begin|commit|rollback)/.test(sql))).toEqual(['begin immediate', 'commit', 'begin', 'commit'])
    await store[Symbol.asyncDispose]()
  })

  it('finishes what is under way when it is disposed, and refuses what comes later', async () => {
    const store = sqlite({ file })
    await store.open(options)
    const adding = store.outbox.add([{ id: 'a', event: 1 }], options)
    await store[Symbol.asyncDispose]()
    await adding
    await expect(store.outbox.take(1, 1, options)).rejects.toMatchObject({ code: 'STORE_FAILED' })
    await store[Symbol.asyncDispose]()
  })
})

describe('a catalog of somebody else', () => {
  it('of a newer version is refused with both versions and the file, at open and later, and is not changed', async () => {
    const store = sqlite({ file })
    await store.open(options)
    change(`update holdfast_meta set value = '${schemaVersion + 3}' where name = 'schema'`)
    const newer = {
      code: 'STORE_NEWER',
      message: expect.stringMatching(new RegExp(`${file}.*version ${schemaVersion + 3}.* ${schemaVersion}$`)),
    }
    await expect(store.outbox.add([], options)).rejects.toMatchObject(newer)
    await expect(store.open(options)).rejects.toMatchObject(newer)
    await expect(open()).rejects.toMatchObject(newer)
    await store[Symbol.asyncDispose]()
    change(`update holdfast_meta set value = '${schemaVersion}' where name = 'schema'`)
    expect((await open()).epoch).toBe(2)
  })

  it('of another host is refused with both names; the same host and nobody in particular may open it', async () => {
    await open({ hostName: 'backup1' })
    const foreign = { code: 'FOREIGN_HOST', message: `catalog ${file} belongs to host backup1, this is host backup2` }
    await expect(open({ hostName: 'backup2' })).rejects.toMatchObject(foreign)
    expect((await open({ hostName: 'backup1' })).epoch).toBe(2)
    expect((await open()).epoch).toBe(3)
    await expect(open({ hostName: 'backup2' })).rejects.toMatchObject(foreign)
  })

  it('that was opened without a host name belongs to the first host that gives one', async () => {
    await open()
    await open({ hostName: 'backup1' })
    await expect(open({ hostName: 'backup2' })).rejects.toMatchObject({ code: 'FOREIGN_HOST' })
  })

  it('that is a database of another program is refused and not changed', async () => {
    change('create table invoices (id integer); insert into invoices values (1)')
    const before = await readFile(file)
    await expect(open()).rejects.toMatchObject({ code: 'STORE_FAILED', message: expect.stringContaining('no Holdfast catalog') })
    expect(await readFile(file)).toEqual(before)
    expect(await readdir(folder)).toEqual(['catalog.db'])
  })

  it('that was copied while it was open is whole and goes on', async () => {
    const store = sqlite({ file })
    await store.open(options)
    await store.outbox.add([{ id: 'a', event: 1 }], options)
    for (const suffix of ['', '-wal']) await copyFile(`${file}${suffix}`, `${file}.copy${suffix}`)
    await store[Symbol.asyncDispose]()
    const copy = sqlite({ file: `${file}.copy` })
    expect((await copy.open(options)).epoch).toBe(2)
    expect(await copy.outbox.take(1, 5, options)).toEqual([{ id: 'a', event: 1 }])
    await copy[Symbol.asyncDispose]()
  })
})

describe('a catalog that cannot be opened', () => {
  const failed = (text: string) => ({ code: 'STORE_FAILED', message: expect.stringContaining(text), remedy: expect.stringMatching(/\.$/) })

  it('names the folder that is missing', async () => {
    file = join(folder, 'missing', 'catalog.db')
    await expect(open()).rejects.toMatchObject(failed(`the folder ${join(folder, 'missing')} is missing`))
  })

  it('names a path that is no file', async () => {
    await mkdir(file)
    await expect(open()).rejects.toMatchObject(failed('is not a file'))
  })

  it('names a file that is no database, and leaves it as it was', async () => {
    await writeFile(file, 'a letter to a friend, longer than the header of a database file. '.repeat(40))
    const before = await readFile(file)
    await expect(open()).rejects.toMatchObject(failed('is not a SQLite database'))
    expect(await readFile(file)).toEqual(before)
  })

  it('names a file that is damaged', async () => {
    await open()
    const bytes = await readFile(file)
    bytes.fill(0xff, 100, 4096)
    await writeFile(file, bytes)
    await expect(open()).rejects.toMatchObject(failed('is damaged'))
  })

  it('names a folder that cannot be written', async () => {
    if (process.getuid?.() === 0) {
      // Root may write everywhere: /proc refuses even root.
      file = '/proc/holdfast-catalog.db'
    } else await chmod(folder, 0o500)
    await expect(open()).rejects.toMatchObject({ code: 'STORE_FAILED', message: expect.stringContaining(file) })
    await chmod(folder, 0o700)
  })

  it('can be opened by the same store once the fault is mended', async () => {
    file = join(folder, 'later', 'catalog.db')
    const store = sqlite({ file })
    await expect(store.open(options)).rejects.toMatchObject({ code: 'STORE_FAILED' })
    await mkdir(join(folder, 'later'))
    expect((await store.open(options)).epoch).toBe(1)
    await store[Symbol.asyncDispose]()
  })

  it.each([
    [{ file: '' }, 'file'],
    [{ file: 'x', waitMs: -1 }, '-1'],
    [{ file: 'x', waitMs: Number.NaN }, 'NaN'],
  ])('refuses options %j', (wrong, named) => {
    expect(() => sqlite(wrong)).toThrow(expect.objectContaining({ code: 'INVALID_OPTIONS', message: expect.stringContaining(named) }))
  })
})

describe('an error of SQLite within a transaction', () => {
  it('rolls back, says what and where, and harms nothing that comes later', async () => {
    let fault: (Error & { errcode: number }) | undefined
    const store = sqlite({
      file,
      driver: async (path) => {
        const driver = await nodeSqlite(path)
        return {
          ...driver,
          run(sql, parameters) {
            if (fault !== undefined && parameters.includes('second')) throw fault
            return driver.run(sql, parameters)
          },
        }
      },
    })
    await store.open(options)
    const add = () =>
      store.outbox.add(
        ['first', 'second'].map((id) => ({ id, event: null })),
        options,
      )
    for (const [errcode, text, retryable] of [
      [13, 'the disk is full', true],
      [10, 'cannot be read or written', false],
      [11, 'is damaged', false],
      [1, 'failed', false],
    ] as const) {
      fault = Object.assign(new Error('from SQLite'), { errcode })
      await expect(add()).rejects.toMatchObject({
        code: 'STORE_FAILED',
        retryable,
        message: expect.stringMatching(`${file}.*${text}.*from SQLite`),
      })
      fault = undefined
      expect(await store.outbox.take(0, 5, options)).toEqual([])
    }
    await add()
    expect((await store.outbox.take(0, 5, options)).length).toBe(2)
    await store[Symbol.asyncDispose]()
  })
})
