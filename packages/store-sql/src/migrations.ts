import type { Transaction } from 'kysely'
import type { SqlPlatform } from './sql-platform.ts'
import type { Tables } from './tables.ts'

type Migration = (transaction: Transaction<Tables>, platform: SqlPlatform) => Promise<void>

async function createPlans(transaction: Transaction<Tables>): Promise<void> {
  const { schema } = transaction
  await schema
    .createTable('plans')
    .addColumn('id', 'text', (column) => column.primaryKey())
    .addColumn('revision', 'bigint', (column) => column.notNull())
    .addColumn('plan_json', 'text', (column) => column.notNull())
    .execute()
  await schema
    .createTable('cursors')
    .addColumn('plan_id', 'text', (column) => column.notNull())
    .addColumn('schedule', 'text', (column) => column.notNull())
    .addColumn('due', 'bigint')
    .addPrimaryKeyConstraint('cursors_key', ['plan_id', 'schedule'])
    .execute()
  await schema.createIndex('cursors_due').on('cursors').column('due').execute()
}

const requiredRunText = ['operation', 'needs_json', 'resources_json', 'input_json', 'state', 'reads_json', 'intents_json'] as const
const requiredRunNumbers = ['due_at', 'delay', 'not_before', 'priority', 'max_failures', 'attempt', 'failures', 'has_intents'] as const
const optionalRunText = [
  'plan_id',
  'workload',
  'overlap_key',
  'overlap_policy',
  'worker',
  'cancel_reason',
  'target_repository',
  'target_folder',
  'progress_json',
  'result_json',
  'error_json',
] as const
const optionalRunNumbers = ['lease_until', 'target_number'] as const

async function createRuns(transaction: Transaction<Tables>, platform: SqlPlatform): Promise<void> {
  const { schema } = transaction
  let table = schema
    .createTable('runs')
    .addColumn('sequence', platform.sequenceType, (column) => platform.sequenceColumn(column))
    .addColumn('id', 'text', (column) => column.notNull().unique())
    .addColumn('key', 'text', (column) => column.notNull().unique()) as unknown as AnyTable
  for (const name of requiredRunText) table = table.addColumn(name, 'text', (column) => column.notNull())
  for (const name of requiredRunNumbers) table = table.addColumn(name, 'bigint', (column) => column.notNull())
  for (const name of optionalRunText) table = table.addColumn(name, 'text')
  for (const name of optionalRunNumbers) table = table.addColumn(name, 'bigint')
  await table.execute()
  await schema.createIndex('runs_state').on('runs').columns(['state', 'not_before']).execute()
  await schema.createIndex('runs_overlap').on('runs').column('overlap_key').execute()
  await schema.createIndex('runs_intents').on('runs').column('has_intents').execute()
  await schema.createIndex('runs_target').on('runs').columns(['target_repository', 'target_folder', 'target_number']).unique().execute()
}

async function createPoints(transaction: Transaction<Tables>): Promise<void> {
  const { schema } = transaction
  await schema
    .createTable('points')
    .addColumn('repository', 'text', (column) => column.notNull())
    .addColumn('folder', 'text', (column) => column.notNull())
    .addColumn('number', 'bigint', (column) => column.notNull())
    .addColumn('point_id', 'text', (column) => column.notNull())
    .addColumn('workload', 'text', (column) => column.notNull())
    .addColumn('parents_json', 'text', (column) => column.notNull())
    .addColumn('sequence', 'bigint', (column) => column.notNull())
    .addColumn('created_at', 'bigint', (column) => column.notNull())
    .addColumn('summary_json', 'text', (column) => column.notNull())
    .addColumn('condemned', 'bigint', (column) => column.notNull())
    .addPrimaryKeyConstraint('points_key', ['repository', 'folder', 'number'])
    .execute()
  await schema.createIndex('points_workload').on('points').columns(['repository', 'workload']).execute()
  await schema
    .createTable('catalog_versions')
    .addColumn('repository', 'text', (column) => column.notNull())
    .addColumn('workload', 'text', (column) => column.notNull())
    .addColumn('version', 'bigint', (column) => column.notNull())
    .addPrimaryKeyConstraint('catalog_versions_key', ['repository', 'workload'])
    .execute()
  await schema
    .createTable('flags')
    .addColumn('repository', 'text', (column) => column.notNull())
    .addColumn('folder', 'text', (column) => column.notNull())
    .addColumn('flags_json', 'text', (column) => column.notNull())
    .addPrimaryKeyConstraint('flags_key', ['repository', 'folder'])
    .execute()
}

