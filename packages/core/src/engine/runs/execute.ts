import { parseRunInput } from '../../model/run-input.ts'
import { codeOf, HoldfastError } from '../../spec/errors.ts'
import type { Run } from '../../spec/store.ts'
import { errorText } from '../error-text.ts'
import { backup } from '../operations/backup.ts'
import { copy } from '../operations/copy.ts'
import { merge } from '../operations/merge.ts'
import { prune } from '../operations/prune.ts'
import { pruneSnapshots } from '../operations/prune-snapshots.ts'
import { rescan } from '../operations/rescan.ts'
import { restore } from '../operations/restore.ts'
import { snapshot } from '../operations/snapshot.ts'
import { sweepRun } from '../operations/sweep-run.ts'
import { verify } from '../operations/verify.ts'
import type { EngineParts } from '../parts.ts'
import { type Attempt, beginAttempt } from './attempt.ts'
import { errorJson, finishFailed, finishSucceeded, runEvent, type Success } from './finish.ts'
import { isOpen } from './intents.ts'
import { settle } from './settle.ts'
import { undoOpenIntents } from './undo-leftovers.ts'

const longestDelayMs = 3_600_000

/** Whether an attempt only settles the last one and hands the run back (recovery), or goes on to do the work. */
export type ExecuteMode = 'work' | 'settle'

/** One attempt, from the lease to the end: settle the last one, do the work, finish; on any failure leave by settle again. Never rejects. */
export async function executeRun(parts: EngineParts, run: Run, mode: ExecuteMode, stopping: AbortSignal): Promise<void> {
  const attempt = beginAttempt(parts, run, stopping)
  parts.events.emit('run-started', runEvent(attempt))
  try {
    await attend(parts, attempt, mode)
  } catch (error) {
    // The lease is lost: somebody else settles what this attempt has left. Nothing is undone here.
    if (codeOf(error) === 'STALE_LEASE')
      parts.logger.warn('The run was taken over by another worker.', { run: run.key, attempt: run.attempt })
    else
      parts.logger.error('The attempt could not be brought to an end; it is taken over when its lease ends.', {
        run: run.key,
        error: errorText(error),
      })
  } finally {
    attempt.end()
  }
}

async function attend(parts: EngineParts, attempt: Attempt, mode: ExecuteMode): Promise<void> {
  const { run } = attempt
  const left = run.target !== undefined || run.intents.some(isOpen)
  if (left && (await settle(parts, attempt))) return
  if (run.failures >= run.maxFailures) return await giveUp(parts, attempt, new HoldfastError('RUN_FAILED', lostText(run)))
  if (run.cancelReason !== undefined)
    return await giveUp(parts, attempt, new HoldfastError('RUN_CANCELLED', `The run was cancelled: ${run.cancelReason}`))
  if (mode === 'settle') return await finishFailed(parts, attempt, { state: 'queued', delay: 0, failure: false }, undefined)
  try {
    const success = await work(parts, attempt)
    if (success) await finishSucceeded(parts, attempt, success)
  } catch (error) {
    const reason = attempt.signal.aborted ? attempt.signal.reason : asFailure(error)
    if (codeOf(error) === 'STALE_LEASE' || codeOf(reason) === 'STALE_LEASE') throw error
    parts.logger.warn('The attempt failed.', { run: run.key, attempt: run.attempt, error: errorText(reason) })
    if (await settle(parts, attempt)) return
    await giveUp(parts, attempt, reason)
  }
}

function lostText(run: Run): string {
  return `The run ${run.key} was interrupted ${run.failures} times and is not tried again.`
}

async function work(parts: EngineParts, attempt: Attempt): Promise<Success | undefined> {
  const input = parseRunInput(attempt.run.input)
  if (attempt.run.workload !== undefined) await undoOpenIntents(parts, { workload: attempt.run.workload }, { signal: attempt.signal })
  if (input.operation === 'backup') return await backup(parts, attempt, input)
  if (input.operation === 'verify') return await verify(parts, attempt, input)
  if (input.operation === 'prune') return await prune(parts, attempt, input)
  if (input.operation === 'merge') return await merge(parts, attempt, input)
  if (input.operation === 'copy') return await copy(parts, attempt, input)
  if (input.operation === 'rescan') return await rescan(parts, attempt, input)
  if (input.operation === 'sweep') return await sweepRun(parts, attempt, input)
  if (input.operation === 'snapshot') return await snapshot(parts, attempt, input)
  if (input.operation === 'prune-snapshots') return await pruneSnapshots(parts, attempt, input)
  if (input.repository === undefined) throw new HoldfastError('INVALID_OPTIONS', `The restore ${attempt.run.key} names no repository.`)
  return await restore(parts, attempt, { ...input, repository: input.repository })
}

/** Only the attempt's own signal says that this engine stops or that the run was cancelled: from a plug-in, which may use another engine, it is a failure. */
function asFailure(error: unknown): unknown {
  const code = codeOf(error)
  if (code !== 'ENGINE_STOPPED' && code !== 'RUN_CANCELLED') return error
  const words = error instanceof Error ? error.message : errorText(error)
  return new HoldfastError('PROVIDER_FAILED', `A plug-in failed with ${code}: ${words}`, { cause: error })
}

/** After settle: back into the queue, failed or cancelled. A graceful stop costs nothing. */
async function giveUp(parts: EngineParts, attempt: Attempt, error: unknown): Promise<void> {
  const { run } = attempt
  const code = codeOf(error)
  const told = errorJson(error)
  if (code === 'RUN_CANCELLED') return await finishFailed(parts, attempt, { state: 'cancelled', error: told }, error)
  if (code === 'ENGINE_STOPPED')
    return await finishFailed(parts, attempt, { state: 'queued', delay: 0, failure: false, error: told }, error)
  const failures = run.failures + 1
  if (code === 'RUN_FAILED' || told.retryable !== true || failures >= run.maxFailures)
    return await finishFailed(parts, attempt, { state: 'failed', error: told }, error)
  const delay = Math.min(longestDelayMs, parts.retry.delayMs * 2 ** (failures - 1))
  await finishFailed(parts, attempt, { state: 'queued', delay, failure: true, error: told }, error)
}
