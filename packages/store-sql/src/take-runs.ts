import { clockSkewMs, priorityHeadStartMs, type Resource, type Run, type RunStore } from '@holdfast/core/spec'
import { sql } from 'kysely'
import { runOf, updateRun } from './run-rows.ts'
import type { SqlTransaction } from './sql-context.ts'

type Worker = Parameters<RunStore['take']>[0]

/** Resources in use, and those that somebody already waits for: nobody behind may have those. */
function createLedger(running: readonly Run[]) {
  const used = new Map<string, number>()
  const awaited = new Set<string>()
  const hold = (resources: readonly Resource[]): void => {
    for (const { name, units } of resources) used.set(name, (used.get(name) ?? 0) + units)
  }
  for (const run of running) hold(run.resources)
  return {
    hold,
    /** All or nothing. Notes what is short, so it is asked in the order of the queue. */
    isFree(resources: readonly Resource[]): boolean {
      const short = resources.filter(({ name, units, capacity }) => (used.get(name) ?? 0) + units > capacity)
      const overtakes = resources.some(({ name }) => awaited.has(name))
      for (const { name } of short) awaited.add(name)
      return short.length === 0 && !overtakes
    },
  }
}

async function runningRuns({ database }: SqlTransaction): Promise<readonly Run[]> {
  const rows = await database.selectFrom('runs').selectAll().where('state', '=', 'running').orderBy('sequence').execute()
  return rows.map(runOf)
}

type Waiting = Pick<Run, 'id' | 'needs' | 'resources'>

/** Only what is asked of each: thousands may wait while few are taken. */
async function queuedRuns({ database, now }: SqlTransaction): Promise<readonly Waiting[]> {
  const rows = await database
    .selectFrom('runs')
    .select(['id', 'needs_json', 'resources_json'])
    .where('state', '=', 'queued')
    .where('not_before', '<=', now)
    .orderBy(sql`due_at - priority * ${sql.lit(priorityHeadStartMs)}`)
    .orderBy('due_at')
    .orderBy('not_before')
    .orderBy('sequence')
    .execute()
  return rows.map(({ id, needs_json: needs, resources_json: resources }) => ({
    id,
    needs: JSON.parse(needs),
    resources: JSON.parse(resources),
  }))
}

/** Ids, in the order in which they are taken. */
function choose(running: readonly Run[], queued: readonly Waiting[], worker: Worker, now: number, limit: number): readonly string[] {
  const only = worker.only === undefined ? undefined : new Set(worker.only)
  const offers = new Set(worker.offers)
  const suits = (run: Waiting): boolean => (only === undefined || only.has(run.id)) && run.needs.every((need) => offers.has(need))
  const isHeld = ({ id }: Run): boolean => worker.holds?.includes(id) === true
  const ended = running.filter((run) => (run.leaseUntil ?? 0) <= now && suits(run) && !isHeld(run))
  const chosen = ended.slice(0, Math.max(0, limit)).map(({ id }) => id)
  const ledger = createLedger(running)
  for (const run of queued) {
    if (chosen.length >= limit) break
    // Runs for other workers are asked about too: they must not be overtaken either.
    if (!ledger.isFree(run.resources) || !suits(run)) continue
    ledger.hold(run.resources)
    chosen.push(run.id)
  }
  return chosen
}

async function runsOf({ database }: SqlTransaction, ids: readonly string[]): Promise<readonly Run[]> {
  if (ids.length === 0) return []
  const rows = await database.selectFrom('runs').selectAll().where('id', 'in', ids).execute()
  const found = new Map(rows.map((row) => [row.id, runOf(row)]))
  return ids.flatMap((id) => found.get(id) ?? [])
}

/** What would last longer than it was set for was set by a clock that was ahead. */
async function cutToLength({ database, now }: SqlTransaction): Promise<void> {
  const length = sql<number>`set_for + ${now}`
  const latest = sql<number>`set_for + ${now + clockSkewMs}`
  await database.updateTable('runs').set({ lease_until: length }).where('state', '=', 'running').where('lease_until', '>', latest).execute()
  const waiting = database.updateTable('runs').set({ not_before: length }).where('state', '=', 'queued')
  // The first comparison says the same less exactly; an index knows it.
  await waiting
    .where('not_before', '>', now + clockSkewMs)
    .where('not_before', '>', latest)
    .execute()
}

/** Ended leases first, then queued runs by age, each priority a head start. */
export async function takeRuns(transaction: SqlTransaction, worker: Worker, ttl: number, limit: number): Promise<readonly Run[]> {
  await cutToLength(transaction)
  const chosen = choose(await runningRuns(transaction), await queuedRuns(transaction), worker, transaction.now, limit)
  const taken = (await runsOf(transaction, chosen)).map(
    (run): Run => ({
      ...run,
      state: 'running',
      attempt: run.attempt + 1,
      failures: run.failures + (run.state === 'running' ? 1 : 0),
      worker: worker.id,
      leaseUntil: transaction.now + ttl,
    }),
  )
  for (const run of taken) await updateRun(transaction, run, ttl)
  return taken
}
