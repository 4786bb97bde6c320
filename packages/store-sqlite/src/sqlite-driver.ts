/** What SQLite takes and gives. */
export type SqliteValue = null | number | bigint | string | Uint8Array

/**
 * One open SQLite database. Calls are synchronous and throw the error of the library, with the SQLite result code as the number `errcode`
 * (`node:sqlite`) or as a text such as `SQLITE_BUSY` in `code` (`better-sqlite3`).
 */
export interface SqliteDriver {
  /** Runs statements without parameters and results. */
  exec(sql: string): void
  /** Rows as objects; integers as numbers. */
  all(sql: string, parameters: readonly SqliteValue[]): readonly object[]
  /** How many rows a statement changed. */
  run(sql: string, parameters: readonly SqliteValue[]): number
  /** Closes the file, once; nothing is called afterwards. A transaction that is still open is rolled back. */
  close(): void
}

/** Opens the file, which exists already. */
export type OpenSqlite = (file: string) => Promise<SqliteDriver>
