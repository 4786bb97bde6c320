// The store.

export { type SqliteOptions, sqlite } from './sqlite.ts'

// The SQLite library below it: `node:sqlite`, or another one behind the same four methods.

export { nodeSqlite } from './node-sqlite.ts'
export type { OpenSqlite, SqliteDriver, SqliteValue } from './sqlite-driver.ts'
