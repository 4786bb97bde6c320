import {
  type CallOptions,
  HoldfastError,
  type Lease,
  type ManifestRef,
  type OutboxEvent,
  type Outcome,
  type Run,
  type RunFilter,
  type RunStore,
  type StoredIntent,
} from '@holdfast/core/spec'
import { describeRef, raiseVersions } from './catalog-versions.ts'
import { createRuns } from './create-runs.ts'
import { findPoint, putPoint } from './point-rows.ts'
import { findRun, findRunByKey, heldRun, isFinal, runOf, updateRun, without } from './run-rows.ts'
import type { SqlContext, SqlTransaction } from './sql-context.ts'
import { addEvents } from './sql-outbox.ts'
import { takeRuns } from './take-runs.ts'

type Patch = Parameters<RunStore['save']>[1]

const inUseOf = (run: Run): readonly ManifestRef[] => (run.target === undefined ? run.reads : [...run.reads, run.target])
const listed = (refs: readonly ManifestRef[]): string => JSON.stringify(refs.map(describeRef))

async function checkReads(transaction: SqlTransaction, reads: readonly ManifestRef[]): Promise<void> {
  for (const read of reads) {
    const point = await findPoint(transaction, read)
    if (point !== undefined && !point.condemned) continue
    throw new HoldfastError('POINT_CONDEMNED', `${describeRef(read)} is ${point === undefined ? 'unknown' : 'condemned'}`)
  }
}

async function checkTarget(transaction: SqlTransaction, run: Run, target: ManifestRef): Promise<void> {
  const point = await findPoint(transaction, target)
  if (point?.condemned === true) throw new HoldfastError('POINT_CONDEMNED', `${describeRef(target)} is condemned`)
  const other = await transaction.database
    .selectFrom('runs')
    .select('key')
    .where('id', '!=', run.id)
    .where('target_repository', '=', target.repository)
    .where('target_folder', '=', target.folder)
    .where('target_number', '=', target.number)
    .executeTakeFirst()
  if (other !== undefined) throw new HoldfastError('NUMBER_TAKEN', `${describeRef(target)} is the target of run ${other.key}`)
}

async function save(transaction: SqlTransaction, lease: Lease, patch: Patch): Promise<void> {
  const run = await heldRun(transaction, lease)
  if (patch.reads !== undefined) await checkReads(transaction, patch.reads)
  if (patch.target) await checkTarget(transaction, run, patch.target)
  const next: Run = {
    ...(patch.target === null ? without(run, 'target') : run),
    ...(patch.target && { target: patch.target }),
    ...(patch.reads !== undefined && { reads: patch.reads }),
    ...(patch.intents !== undefined && { intents: patch.intents }),
  }
  await updateRun(transaction, next)
  const [before, after] = [inUseOf(run), inUseOf(next)]
  if (listed(before) !== listed(after)) await raiseVersions(transaction, [...before, ...after], next)
}

function ended(run: Run, outcome: Outcome, now: number): Run {
  const released = { ...without(run, 'target', 'worker', 'leaseUntil'), reads: [] }
  if (outcome.state === 'succeeded') return { ...without(released, 'error'), state: 'succeeded', result: outcome.result }
  if (outcome.state !== 'queued') return { ...released, state: outcome.state, error: outcome.error }
  return {
    ...released,
    state: 'queued',
    notBefore: now + outcome.delay,
    failures: run.failures + (outcome.failure ? 1 : 0),
    ...(outcome.error !== undefined && { error: outcome.error }),
  }
}

async function finish(
  transaction: SqlTransaction,
  lease: Lease,
  outcome: Outcome,
  intents: readonly StoredIntent[],
  events: readonly OutboxEvent[],
): Promise<void> {
  const run = await heldRun(transaction, lease)
  await updateRun(transaction, { ...ended(run, outcome, transaction.now), intents }, outcome.state === 'queued' ? outcome.delay : undefined)
  await raiseVersions(transaction, inUseOf(run), run)
  if (outcome.state === 'succeeded') {
    for (const point of outcome.points) await putPoint(transaction, point)
    await createRuns(transaction, outcome.follow)
  }
  await addEvents(transaction, events)
}

