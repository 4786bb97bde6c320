export { nodeSqlite } from './node-sqlite.ts'
export { type SqliteOptions, sqlite } from './sqlite.ts'
export type { OpenSqlite, SqliteDriver, SqliteValue } from './sqlite-driver.ts'
