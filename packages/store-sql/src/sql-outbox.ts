import type { OutboxEvent, OutboxStore } from '@holdfast/core/spec'
import type { SqlContext, SqlTransaction } from './sql-context.ts'

/** An id that was ever written is not written again, delivered or not: the row of a delivered one stays, without its event. */
export async function addEvents({ database }: SqlTransaction, events: readonly OutboxEvent[]): Promise<void> {
  for (const { id, event } of events) {
    await database
      .insertInto('outbox')
      .values({ id, event_json: JSON.stringify(event), hidden_until: 0, done: 0 })
      .onConflict((conflict) => conflict.column('id').doNothing())
      .execute()
  }
}

async function takeEvents({ database, now }: SqlTransaction, ttl: number, limit: number): Promise<readonly OutboxEvent[]> {
  const rows = await database
    .selectFrom('outbox')
    .selectAll()
    .where('done', '=', 0)
    .where('hidden_until', '<=', now)
    .orderBy('sequence')
    .limit(Math.max(0, limit))
    .execute()
  for (const { id } of rows) {
    await database
      .updateTable('outbox')
      .set({ hidden_until: now + ttl })
      .where('id', '=', id)
      .execute()
  }
  return rows.map((row) => ({ id: row.id, event: JSON.parse(row.event_json) }))
}

export function sqlOutbox(context: SqlContext): OutboxStore {
  return {
    add: (events, options) => context.write(options, (transaction) => addEvents(transaction, events)),
    take: (ttl, limit, options) => context.claim(options, (transaction) => takeEvents(transaction, ttl, limit)),
    done: (ids, options) =>
      context.write(options, async ({ database }) => {
        for (const id of ids) await database.updateTable('outbox').set({ done: 1, event_json: 'null' }).where('id', '=', id).execute()
      }),
  }
}