async function cancel(transaction: SqlTransaction, runId: string, reason: string): Promise<Awaited<ReturnType<RunStore['cancel']>>> {
  const run = await findRun(transaction, runId)
  if (run === undefined) return 'unknown'
  if (isFinal(run)) return 'final'
  const cancelReason = run.cancelReason ?? reason
  if (run.state === 'queued' && run.attempt === 0) {
    await updateRun(transaction, { ...run, state: 'cancelled', cancelReason })
    return 'cancelled'
  }
  // A run that waits for its next attempt is taken at once, to be settled.
  const notBefore = run.state === 'queued' ? Math.min(run.notBefore, transaction.now) : run.notBefore
  await updateRun(transaction, { ...run, notBefore, cancelReason })
  return 'requested'
}

async function undone(transaction: SqlTransaction, runId: string, ids: readonly string[]): Promise<void> {
  const run = await findRun(transaction, runId)
  if (run === undefined) return
  const stays = ({ id, until }: StoredIntent): boolean => !ids.includes(id) || (until !== undefined && until > transaction.now)
  await updateRun(transaction, { ...run, intents: run.intents.filter(stays) })
}

const pageSize = 100

/** Pages, because a catalog may hold the runs of years. Each page is one transaction; later pages may be newer than earlier ones. */
async function* list(context: SqlContext, filter: RunFilter, options: CallOptions) {
  const newestFirst = filter.order === 'newest-first'
  for (let after = newestFirst ? Number.MAX_SAFE_INTEGER : 0, full = true; full; ) {
    const rows = await context.read(options, async ({ database }) => {
      let query = database
        .selectFrom('runs')
        .selectAll()
        .where('sequence', newestFirst ? '<' : '>', after)
        .orderBy('sequence', newestFirst ? 'desc' : 'asc')
        .limit(pageSize)
      if (filter.states !== undefined) query = query.where('state', 'in', filter.states)
      if (filter.planId !== undefined) query = query.where('plan_id', '=', filter.planId)
      if (filter.workload !== undefined) query = query.where('workload', '=', filter.workload)
      if (filter.withIntents === true) query = query.where('has_intents', '=', 1)
      return query.execute()
    })
    full = rows.length === pageSize
    after = Number(rows.at(-1)?.sequence ?? after)
    yield* rows.map(runOf)
  }
}

export function sqlRuns(context: SqlContext): RunStore {
  return {
    create: (requests, options) => context.write(options, (transaction) => createRuns(transaction, requests)),
    take: (worker, ttl, limit, options) => context.claim(options, (transaction) => takeRuns(transaction, worker, ttl, limit)),
    renew: (lease, ttl, progress, options) =>
      context.write(options, async (transaction) => {
        const run = await heldRun(transaction, lease)
        const leaseUntil = transaction.now + ttl
        await updateRun(transaction, { ...run, leaseUntil, progress }, ttl)
        return { leaseUntil, ...(run.cancelReason !== undefined && { cancel: run.cancelReason }) }
      }),
    save: (lease, patch, options) => context.write(options, (transaction) => save(transaction, lease, patch)),
    finish: (lease, outcome, intents, events, options) =>
      context.write(options, (transaction) => finish(transaction, lease, outcome, intents, events)),
    undone: (runId, intents, options) => context.write(options, (transaction) => undone(transaction, runId, intents)),
    cancel: (runId, reason, options) => context.write(options, (transaction) => cancel(transaction, runId, reason)),
    get: (idOrKey, options) =>
      context.read(options, async (transaction) => (await findRun(transaction, idOrKey)) ?? findRunByKey(transaction, idOrKey)),
    list: (filter, options) => list(context, filter, options),
  }
}
