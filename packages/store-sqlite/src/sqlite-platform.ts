import { type Clock, HoldfastError, throwIfAborted } from '@holdfast/core/spec'
import type { SqlPlatform } from '@holdfast/store-sql'
import { sql } from 'kysely'
import { busyTimeoutMs } from './open-file.ts'
import { isBusy, translate } from './sqlite-errors.ts'

/** Between two tries to get the lock. */
const pauseMs = 25

interface SqlitePlatformOptions {
  readonly file: string
  readonly waitMs: number
  readonly sleep: Clock['sleep']
  /** Milliseconds UTC. Default: SQLite's time. */
  readonly now: (() => number) | undefined
}

async function sqliteTime(transaction: Parameters<SqlPlatform['now']>[0]): Promise<number> {
  const { rows } = await sql<{ now: number }>`select cast(round(unixepoch('subsec') * 1000) as integer) as now`.execute(transaction)
  return rows[0]?.now ?? 0
}

async function randomId(transaction: Parameters<SqlPlatform['newId']>[0]): Promise<string> {
  const { rows } = await sql<{ id: string }>`select lower(hex(randomblob(16))) as id`.execute(transaction)
  return rows[0]?.id ?? ''
}

/** How one SQLite file serves as a catalog. */
export function sqlitePlatform({ file, waitMs, sleep, now }: SqlitePlatformOptions): SqlPlatform {
  const tries = Math.max(1, Math.ceil(waitMs / (pauseMs + busyTimeoutMs)))
  const busy = (opening: boolean, cause: unknown): HoldfastError =>
    new HoldfastError(
      opening ? 'DATABASE_LOCKED' : 'STORE_BUSY',
      `catalog ${file}: another program has held it for more than ${waitMs} ms`,
      { cause },
    )
  return {
    place: `catalog ${file}`,
    async transact(database, { signal, mode, opening = false }, action) {
      const builder = database.transaction().setAccessMode(mode === 'read' ? 'read only' : 'read write')
      for (let attempt = 1; ; attempt++) {
        throwIfAborted(signal)
        try {
          return await builder.execute(async (transaction) => {
            throwIfAborted(signal)
            return action(transaction)
          })
        } catch (error) {
          if (!isBusy(error)) throw translate(error, file)
          if (attempt >= tries) throw busy(opening, error)
        }
        await sleep(pauseMs, { signal }).catch((error) => {
          throwIfAborted(signal)
          throw error
        })
      }
    },
    now: (transaction) => (now === undefined ? sqliteTime(transaction) : Promise.resolve(now())),
    newId: randomId,
    sequenceType: 'integer',
    sequenceColumn: (column) => column.primaryKey().autoIncrement(),
  }
}
