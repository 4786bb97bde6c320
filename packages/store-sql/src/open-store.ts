import { HoldfastError, type Store } from '@holdfast/core/spec'
import type { Transaction } from 'kysely'
import { migrate, schemaVersion } from './migrations.ts'
import { newerSchema, type SqlContext } from './sql-context.ts'
import type { SqlPlatform } from './sql-platform.ts'
import type { Tables } from './tables.ts'

type Opened = Awaited<ReturnType<Store['open']>>

async function readMeta(transaction: Transaction<Tables>): Promise<ReadonlyMap<string, string>> {
  const rows = await transaction.selectFrom('holdfast_meta').selectAll().execute()
  return new Map(rows.map((row) => [row.name, row.value]))
}

async function writeMeta(transaction: Transaction<Tables>, name: string, value: string): Promise<void> {
  await transaction
    .insertInto('holdfast_meta')
    .values({ name, value })
    .onConflict((conflict) => conflict.column('name').doUpdateSet({ value }))
    .execute()
}

async function ensureMeta(transaction: Transaction<Tables>): Promise<void> {
  await transaction.schema
    .createTable('holdfast_meta')
    .ifNotExists()
    .addColumn('name', 'text', (column) => column.primaryKey())
    .addColumn('value', 'text', (column) => column.notNull())
    .execute()
}

function checkHost(place: string, known: string | undefined, hostName: string | undefined): void {
  if (known === undefined || hostName === undefined || known === hostName) return
  const message = `${place} belongs to host ${known}, this is host ${hostName}`
  throw new HoldfastError('FOREIGN_HOST', message, { details: { owner: known, host: hostName } })
}

/** One transaction: create or migrate, check the host, raise the epoch. */
async function openTransaction(
  transaction: Transaction<Tables>,
  platform: SqlPlatform,
  hostName: string | undefined,
  above: number,
): Promise<Opened> {
  await ensureMeta(transaction)
  const meta = await readMeta(transaction)
  const version = Number(meta.get('schema') ?? 0)
  if (version > schemaVersion) throw newerSchema(platform.place, version)
  checkHost(platform.place, meta.get('host'), hostName)
  await migrate(transaction, platform, version)
  const storeId = meta.get('store_id') ?? (await platform.newIds(transaction, 1))[0] ?? ''
  const epoch = Math.max(Number(meta.get('epoch') ?? 0), above) + 1
  await writeMeta(transaction, 'schema', String(schemaVersion))
  await writeMeta(transaction, 'store_id', storeId)
  await writeMeta(transaction, 'epoch', String(epoch))
  if (hostName !== undefined) await writeMeta(transaction, 'host', hostName)
  return { storeId, epoch, now: await platform.now(transaction) }
}

export async function openStore(context: SqlContext, hostName: string | undefined, options: Parameters<Store['open']>[0]): Promise<Opened> {
  const { signal, above } = options
  const opened = await context.platform.transact(context.database, { signal, mode: 'claim', opening: true }, (transaction) =>
    openTransaction(transaction, context.platform, hostName, above ?? 0),
  )
  context.opened = true
  return opened
}
