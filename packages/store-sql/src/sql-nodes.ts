import type { NodeReport, NodeStore, StoreTime } from '@holdfast/core/spec'
import type { Selectable } from 'kysely'
import type { SqlContext } from './sql-context.ts'
import type { Tables } from './tables.ts'

/** How long reports are kept, milliseconds: part of the contract. */
const historyMs = 7 * 86_400_000

const reportOf = (row: Selectable<Tables['node_reports']>): NodeReport & { readonly at: StoreTime } => ({
  node: row.node,
  state: row.state as NodeReport['state'],
  version: row.version,
  ...(row.host_name !== null && { hostName: row.host_name }),
  checks: JSON.parse(row.checks_json),
  at: Number(row.at),
})

export function sqlNodes(context: SqlContext): NodeStore {
  return {
    report: ({ node, state, version, hostName = null, checks }, options) =>
      context.write(options, async ({ database, now }) => {
        const last = await database
          .selectFrom('node_reports')
          .select('at')
          .where('node', '=', node)
          .orderBy('sequence', 'desc')
          .limit(1)
          .executeTakeFirst()
        await database
          .insertInto('node_reports')
          .values({ node, at: now, state, version, host_name: hostName, checks_json: JSON.stringify(checks) })
          .execute()
        await database
          .deleteFrom('node_reports')
          .where('at', '<', now - historyMs)
          .execute()
        return { now, ...(last !== undefined && { previous: Number(last.at) }) }
      }),
    list: (options) =>
      context.read(options, async ({ database, now }) => {
        const latest = database
          .selectFrom('node_reports')
          .select(({ fn }) => fn.max('sequence').as('sequence'))
          .groupBy('node')
        const rows = await database.selectFrom('node_reports').selectAll().where('sequence', 'in', latest).orderBy('node').execute()
        return rows.map(reportOf).map((report) => ({ ...report, age: now - report.at }))
      }),
    history: (node, since, options) =>
      context.iterate(options, async ({ database }) => {
        const query = database.selectFrom('node_reports').selectAll().where('node', '=', node).where('at', '>=', since)
        return (await query.orderBy('sequence').execute()).map(reportOf)
      }),
  }
}
