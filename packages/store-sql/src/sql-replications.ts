import type { FailoverEvent, Replication, ReplicationStore } from '@holdfast/core/spec'
import type { Selectable } from 'kysely'
import type { SqlContext, SqlTransaction } from './sql-context.ts'
import { addEvents } from './sql-outbox.ts'
import type { Tables } from './tables.ts'

const replicationOf = (row: Selectable<Tables['replications']>): Replication => ({
  id: row.id,
  epoch: Number(row.epoch),
  state: row.state,
  data: JSON.parse(row.data_json),
})
const eventOf = (row: Selectable<Tables['failover_events']>): FailoverEvent => ({
  id: row.id,
  replicationId: row.replication_id,
  epoch: Number(row.epoch),
  at: Number(row.at),
  event: JSON.parse(row.event_json),
})

async function find({ database }: SqlTransaction, id: string): Promise<Replication | undefined> {
  const row = await database.selectFrom('replications').selectAll().where('id', '=', id).executeTakeFirst()
  return row === undefined ? undefined : replicationOf(row)
}

async function put(
  transaction: SqlTransaction,
  replication: Replication,
  timeline: Parameters<ReplicationStore['put']>[1],
): Promise<boolean> {
  const { database, now } = transaction
  const known = await find(transaction, replication.id)
  if ((known?.epoch ?? 0) !== replication.epoch) return false
  const epoch = replication.epoch + 1
  const row = { id: replication.id, epoch, state: replication.state, data_json: JSON.stringify(replication.data) }
  if (known === undefined) await database.insertInto('replications').values(row).execute()
  else await database.updateTable('replications').set(row).where('id', '=', replication.id).execute()
  for (const { id, event } of timeline) {
    await database
      .insertInto('failover_events')
      .values({ id, replication_id: replication.id, epoch, at: now, event_json: JSON.stringify(event) })
      .onConflict((conflict) => conflict.column('id').doNothing())
      .execute()
  }
  return true
}

export function sqlReplications(context: SqlContext): ReplicationStore {
  return {
    get: (id, options) => context.read(options, (transaction) => find(transaction, id)),
    list: (options) =>
      context.iterate(options, async ({ database }) => {
        const rows = await database.selectFrom('replications').selectAll().orderBy('id').execute()
        return rows.map(replicationOf)
      }),
    put: (replication, timeline, events, options) =>
      context.write(options, async (transaction) => {
        if (!(await put(transaction, replication, timeline))) return false
        await addEvents(transaction, events)
        return true
      }),
    timeline: (replicationId, options) =>
      context.iterate(options, async ({ database }) => {
        const query = database.selectFrom('failover_events').selectAll().where('replication_id', '=', replicationId)
        return (await query.orderBy('sequence').execute()).map(eventOf)
      }),
  }
}
