import type { CallOptions } from '@holdfast/core/spec'
import type { ColumnDefinitionBuilder, Kysely, Transaction } from 'kysely'
import type { Tables } from './tables.ts'

/**
 * What a transaction is for. `read` changes nothing and sees one moment. `write` sees nothing of an unfinished transaction and no two of them that
 * touch the same rows may both take effect. `claim` is a write of which only one runs at a time (`take`, `advance`).
 */
export type TransactionMode = 'read' | 'write' | 'claim'

/** What differs between databases. */
export interface SqlPlatform {
  /** Where the catalog is, for messages: a file, or a database at a host. Never a secret. */
  readonly place: string
  /**
   * Runs the action in one transaction that is durable when the promise resolves, and rolls back if it rejects. May run the action again when the
   * database was busy. Rejects with HoldfastErrors and with what the action throws; `opening`: the first transaction of `Store.open`.
   */
  transact<T>(
    database: Kysely<Tables>,
    options: CallOptions & { readonly mode: TransactionMode; readonly opening?: boolean },
    action: (transaction: Transaction<Tables>) => Promise<T>,
  ): Promise<T>
  /** The store's time, milliseconds UTC. */
  now(transaction: Transaction<Tables>): Promise<number>
  /** So many new identifiers: lower-case letters and digits, at least 80 random bits each. */
  newIds(transaction: Transaction<Tables>, count: number): Promise<readonly string[]>
  /** Type and definition of a primary key that grows by itself. */
  readonly sequenceType: 'integer' | 'bigserial'
  /** Makes a column of `sequenceType` the primary key whose values the database gives, each larger than all before it, also than those of deleted rows. */
  sequenceColumn(column: ColumnDefinitionBuilder): ColumnDefinitionBuilder
}
