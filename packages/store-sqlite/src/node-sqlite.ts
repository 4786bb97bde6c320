import type { DatabaseSync, StatementSync } from 'node:sqlite'
import type { SqliteDriver, SqliteValue } from './sqlite-driver.ts'

const statementsKept = 200

/** Prepared statements by their text, the least recently used ones forgotten. */
function statementCache(database: DatabaseSync): (sql: string) => StatementSync {
  const statements = new Map<string, StatementSync>()
  return (sql) => {
    const statement = statements.get(sql) ?? database.prepare(sql)
    statements.delete(sql)
    statements.set(sql, statement)
    const oldest = statements.keys().next()
    if (statements.size > statementsKept && !oldest.done) statements.delete(oldest.value)
    return statement
  }
}

/** The driver over `node:sqlite`. The module is imported when a file is opened, because Node 22 prints an ExperimentalWarning at that moment. */
export async function nodeSqlite(file: string): Promise<SqliteDriver> {
  const { DatabaseSync } = await import('node:sqlite')
  const database = new DatabaseSync(file)
  const prepare = statementCache(database)
  return {
    exec: (sql) => database.exec(sql),
    all: (sql: string, parameters: readonly SqliteValue[]) => prepare(sql).all(...parameters),
    run: (sql, parameters) => Number(prepare(sql).run(...parameters).changes),
    close: () => database.close(),
  }
}
