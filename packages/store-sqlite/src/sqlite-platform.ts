import { type Clock, HoldfastError, throwIfAborted } from '@holdfast/core/spec'
import type { SqlPlatform } from '@holdfast/store-sql'
import { sql } from 'kysely'
import { busyTimeoutMs } from './open-file.ts'
import { isBusy, translate } from './sqlite-errors.ts'

/** Between two tries to get the lock, where there is a clock to sleep by. */
const pauseMs = 25

interface SqlitePlatformOptions {
  readonly file: string
  readonly waitMs: number
  readonly clock: Clock | undefined
}

/** One turn of the event loop: whatever waits for input, a timer or the end of a call comes first. */
const yieldTurn = (): Promise<void> => new Promise((resolve) => setImmediate(resolve))

async function sqliteTime(transaction: Parameters<SqlPlatform['now']>[0]): Promise<number> {
  const { rows } = await sql<{ now: number }>`select cast(round(unixepoch('subsec') * 1000) as integer) as now`.execute(transaction)
  return rows[0]?.now ?? 0
}

async function randomId(transaction: Parameters<SqlPlatform['newId']>[0]): Promise<string> {
  const { rows } = await sql<{ id: string }>`select lower(hex(randomblob(16))) as id`.execute(transaction)
  return rows[0]?.id ?? ''
}

/** How one SQLite file serves as a catalog. */
export function sqlitePlatform({ file, waitMs, clock }: SqlitePlatformOptions): SqlPlatform {
  const tries = Math.max(1, Math.ceil(waitMs / (busyTimeoutMs + (clock === undefined ? 0 : pauseMs))))
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
        await (clock?.sleep(pauseMs, { signal }).catch(() => throwIfAborted(signal)) ?? yieldTurn())
      }
    },
    now: (transaction) => (clock === undefined ? sqliteTime(transaction) : Promise.resolve(clock.now())),
    newId: randomId,
    sequenceType: 'integer',
    sequenceColumn: (column) => column.primaryKey().autoIncrement(),
  }
}
