import type { Manifest } from '../../model/manifest.ts'
import { pointRow } from '../../model/point-row.ts'
import type { BackupOutcome, CopyOutcome, ItemOutcome, MergeOutcome } from '../../model/run-outcome.ts'
import type { CallOptions } from '../../spec/blocks.ts'
import { codeOf, HoldfastError } from '../../spec/errors.ts'
import type { Json } from '../../spec/json.ts'
import type { RestoreResult } from '../../spec/restore.ts'
import type { ManifestRef, Outcome, PointRow, Run, RunRequest, StoredIntent } from '../../spec/store.ts'
import { errorText } from '../error-text.ts'
import type { RunEvent } from '../events.ts'
import { type RunEnd, runNotices, subjectOf } from '../notices/run-notices.ts'
import { cleanUp, type EngineParts } from '../parts.ts'
import type { Attempt } from './attempt.ts'
import { followUps } from './follow-ups.ts'
import { isOpen, undoOfRun } from './intents.ts'

const finishTries = 5

/** What an operation comes back with when its work is done. */
export interface Success {
  readonly result: Json
  readonly points?: readonly PointRow[]
  /** Intents of this attempt that shall stay; all others are undone. Empty for a test restore. */
  readonly kept?: ReadonlySet<string>
  /** Created in the transaction that makes the run final. */
  readonly follow?: readonly RunRequest[]
}

export function runEvent(attempt: Attempt): RunEvent {
  const { run } = attempt
  return {
    id: run.id,
    key: run.key,
    operation: run.operation,
    attempt: run.attempt,
    ...(run.workload !== undefined && { workload: run.workload }),
    ...(run.planId !== undefined && { plan: run.planId }),
  }
}

/** Results are plain data: what is stored is what a caller gets. */
export function plainResult(result: object): Json {
  return JSON.parse(JSON.stringify(result)) as Json
}

/** A backup's result, told the same way whether this attempt committed it or found it committed. */
export function committedSuccess(reference: ManifestRef, manifest: Manifest): Success {
  const items: readonly ItemOutcome[] = manifest.items.map((item) =>
    item.type === 'disk'
      ? { name: item.disk.name, form: item.form, format: item.format, reason: item.reason, size: item.disk.size, stored: item.file.size }
      : { name: item.name, form: item.form, format: item.format, size: item.size, stored: item.file.size },
  )
  const { point, number, createdAt, consistency, bytes, skipped, warnings } = manifest
  const outcome: BackupOutcome = {
    repository: reference.repository,
    point,
    number,
    createdAt,
    consistency,
    bytes,
    items,
    skipped,
    warnings,
  }
  return { result: plainResult(outcome), points: [pointRow(reference.repository, manifest)] }
}

/** What a manifest says of the run that has written it, told the same way whether this attempt committed it or found it committed. */
export function writtenSuccess(reference: ManifestRef, manifest: Manifest): Success {
  const { rewritten, point, number, items, bytes } = manifest
  if (rewritten === undefined) return committedSuccess(reference, manifest)
  if (rewritten.by === 'copy') {
    const copied: CopyOutcome = { repository: reference.repository, point, number, stored: bytes.stored }
    return { result: plainResult(copied), points: [pointRow(reference.repository, manifest)] }
  }
  const disks = items.flatMap((item) => {
    if (item.type !== 'disk' || !item.file.path.startsWith(`${number}/`)) return []
    return [{ name: item.disk.name, form: item.form, reason: item.reason, stored: item.file.size }]
  })
  const outcome: MergeOutcome = { repository: reference.repository, point, number, disks }
  return { result: plainResult(outcome), points: [pointRow(reference.repository, manifest)] }
}

/** A restore that an earlier attempt had delivered on the platform before it could say so. */
export function deliveredResult(run: Run, delivered: RestoreResult): Json {
  const input = run.input as { readonly [name: string]: Json }
  return {
    repository: input.repository ?? null,
    point: input.point ?? null,
    provider: input.provider ?? null,
    purpose: input.purpose ?? null,
    workload: delivered.workload,
  }
}

/** The run becomes final and holds nothing; then what it made for itself is undone. Whoever dies in between leaves the undo to the next one. */
export async function finishSucceeded(parts: EngineParts, attempt: Attempt, success: Success): Promise<void> {
  const remaining = attempt
    .intents()
    .filter((intent) => !isOpen(intent) || !(intent.kept || success.kept?.has(intent.id)))
    .map((intent) => ({ ...intent, kept: false }))
  const follow = [...(success.follow ?? []), ...(await followUps(parts, attempt.run, success.points ?? []))]
  await finishRun(parts, attempt, { state: 'succeeded', result: success.result, points: success.points ?? [], follow }, remaining)
  for (const row of success.points ?? []) {
    parts.events.emit('point-committed', { ...runEvent(attempt), repository: row.repository, point: row.pointId })
  }
  parts.events.emit('run-finished', { ...runEvent(attempt), state: 'succeeded', result: success.result })
  await undoRemaining(parts, attempt, remaining)
}

