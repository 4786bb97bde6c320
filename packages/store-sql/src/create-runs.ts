import { HoldfastError, type Run, type RunRequest } from '@holdfast/core/spec'
import { findRunByKey, insertRun } from './run-rows.ts'
import type { SqlTransaction } from './sql-context.ts'

/** A run that asks for more than there is would wait for ever, and everybody behind it too. */
function checkRequest({ key, resources }: RunRequest): void {
  for (const { name, units, capacity } of resources) {
    if (units > 0 && units <= capacity) continue
    throw new HoldfastError('INVALID_OPTIONS', `run ${key} asks for ${units} units of ${name}, which has ${capacity}`)
  }
}

async function overlaps({ database }: SqlTransaction, { overlap }: RunRequest): Promise<boolean> {
  if (overlap === undefined) return false
  const states = overlap.policy === 'skip' ? ['queued', 'running'] : ['queued']
  const found = await database
    .selectFrom('runs')
    .select('id')
    .where('overlap_key', '=', overlap.key)
    .where('state', 'in', states)
    .limit(1)
    .executeTakeFirst()
  return found !== undefined
}

export async function createRun(
  transaction: SqlTransaction,
  request: RunRequest,
): Promise<{ readonly run: Run; readonly created: boolean }> {
  checkRequest(request)
  const known = await findRunByKey(transaction, request.key)
  if (known !== undefined) return { run: known, created: false }
  const dueAt = request.dueAt ?? transaction.now
  const run: Run = {
    ...request,
    id: await transaction.newId(),
    dueAt,
    notBefore: dueAt + request.delay,
    state: (await overlaps(transaction, request)) ? 'skipped' : 'queued',
    attempt: 0,
    failures: 0,
    reads: [],
    intents: [],
  }
  await insertRun(transaction, run)
  return { run, created: true }
}