async function createNodes(transaction: Transaction<Tables>, platform: SqlPlatform): Promise<void> {
  const { schema } = transaction
  await schema
    .createTable('node_reports')
    .addColumn('sequence', platform.sequenceType, (column) => platform.sequenceColumn(column))
    .addColumn('node', 'text', (column) => column.notNull())
    .addColumn('at', 'bigint', (column) => column.notNull())
    .addColumn('state', 'text', (column) => column.notNull())
    .addColumn('version', 'text', (column) => column.notNull())
    .addColumn('checks_json', 'text', (column) => column.notNull())
    .execute()
  await schema.createIndex('node_reports_node').on('node_reports').columns(['node', 'sequence']).execute()
  await schema
    .createTable('outbox')
    .addColumn('sequence', platform.sequenceType, (column) => platform.sequenceColumn(column))
    .addColumn('id', 'text', (column) => column.notNull().unique())
    .addColumn('event_json', 'text', (column) => column.notNull())
    .addColumn('hidden_until', 'bigint', (column) => column.notNull())
    .addColumn('done', 'bigint', (column) => column.notNull())
    .execute()
  await schema.createIndex('outbox_done').on('outbox').columns(['done', 'sequence']).execute()
}

async function createReplications(transaction: Transaction<Tables>, platform: SqlPlatform): Promise<void> {
  const { schema } = transaction
  await schema
    .createTable('replications')
    .addColumn('id', 'text', (column) => column.primaryKey())
    .addColumn('epoch', 'bigint', (column) => column.notNull())
    .addColumn('state', 'text', (column) => column.notNull())
    .addColumn('data_json', 'text', (column) => column.notNull())
    .execute()
  await schema
    .createTable('failover_events')
    .addColumn('sequence', platform.sequenceType, (column) => platform.sequenceColumn(column))
    .addColumn('id', 'text', (column) => column.notNull().unique())
    .addColumn('replication_id', 'text', (column) => column.notNull())
    .addColumn('epoch', 'bigint', (column) => column.notNull())
    .addColumn('at', 'bigint', (column) => column.notNull())
    .addColumn('event_json', 'text', (column) => column.notNull())
    .execute()
  await schema.createIndex('failover_events_replication').on('failover_events').column('replication_id').execute()
}

/** Old reports are found by their time, and a report says where its node runs. */
async function nodeHistory({ schema }: Transaction<Tables>): Promise<void> {
  await schema.alterTable('node_reports').addColumn('host_name', 'text').execute()
  await schema.createIndex('node_reports_at').on('node_reports').column('at').execute()
}

/**
 * Without the state in the index, the planner would rather walk through everything that is queued. And what a clock that was ahead has set can be told
 * only by how long it was set for.
 */
async function overlapWithStateAndSetFor({ schema }: Transaction<Tables>): Promise<void> {
  await schema.alterTable('runs').addColumn('set_for', 'bigint').execute()
  await schema.dropIndex('runs_overlap').execute()
  await schema.createIndex('runs_overlap').on('runs').columns(['overlap_key', 'state']).execute()
}

/** The table builder without the names it has collected, so that columns can be added in a loop. */
interface AnyTable {
  addColumn(name: string, type: 'text' | 'bigint', build?: (column: { notNull(): never }) => never): AnyTable
  execute(): Promise<void>
}

/** Migration `n` makes schema version `n + 1`. Published ones are never changed, only followed. */
const migrations: readonly Migration[] = [
  async (transaction, platform) => {
    await createPlans(transaction)
    await createRuns(transaction, platform)
    await createPoints(transaction)
    await createNodes(transaction, platform)
    await createReplications(transaction, platform)
  },
  nodeHistory,
  overlapWithStateAndSetFor,
]

/** The schema version that this code reads and writes. */
export const schemaVersion: number = migrations.length

/** Brings a database from `version` (0: empty) to {@link schemaVersion}, inside the caller's transaction. */
export async function migrate(transaction: Transaction<Tables>, platform: SqlPlatform, version: number): Promise<void> {
  for (const migration of migrations.slice(version)) await migration(transaction, platform)
}
