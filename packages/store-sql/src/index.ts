export { schemaVersion } from './migrations.ts'
export type { SqlPlatform, TransactionMode } from './sql-platform.ts'
export { type SqlStoreOptions, sqlStore } from './sql-store.ts'
export type { PointTable, RunTable, Tables } from './tables.ts'
