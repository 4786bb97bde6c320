import { HoldfastError, type Run, type RunRequest } from '@holdfast/core/spec'
import { insertRuns, runOf } from './run-rows.ts'
import type { SqlTransaction } from './sql-context.ts'

interface Created {
  readonly run: Run
  readonly created: boolean
}

/** A run that asks for more than there is would wait for ever, and everybody behind it too. */
function checkRequest({ key, resources }: RunRequest): void {
  for (const { name, units, capacity } of resources) {
    if (units > 0 && units <= capacity) continue
    throw new HoldfastError('INVALID_OPTIONS', `run ${key} asks for ${units} units of ${name}, which has ${capacity}`)
  }
}

/** A statement may have 32,766 parameters in SQLite. */
const keysOfStatement = 10_000

function* inParts(keys: readonly string[]): Generator<readonly string[]> {
  for (let at = 0; at < keys.length; at += keysOfStatement) yield keys.slice(at, at + keysOfStatement)
}

async function runsByKey({ database }: SqlTransaction, keys: readonly string[]): Promise<Map<string, Run>> {
  const known = new Map<string, Run>()
  for (const part of inParts(keys))
    for (const row of await database.selectFrom('runs').selectAll().where('key', 'in', part).execute()) known.set(row.key, runOf(row))
  return known
}

/** Who is unfinished, by its overlap key: whether it still waits or is at work. */
interface Unfinished {
  readonly queued: Set<string>
  readonly running: Set<string>
}

async function unfinishedOf({ database }: SqlTransaction, keys: readonly string[]): Promise<Unfinished> {
  const found: Unfinished = { queued: new Set(), running: new Set() }
  for (const part of inParts(keys)) {
    const rows = await database
      .selectFrom('runs')
      .select(['overlap_key', 'state'])
      .where('overlap_key', 'in', part)
      .where('state', 'in', ['queued', 'running'])
      .execute()
    for (const { overlap_key: key, state } of rows) if (key !== null) found[state === 'queued' ? 'queued' : 'running'].add(key)
  }
  return found
}

function overlaps({ overlap }: RunRequest, { queued, running }: Unfinished): boolean {
  if (overlap === undefined) return false
  return queued.has(overlap.key) || (overlap.policy === 'skip' && running.has(overlap.key))
}

/** In one question each: which keys are there already, what is unfinished, and all new rows. Thousands of runs may fall due at the same time. */
export async function createRuns(transaction: SqlTransaction, requests: readonly RunRequest[]): Promise<readonly Created[]> {
  if (requests.length === 0) return []
  for (const request of requests) checkRequest(request)
  const known = await runsByKey(
    transaction,
    requests.map(({ key }) => key),
  )
  const unfinished = await unfinishedOf(
    transaction,
    requests.flatMap(({ overlap }) => overlap?.key ?? []),
  )
  const ids = await transaction.newIds(requests.length)
  const created = requests.map((request, index): Created => {
    const before = known.get(request.key)
    if (before !== undefined) return { run: before, created: false }
    const run = newRun(request, ids[index] ?? '', transaction.now, overlaps(request, unfinished))
    // Those behind it in the same list see it.
    known.set(run.key, run)
    if (run.state === 'queued' && run.overlap) unfinished.queued.add(run.overlap.key)
    return { run, created: true }
  })
  await insertRuns(
    transaction,
    created.flatMap(({ run, created: isNew }) => (isNew ? [run] : [])),
  )
  return created
}

function newRun(request: RunRequest, id: string, now: number, skipped: boolean): Run {
  const dueAt = request.dueAt ?? now
  return {
    ...request,
    id,
    dueAt,
    notBefore: dueAt + request.delay,
    state: skipped ? 'skipped' : 'queued',
    attempt: 0,
    failures: 0,
    reads: [],
    intents: [],
  }
}
