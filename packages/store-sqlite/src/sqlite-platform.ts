import { type Clock, HoldfastError, systemClock, throwIfAborted } from '@holdfast/core/spec'
import type { SqlPlatform } from '@holdfast/store-sql'
import { sql } from 'kysely'
import { busyTimeoutMs } from './open-file.ts'
import { isBusy, translate } from './sqlite-errors.ts'

/** Between two tries to get the lock: long enough for the event loop to renew leases, short enough to be nobody's limit. */
const pauseMs = 25

interface SqlitePlatformOptions {
  readonly file: string
  readonly waitMs: number
  readonly clock: Clock | undefined
}

async function sqliteTime(transaction: Parameters<SqlPlatform['now']>[0]): Promise<number> {
  const { rows } = await sql<{ now: number }>`select cast(round(unixepoch('subsec') * 1000) as integer) as now`.execute(transaction)
  return rows[0]?.now ?? 0
}

const idBytes = 16

async function randomIds(transaction: Parameters<SqlPlatform['newIds']>[0], count: number): Promise<readonly string[]> {
  const { rows } = await sql<{ ids: string }>`select lower(hex(randomblob(${idBytes * count}))) as ids`.execute(transaction)
  const [digits, ids] = [idBytes * 2, rows[0]?.ids ?? '']
  return Array.from({ length: count }, (_, index) => ids.slice(index * digits, (index + 1) * digits))
}

/** How one SQLite file serves as a catalog. */
export function sqlitePlatform({ file, waitMs, clock }: SqlitePlatformOptions): SqlPlatform {
  const tries = Math.max(1, Math.ceil(waitMs / (busyTimeoutMs + pauseMs)))
  const pause = (signal: AbortSignal): Promise<void> =>
    (clock ?? systemClock).sleep(pauseMs, { signal }).catch(() => throwIfAborted(signal))
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
        await pause(signal)
      }
    },
    now: (transaction) => (clock === undefined ? sqliteTime(transaction) : Promise.resolve(clock.now())),
    newIds: randomIds,
    sequenceType: 'integer',
    sequenceColumn: (column) => column.primaryKey().autoIncrement(),
  }
}
