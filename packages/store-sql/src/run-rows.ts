import { HoldfastError, type Json, type Lease, type Run } from '@holdfast/core/spec'
import type { Insertable, Selectable } from 'kysely'
import type { SqlTransaction } from './sql-context.ts'
import type { RunTable } from './tables.ts'

const parsed = (text: string | null): Json | undefined => (text === null ? undefined : (JSON.parse(text) as Json))
const written = (value: Json | undefined): string | null => (value === undefined ? null : JSON.stringify(value))
const numberOf = (value: number | null): number | undefined => (value === null ? undefined : Number(value))

/** The members that have a value. */
function present<T extends object>(value: T): { [K in keyof T]?: Exclude<T[K], undefined> } {
  return Object.fromEntries(Object.entries(value).filter(([, member]) => member !== undefined)) as never
}

function optionalMembers(row: Selectable<RunTable>) {
  const target =
    row.target_repository === null
      ? undefined
      : { repository: row.target_repository, folder: row.target_folder as string, number: Number(row.target_number) }
  const overlap = row.overlap_key === null ? undefined : { key: row.overlap_key, policy: row.overlap_policy as 'skip' | 'queue-one' }
  return present({
    planId: row.plan_id ?? undefined,
    workload: row.workload ?? undefined,
    overlap,
    worker: row.worker ?? undefined,
    leaseUntil: numberOf(row.lease_until),
    cancelReason: row.cancel_reason ?? undefined,
    target,
    progress: parsed(row.progress_json),
    result: parsed(row.result_json),
    error: parsed(row.error_json),
  })
}

export function runOf(row: Selectable<RunTable>): Run {
  return {
    id: row.id,
    key: row.key,
    operation: row.operation,
    dueAt: Number(row.due_at),
    delay: Number(row.delay),
    notBefore: Number(row.not_before),
    priority: Number(row.priority),
    maxFailures: Number(row.max_failures),
    needs: JSON.parse(row.needs_json),
    resources: JSON.parse(row.resources_json),
    input: JSON.parse(row.input_json),
    state: row.state as Run['state'],
    attempt: Number(row.attempt),
    failures: Number(row.failures),
    reads: JSON.parse(row.reads_json),
    intents: JSON.parse(row.intents_json),
    ...optionalMembers(row),
  }
}

function rowOf(run: Run): Insertable<RunTable> {
  return {
    id: run.id,
    key: run.key,
    operation: run.operation,
    plan_id: run.planId ?? null,
    workload: run.workload ?? null,
    due_at: run.dueAt,
    delay: run.delay,
    not_before: run.notBefore,
    priority: run.priority,
    max_failures: run.maxFailures,
    needs_json: JSON.stringify(run.needs),
    resources_json: JSON.stringify(run.resources),
    overlap_key: run.overlap?.key ?? null,
    overlap_policy: run.overlap?.policy ?? null,
    input_json: JSON.stringify(run.input),
    state: run.state,
    attempt: run.attempt,
    failures: run.failures,
    worker: run.worker ?? null,
    lease_until: run.leaseUntil ?? null,
    cancel_reason: run.cancelReason ?? null,
    target_repository: run.target?.repository ?? null,
    target_folder: run.target?.folder ?? null,
    target_number: run.target?.number ?? null,
    reads_json: JSON.stringify(run.reads),
    intents_json: JSON.stringify(run.intents),
    has_intents: run.intents.length > 0 ? 1 : 0,
    progress_json: written(run.progress),
    result_json: written(run.result),
    error_json: written(run.error),
  }
}

/** Each row has some thirty parameters, and a statement may have 32,766 in SQLite and 65,535 in PostgreSQL. */
const rowsOfStatement = 500

export async function insertRuns({ database, now }: SqlTransaction, runs: readonly Run[]): Promise<void> {
  const newRow = (run: Run) => ({ ...rowOf(run), set_for: Math.max(0, run.notBefore - now) })
  for (let at = 0; at < runs.length; at += rowsOfStatement)
    await database
      .insertInto('runs')
      .values(runs.slice(at, at + rowsOfStatement).map(newRow))
      .execute()
}

/** `setFor`: of a lease or a wait that is set with it. */
export async function updateRun({ database }: SqlTransaction, run: Run, setFor?: number): Promise<void> {
  const row = { ...rowOf(run), ...(setFor !== undefined && { set_for: setFor }) }
  await database.updateTable('runs').set(row).where('id', '=', run.id).execute()
}

export async function findRun({ database }: SqlTransaction, id: string): Promise<Run | undefined> {
  const row = await database.selectFrom('runs').selectAll().where('id', '=', id).executeTakeFirst()
  return row === undefined ? undefined : runOf(row)
}

export async function findRunByKey({ database }: SqlTransaction, key: string): Promise<Run | undefined> {
  const row = await database.selectFrom('runs').selectAll().where('key', '=', key).executeTakeFirst()
  return row === undefined ? undefined : runOf(row)
}

export const isFinal = (run: Run): boolean => run.state !== 'queued' && run.state !== 'running'

/** The run, if this lease still holds it; otherwise STALE_LEASE. */
export async function heldRun(transaction: SqlTransaction, lease: Lease): Promise<Run> {
  const run = await findRun(transaction, lease.runId)
  if (run?.state === 'running' && run.attempt === lease.attempt) return run
  const now = run === undefined ? 'it is unknown' : `it is ${run.state}, attempt ${run.attempt}`
  throw new HoldfastError('STALE_LEASE', `attempt ${lease.attempt} does not hold run ${run?.key ?? lease.runId}: ${now}`)
}

/** The value without some of its members. */
export function without<T extends object, K extends keyof T>(value: T, ...keys: readonly K[]): Omit<T, K> {
  const result = { ...value }
  for (const key of keys) delete result[key]
  return result
}
