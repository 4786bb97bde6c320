import { open, stat } from 'node:fs/promises'
import { dirname } from 'node:path'
import { codeOf, HoldfastError } from '@holdfast/core/spec'
import type { OpenSqlite, SqliteDriver } from './sqlite-driver.ts'

/** Short, because SQLite's own waiting blocks the thread; the rest of the waiting is asynchronous. */
export const busyTimeoutMs = 50

const failed = (message: string, remedy: string, cause?: unknown): HoldfastError =>
  new HoldfastError('STORE_FAILED', message, { remedy, ...(cause !== undefined && { cause }) })

/** Makes an empty file that only its owner may read, durable in its folder, if there is none. SQLite gives its side files the same mode. */
async function ensureFile(file: string): Promise<void> {
  try {
    const handle = await open(file, 'wx', 0o600)
    await handle.close()
    const folder = await open(dirname(file), 'r')
    try {
      await folder.sync()
    } finally {
      await folder.close()
    }
  } catch (error) {
    const code = codeOf(error)
    if (code === 'EEXIST') return checkRegular(file)
    if (code === 'ENOENT')
      throw failed(`catalog ${file}: the folder ${dirname(file)} is missing`, 'Create the folder, or mend the path.', error)
    throw failed(`catalog ${file} cannot be created: ${(error as Error).message}`, 'Check owner and mode of the folder.', error)
  }
}

async function checkRegular(file: string): Promise<void> {
  if (!(await stat(file)).isFile()) throw failed(`catalog ${file} is not a file`, 'Mend the path.')
}

const firstColumn = (row: object | undefined): unknown => (row === undefined ? undefined : Object.values(row)[0])

/** Refuses the database of somebody else before the first change to it. */
function checkOwnership(driver: SqliteDriver, file: string): void {
  const tables = driver.all("select name from sqlite_master where type = 'table'", []).map(firstColumn)
  if (tables.length === 0 || tables.includes('holdfast_meta')) return
  throw failed(`${file} is a SQLite database, but no Holdfast catalog`, 'Give the catalog a file of its own.')
}

function prepare(driver: SqliteDriver, file: string): void {
  driver.exec(`pragma busy_timeout = ${busyTimeoutMs}`)
  checkOwnership(driver, file)
  const mode = firstColumn(driver.all('pragma journal_mode = wal', [])[0])
  if (mode !== 'wal') {
    throw failed(`catalog ${file}: its file system does not allow a write-ahead log (mode ${String(mode)})`, 'Put it on a local disk.')
  }
  // FULL: a transaction survives a power loss when it returns. The default differs between libraries.
  driver.exec('pragma synchronous = full')
  driver.exec('pragma foreign_keys = on')
}

/** Opens the file, made if absent, with everything set that a durable transaction needs. */
export async function openFile(file: string, openSqlite: OpenSqlite): Promise<SqliteDriver> {
  await ensureFile(file)
  const driver = await openSqlite(file)
  try {
    prepare(driver, file)
    return driver
  } catch (error) {
    driver.close()
    throw error
  }
}
