import {
  CompiledQuery,
  type DatabaseConnection,
  type Dialect,
  type Driver,
  type QueryResult,
  SqliteAdapter,
  SqliteIntrospector,
  SqliteQueryCompiler,
} from 'kysely'
import type { SqliteDriver, SqliteValue } from './sqlite-driver.ts'

const changing: ReadonlySet<string> = new Set(['InsertQueryNode', 'UpdateQueryNode', 'DeleteQueryNode'])

function connectionOf(driver: SqliteDriver): DatabaseConnection {
  return {
    async executeQuery<R>({ sql, parameters, query }: CompiledQuery): Promise<QueryResult<R>> {
      const values = parameters as readonly SqliteValue[]
      if (!changing.has(query.kind)) return { rows: driver.all(sql, values) as R[] }
      return { rows: [], numAffectedRows: BigInt(driver.run(sql, values)) }
    },
    streamQuery() {
      throw new Error('A stream would keep the only connection: read pages.')
    },
  }
}

/**
 * A Kysely dialect over one connection: `SqliteAdapter` says so, and Kysely then hands it to one transaction after the other, so that those of one
 * process never interleave. A transaction that may write takes the write lock when it begins: a later upgrade could fail half-way.
 */
export function sqliteDialect(open: () => Promise<SqliteDriver>): Dialect {
  return {
    createDriver: () => createDriver(open),
    createQueryCompiler: () => new SqliteQueryCompiler(),
    createAdapter: () => new SqliteAdapter(),
    createIntrospector: (database) => new SqliteIntrospector(database),
  }
}

function createDriver(open: () => Promise<SqliteDriver>): Driver {
  let driver: SqliteDriver | undefined
  let connection: DatabaseConnection | undefined
  return {
    async init() {
      driver = await open()
      connection = connectionOf(driver)
    },
    async acquireConnection() {
      return connection as DatabaseConnection
    },
    async releaseConnection() {},
    async beginTransaction(current, settings) {
      const statement = settings.accessMode === 'read only' ? 'begin' : 'begin immediate'
      await current.executeQuery(CompiledQuery.raw(statement))
    },
    async commitTransaction(current) {
      await current.executeQuery(CompiledQuery.raw('commit'))
    },
    async rollbackTransaction(current) {
      await current.executeQuery(CompiledQuery.raw('rollback')).catch((error: unknown) => {
        // After some errors, a full disk among them, SQLite has rolled back already.
        if (!(error instanceof Error && error.message.includes('no transaction is active'))) throw error
      })
    },
    async destroy() {
      driver?.close()
      driver = undefined
    },
  }
}
