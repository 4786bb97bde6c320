import { type CallOptions, HoldfastError, throwIfAborted } from '@holdfast/core/spec'
import type { Kysely, Transaction } from 'kysely'
import { schemaVersion } from './migrations.ts'
import type { SqlPlatform, TransactionMode } from './sql-platform.ts'
import type { Tables } from './tables.ts'

/** What an action works with: one transaction, one time. */
export interface SqlTransaction {
  readonly database: Transaction<Tables>
  /** The store's time when the transaction began, milliseconds UTC. */
  readonly now: number
  /** So many new identifiers. */
  newIds(count: number): Promise<readonly string[]>
}

type Action<T> = (transaction: SqlTransaction) => Promise<T>

/** What the parts of a SQL store share. */
export interface SqlContext {
  readonly database: Kysely<Tables>
  readonly platform: SqlPlatform
  opened: boolean
  /** Waits for the calls that are under way and refuses later ones. */
  close(): Promise<void>
  read<T>(options: CallOptions, action: Action<T>): Promise<T>
  write<T>(options: CallOptions, action: Action<T>): Promise<T>
  claim<T>(options: CallOptions, action: Action<T>): Promise<T>
  /** A list as it was at one moment. */
  iterate<T>(options: CallOptions, action: Action<readonly T[]>): AsyncIterable<T>
}

export function newerSchema(place: string, version: number): HoldfastError {
  const message = `${place} has schema version ${version}, this software knows up to ${schemaVersion}`
  return new HoldfastError('STORE_NEWER', message, { details: { found: version, known: schemaVersion } })
}

/** Another process may have migrated the database since it was opened, so every transaction looks. */
async function checkSchema(database: Transaction<Tables>, place: string): Promise<void> {
  const row = await database.selectFrom('holdfast_meta').select('value').where('name', '=', 'schema').executeTakeFirst()
  const version = Number(row?.value ?? 0)
  if (version > schemaVersion) throw newerSchema(place, version)
}

export function createContext(database: Kysely<Tables>, platform: SqlPlatform): SqlContext {
  const pending = new Set<Promise<unknown>>()
  const run = async <T>(mode: TransactionMode, { signal }: CallOptions, action: Action<T>): Promise<T> => {
    if (!context.opened)
      throw new HoldfastError(
        'STORE_FAILED',
        `${platform.place} was not opened, or was closed, as engine.stop() does: an engine needs a store of its own, made anew`,
      )
    const call = platform.transact(database, { signal, mode }, async (transaction) => {
      await checkSchema(transaction, platform.place)
      const now = await platform.now(transaction)
      const result = await action({ database: transaction, now, newIds: (count) => platform.newIds(transaction, count) })
      throwIfAborted(signal)
      return result
    })
    pending.add(call)
    return call.finally(() => pending.delete(call))
  }
  const context: SqlContext = {
    database,
    platform,
    opened: false,
    close: async () => {
      context.opened = false
      await Promise.allSettled(pending)
    },
    read: (options, action) => run('read', options, action),
    write: (options, action) => run('write', options, action),
    claim: (options, action) => run('claim', options, action),
    iterate: async function* (options, action) {
      yield* await run('read', options, action)
    },
  }
  return context
}
