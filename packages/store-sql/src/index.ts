// The store, and the version of its tables.

export { schemaVersion } from './migrations.ts'
export { type SqlStoreOptions, sqlStore } from './sql-store.ts'

// What a package for one kind of database brings, and the tables it is given.

export type { SqlPlatform, TransactionMode } from './sql-platform.ts'
export type { PointTable, RunTable, Tables } from './tables.ts'