/** The attempt ends without a result. Its intents were undone by settle; those that could not be stay open. */
export async function finishFailed(
  parts: EngineParts,
  attempt: Attempt,
  outcome: Outcome & { readonly state: 'queued' | 'failed' | 'cancelled' },
  error: unknown,
): Promise<void> {
  await finishRun(parts, attempt, outcome, attempt.intents())
  if (outcome.state === 'queued') parts.events.emit('run-retried', { ...runEvent(attempt), error, delayMs: outcome.delay })
  else parts.events.emit('run-finished', { ...runEvent(attempt), state: outcome.state, error })
}

async function undoRemaining(parts: EngineParts, attempt: Attempt, remaining: readonly StoredIntent[]): Promise<void> {
  const open = remaining.filter(isOpen)
  if (open.length === 0) return
  try {
    await cleanUp(parts, (options) => undoOfRun(parts, attempt.run, open, attempt.mark, options))
  } catch (error) {
    parts.logger.warn('The run succeeded; what it left behind is undone later.', { run: attempt.run.key, error: errorText(error) })
  }
}

async function finishRun(parts: EngineParts, attempt: Attempt, outcome: Outcome, intents: readonly StoredIntent[]): Promise<void> {
  await cleanUp(parts, async (options) => {
    for (let tried = 1; ; tried++) {
      try {
        const notices = runNotices(await runEnd(parts, attempt, outcome, options))
        await parts.store.runs.finish(attempt.lease, outcome, intents, notices, options)
        return
      } catch (error) {
        if (tried > 1 && codeOf(error) === 'STALE_LEASE' && (await finishedByUs(parts, attempt, outcome, options))) return
        if (tried === finishTries || codeOf(error) === 'STALE_LEASE' || !(error as { retryable?: boolean }).retryable) throw error
        await parts.clock.sleep(50 * tried, options)
      }
    }
  })
}

/** The answer to an earlier try may have been lost although the transaction was made. */
async function finishedByUs(parts: EngineParts, attempt: Attempt, outcome: Outcome, options: CallOptions): Promise<boolean> {
  const run = await parts.store.runs.get(attempt.run.id, options)
  return run !== undefined && run.attempt === attempt.run.attempt && run.state === outcome.state
}

async function runEnd(parts: EngineParts, attempt: Attempt, outcome: Outcome, options: CallOptions): Promise<RunEnd> {
  const { run } = attempt
  const lastFailed = outcome.state === 'succeeded' ? await lastFailure(parts, run, options) : undefined
  const { elapsedMs } = attempt.meter.snapshot()
  return { run, outcome, at: attempt.storeNow(), elapsedMs: Math.round(elapsedMs), ...(lastFailed && { lastFailed }) }
}

/** Of the same work on the same thing, for the same plan; of work by hand only backups, which are what a workload has to have. */
async function lastFailure(parts: EngineParts, run: Run, options: CallOptions): Promise<Run | undefined> {
  const { planId, workload, operation } = run
  if (planId === undefined && (operation !== 'backup' || workload === undefined)) return undefined
  const alike = { ...(planId !== undefined && { planId }), ...(workload !== undefined && { workload }) }
  for await (const failed of parts.store.runs.list({ states: ['failed'], order: 'newest-first', ...alike }, options))
    if (failed.operation === operation && failed.planId === planId && sameSubject(failed, run)) return failed
  return undefined
}

/** Of a plan and a workload whatever the repository: when the plan was given another one after a failure, its success there is the all-clear. */
function sameSubject(failed: Run, run: Run): boolean {
  const [before, now] = [subjectOf(failed), subjectOf(run)]
  if (before.workload !== now.workload) return false
  return before.repository === now.repository || (run.planId !== undefined && now.workload !== undefined)
}

/** An error as the store keeps it: JSON, without a stack, and without what may hold a secret. */
export function errorJson(error: unknown): { readonly [key: string]: Json } {
  if (HoldfastError.isInstance(error)) {
    return {
      code: error.code,
      message: withCauseCode(error),
      remedy: error.remedy,
      retryable: error.retryable,
      ...plainDetails(error.details),
    }
  }
  const code = codeOf(error)
  return { code: code ?? 'INTERNAL', message: error instanceof Error ? error.message : errorText(error), retryable: false }
}

const deepestCause = 5

/** The text of a cause may hold a secret and is not kept; what the system calls it, `EACCES`, is none, and is often all that a person needs. */
function withCauseCode({ message, cause }: HoldfastError): string {
  let current = cause
  for (let depth = 0; depth < deepestCause && current instanceof Error; depth++, current = current.cause) {
    const code = codeOf(current) ?? ''
    if (/^E[A-Z0-9]{2,20}$/.test(code)) return message.includes(code) ? message : `${message} (${code})`
  }
  return message
}

/** A plug-in may have put in what JSON cannot hold; that must not keep the run from ending. */
function plainDetails(details: Json | undefined): { readonly details?: Json } {
  try {
    return details === undefined ? {} : { details: JSON.parse(JSON.stringify(details)) as Json }
  } catch {
    return {}
  }
}
