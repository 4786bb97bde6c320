import { type Cursor, HoldfastError, type PlanRow, type PlanStore, type RunRequest, type StoreTime } from '@holdfast/core/spec'
import type { Selectable } from 'kysely'
import { createRuns } from './create-runs.ts'
import type { SqlContext, SqlTransaction } from './sql-context.ts'
import { addEvents } from './sql-outbox.ts'
import type { Tables } from './tables.ts'

const planOf = (row: Selectable<Tables['plans']>): PlanRow => ({
  id: row.id,
  revision: Number(row.revision),
  plan: JSON.parse(row.plan_json),
})
const cursorOf = (row: Selectable<Tables['cursors']>): Cursor => ({
  planId: row.plan_id,
  schedule: row.schedule,
  due: row.due === null ? null : Number(row.due),
})

async function findPlan({ database }: SqlTransaction, id: string): Promise<PlanRow | undefined> {
  const row = await database.selectFrom('plans').selectAll().where('id', '=', id).executeTakeFirst()
  return row === undefined ? undefined : planOf(row)
}

async function replaceCursors({ database }: SqlTransaction, planId: string, cursors: readonly Cursor[]): Promise<void> {
  const known = await database.selectFrom('cursors').selectAll().where('plan_id', '=', planId).execute()
  await database.deleteFrom('cursors').where('plan_id', '=', planId).execute()
  for (const { schedule, due } of cursors) {
    const kept = known.find((row) => row.schedule === schedule)
    await database
      .insertInto('cursors')
      .values({ plan_id: planId, schedule, due: kept === undefined ? due : kept.due })
      .execute()
  }
}

async function putPlan(transaction: SqlTransaction, plan: PlanRow, cursors: readonly Cursor[]): Promise<boolean> {
  const known = await findPlan(transaction, plan.id)
  if ((known?.revision ?? 0) !== plan.revision) return false
  const row = { id: plan.id, revision: plan.revision + 1, plan_json: JSON.stringify(plan.plan) }
  if (known === undefined) await transaction.database.insertInto('plans').values(row).execute()
  else await transaction.database.updateTable('plans').set(row).where('id', '=', plan.id).execute()
  await replaceCursors(transaction, plan.id, cursors)
  return true
}

async function setBack({ database }: SqlTransaction, from: Cursor, due: StoreTime): Promise<boolean> {
  if (from.due !== null && due >= from.due) return false
  const { numUpdatedRows } = await database
    .updateTable('cursors')
    .set({ due })
    .where('plan_id', '=', from.planId)
    .where('schedule', '=', from.schedule)
    .where('due', from.due === null ? 'is' : '=', from.due)
    .executeTakeFirst()
  return numUpdatedRows > 0n
}

async function advance(transaction: SqlTransaction, from: Cursor, next: StoreTime | null, runs: readonly RunRequest[]): Promise<boolean> {
  if (from.due === null) return false
  if (next !== null && next <= from.due) {
    throw new HoldfastError('INVALID_OPTIONS', `plan ${from.planId}, schedule ${from.schedule}: ${next} is not after ${from.due}`)
  }
  const { numUpdatedRows } = await transaction.database
    .updateTable('cursors')
    .set({ due: next })
    .where('plan_id', '=', from.planId)
    .where('schedule', '=', from.schedule)
    .where('due', '=', from.due)
    .executeTakeFirst()
  if (numUpdatedRows === 0n) return false
  await createRuns(transaction, runs)
  return true
}

export function sqlPlans(context: SqlContext): PlanStore {
  return {
    put: (plan, cursors, options) => context.write(options, (transaction) => putPlan(transaction, plan, cursors)),
    get: (id, options) => context.read(options, (transaction) => findPlan(transaction, id)),
    list: (options) =>
      context.iterate(options, async ({ database }) => {
        const rows = await database.selectFrom('plans').selectAll().orderBy('id').execute()
        return rows.map(planOf)
      }),
    remove: (id, options) =>
      context.write(options, async ({ database }) => {
        let removal = database.deleteFrom('plans').where('id', '=', id)
        if (options.revision !== undefined) removal = removal.where('revision', '=', options.revision)
        const { numDeletedRows } = await removal.executeTakeFirst()
        if (numDeletedRows === 0n) return false
        await database.deleteFrom('cursors').where('plan_id', '=', id).execute()
        return true
      }),
    due: (limit, options) =>
      context.read(options, async ({ database, now }) => {
        const rows = await database
          .selectFrom('cursors')
          .selectAll()
          .where('due', '<=', now)
          .orderBy('due')
          .orderBy('plan_id')
          .orderBy('schedule')
          .limit(Math.max(0, limit))
          .execute()
        return { now, cursors: rows.map(cursorOf) }
      }),
    cursors: (options) =>
      context.read(options, async ({ database, now }) => {
        const rows = await database.selectFrom('cursors').selectAll().orderBy('plan_id').orderBy('schedule').execute()
        return { now, cursors: rows.map(cursorOf) }
      }),
    setBack: (from, due, options) => context.claim(options, (transaction) => setBack(transaction, from, due)),
    advance: (from, next, runs, options) =>
      context.claim(options, async (transaction) => {
        const moved = await advance(transaction, from, next, runs)
        if (moved) await addEvents(transaction, options.events ?? [])
        return moved
      }),
  }
}
