import { type Clock, invalidOptions, type OptionsMistake, type Store, showValue, unknownKeys } from '@holdfast/core/spec'
import { sqlStore, type Tables } from '@holdfast/store-sql'
import { Kysely } from 'kysely'
import { nodeSqlite } from './node-sqlite.ts'
import { openFile } from './open-file.ts'
import { sqliteDialect } from './sqlite-dialect.ts'
import type { OpenSqlite } from './sqlite-driver.ts'
import { sqlitePlatform } from './sqlite-platform.ts'

/** Where the catalog is and how it is opened. */
export interface SqliteOptions {
  /** Path of the file. It is made if absent, with mode 0600; its folder must exist and be on a local disk. */
  readonly file: string
  /** The name of this host. Kept in the file: later, `open` refuses another name with FOREIGN_HOST. Without it, nothing is checked. */
  readonly hostName?: string
  /** How long a call waits for other programs that hold the file, milliseconds. Default 5000. */
  readonly waitMs?: number
  /** The store's time, and what waiting sleeps by. Default: SQLite's time, and the system clock to sleep by. */
  readonly clock?: Clock
  /** Opens the file with another SQLite library. Default: `node:sqlite`. */
  readonly driver?: OpenSqlite
}

const defaultWaitMs = 5000
const known = ['file', 'hostName', 'waitMs', 'clock', 'driver'] satisfies readonly (keyof SqliteOptions)[]
const alsoFile = { path: 'file', filename: 'file', database: 'file', location: 'file' }

/**
 * The catalog in one SQLite file, for one host; several processes of it may share the file. Each method is one transaction that has reached the disk when its promise
 * resolves (write-ahead log, `synchronous=FULL`, `BEGIN IMMEDIATE`); an abort before the commit leaves nothing and rejects with ABORTED. Nothing is
 * opened before `open`, which makes the file and migrates it.
 *
 * Errors beside those of the contract: DATABASE_LOCKED (`open`) and STORE_BUSY (other methods) when another program held the file for more than
 * `waitMs`; STORE_NEWER; FOREIGN_HOST; STORE_FAILED when the file cannot be opened, read or written, is damaged, or is something else.
 *
 * @example
 * ```ts
 * const store = sqlite({ file: '/var/lib/holdfast/catalog.db', hostName: 'backup1' })
 * const { storeId, epoch } = await store.open({ signal })
 * ```
 */
export function sqlite(options: SqliteOptions): Store {
  assertOptions(options)
  const { file, hostName, waitMs = defaultWaitMs, clock, driver = nodeSqlite } = options
  return sqlStore({
    database: new Kysely<Tables>({ dialect: sqliteDialect(() => openFile(file, driver)) }),
    platform: sqlitePlatform({ file, waitMs, clock }),
    ...(hostName !== undefined && { hostName }),
  })
}

function assertOptions(options: SqliteOptions): void {
  const mistakes: OptionsMistake[] = [...unknownKeys(options, known, alsoFile)]
  const { file, waitMs }: Partial<SqliteOptions> = options ?? {}
  if (file === undefined) mistakes.push({ path: 'file', problem: 'is missing; expected the path of the catalog file' })
  else if (typeof file !== 'string' || file === '') mistakes.push({ path: 'file', problem: `is ${showValue(file)}; expected a path` })
  if (waitMs !== undefined && !(typeof waitMs === 'number' && waitMs >= 0))
    mistakes.push({ path: 'waitMs', problem: `is ${showValue(waitMs)}; expected a number of milliseconds` })
  if (mistakes.length > 0) throw invalidOptions('sqlite', mistakes)
}
