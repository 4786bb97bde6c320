import type { ProgressView } from '../../model/run-view.ts'
import type { CallOptions } from '../../spec/blocks.ts'
import { type ErrorCode, errorCodes } from '../../spec/error-codes.ts'
import { codeOf, HoldfastError } from '../../spec/errors.ts'
import { formatDuration } from '../../spec/helpers/format.ts'
import type { Json } from '../../spec/json.ts'
import type { Run } from '../../spec/store.ts'
import { errorText } from '../error-text.ts'
import { cancelledNotice } from '../notices/run-notices.ts'
import type { EngineParts } from '../parts.ts'

/**
 * A run that was asked for. Awaiting the handle gives its result, or throws the error it ended with, or ENGINE_STOPPED once this engine was stopped. The
 * run goes on, and survives this process, whether or not anybody waits.
 */
export interface RunHandle<Result> extends PromiseLike<Result> {
  /** The run's key: asking again with the same key attaches to the same run. */
  readonly key: string
  /**
   * Resolves when the run is stored, which is long before it has ended: from then on it survives this process. Rejects for a mistake in what was asked,
   * as awaiting the handle does.
   */
  accepted(): Promise<void>
  /** What it is doing, whenever that changes, until it ends; also that an attempt has failed, why, and when the next begins. May be read from several places. */
  progress(): AsyncIterable<ProgressView>
  /** Asks the run to stop. Counts only before its commit; resolves when the wish is stored. */
  cancel(reason?: string): Promise<void>
  /** As of a promise: `await handle.catch(tell)`. */
  catch<Caught = never>(rejected?: ((reason: unknown) => Caught | PromiseLike<Caught>) | null): Promise<Result | Caught>
  /** As of a promise. */
  finally(ended?: (() => void) | null): Promise<Result>
}

/** `cancelled`: it never began. `requested`: it stops soon, unless its commit comes first. `final`: it had ended already. */
export type CancelAnswer = 'cancelled' | 'requested' | 'final'

const pollMs = 100

/** Wraps a run that is being created. `want` tells this process's worker to take it up. */
export function createRunHandle<Result>(parts: EngineParts, key: string, created: Promise<Run>): RunHandle<Result> {
  let result: Promise<Result> | undefined
  const ended = () => {
    result ??= created.then((run) => resultOf<Result>(parts, run.id, { signal: parts.gone }))
    return result
  }
  created.catch(() => undefined)
  return {
    key,
    async accepted() {
      await created
    },
    progress: () => progressOf(parts, created, { signal: parts.gone }),
    async cancel(reason) {
      await cancelRun(parts, await created, reason)
    },
    ...promiseOf(ended),
  }
}

/** Asks a run to stop. Notified of at once if it never began, otherwise when it ends. */
export async function cancelRun(parts: EngineParts, run: Run, reason = 'asked by the application'): Promise<CancelAnswer> {
  const options = { signal: parts.gone }
  const answer = await parts.store.runs.cancel(run.id, reason, options)
  // One that works in this process need not wait for its next renewal to hear of it.
  if (answer === 'requested') parts.cancels.get(run.id)?.(reason)
  if (answer === 'cancelled') {
    parts.events.emit('run-finished', neverBegun(run, reason))
    await parts.store.outbox.add([cancelledNotice(run, parts.clock.now(), reason)], options)
  }
  return answer === 'unknown' ? 'final' : answer
}

function neverBegun({ id, key, operation, attempt, workload, planId }: Run, reason: string) {
  const about = { id, key, operation, attempt, ...(workload !== undefined && { workload }), ...(planId !== undefined && { plan: planId }) }
  return {
    ...about,
    state: 'cancelled',
    error: new HoldfastError('RUN_CANCELLED', `The run was cancelled before it began: ${reason}`),
  } as const
}

async function resultOf<Result>(parts: EngineParts, runId: string, options: CallOptions): Promise<Result> {
  const ending = listenForEnd(parts, runId)
  try {
    for (;;) {
      const run = await parts.store.runs.get(runId, options)
      if (!run) throw new HoldfastError('NOT_FOUND', `The run ${runId} is not in the catalog any more.`)
      if (run.state === 'succeeded') return run.result as Result
      if (run.state === 'failed' || run.state === 'cancelled' || run.state === 'skipped') throw errorOf(run)
      await ending.sleep(options)
    }
  } finally {
    ending.stop()
  }
}

/** Whether a run ends in this process is heard at once; elsewhere it is seen when somebody looks. */
function listenForEnd({ events, clock }: EngineParts, runId: string) {
  const ended = new AbortController()
  const listener = ({ id }: { readonly id: string }) => {
    if (id === runId) ended.abort()
  }
  events.on('run-finished', listener)
  let told = false
  return {
    /** Until it is time to look again. Cut short once, when the run was heard to end: then the catalog has it. */
    async sleep({ signal }: CallOptions): Promise<void> {
      if (told) return await clock.sleep(pollMs, { signal })
      await clock.sleep(pollMs, { signal: AbortSignal.any([signal, ended.signal]) }).catch((error: unknown) => {
        if (signal.aborted || !ended.signal.aborted) throw error
      })
      told = ended.signal.aborted
    },
    stop: () => events.off('run-finished', listener),
  }
}

/** The error as it was stored, made an error again: code, message and remedy are those of the attempt that failed. */
function errorOf(run: Run): HoldfastError {
  const stored = (run.error ?? {}) as { readonly [name: string]: Json }
  const known = typeof stored.code === 'string' && stored.code in errorCodes
  const code: ErrorCode = known ? (stored.code as ErrorCode) : run.state === 'cancelled' ? 'RUN_CANCELLED' : 'RUN_FAILED'
  const message = typeof stored.message === 'string' ? stored.message : `The run ${run.key} ended as ${run.state}.`
  return new HoldfastError(code, message, {
    ...(typeof stored.remedy === 'string' && { remedy: stored.remedy }),
    ...(typeof stored.retryable === 'boolean' && { retryable: stored.retryable }),
    details: { run: run.id, key: run.key, ...(stored.details !== undefined && { cause: stored.details }) },
  })
}

async function* progressOf(parts: EngineParts, created: Promise<Run>, options: CallOptions): AsyncGenerator<ProgressView, void, undefined> {
  const { id } = await created
  let last = ''
  let failures = 0
  for (;;) {
    const run = await parts.store.runs.get(id, options)
    if (!run || (run.state !== 'queued' && run.state !== 'running')) return
    // Between two attempts nothing moves, and whoever watches must not take that for work.
    if (run.failures > failures && run.error !== undefined) yield failedStep(run, parts.clock.now())
    failures = run.failures
    const shown = parts.meters.get(id)?.snapshot() ?? (run.progress as ProgressView | undefined)
    if (shown && shown.text !== last) {
      last = shown.text
      yield shown
    }
    await parts.clock.sleep(pollMs, options)
  }
}

function failedStep({ failures, maxFailures, error, state, notBefore }: Run, now: number): ProgressView {
  const { message } = error as { readonly message?: Json }
  const again = state === 'queued' && notBefore > now ? `; again in ${formatDuration(notBefore - now)}` : ''
  return { text: `failed (${failures} of ${maxFailures}): ${message}${again}`, bytes: 0, bytesPerSecond: 0, elapsedMs: 0 }
}

/** One of several runs under one handle. */
export interface JoinedRun<Result> {
  readonly workload: string
  readonly handle: RunHandle<Result>
}

/** Several runs under one handle: the runs of a plan, one for each workload. */
export function joinRunHandles<Result>(key: string, runs: Promise<readonly JoinedRun<Result>[]>): RunHandle<readonly Result[]> {
  runs.catch(() => undefined)
  let result: Promise<readonly Result[]> | undefined
  const ended = () => {
    result ??= runs.then(async (all) => await allOf(all))
    return result
  }
  return {
    key,
    async accepted() {
      await runs
    },
    async *progress() {
      for (const { handle } of await runs) yield* handle.progress()
    },
    async cancel(reason) {
      await Promise.all((await runs).map(({ handle }) => handle.cancel(reason)))
    },
    ...promiseOf(ended),
  }
}

/** What can be awaited in a handle. Nobody waits before one of these is called, so a run that nobody awaits is no unhandled rejection. */
function promiseOf<Result>(ended: () => Promise<Result>): Pick<RunHandle<Result>, 'then' | 'catch' | 'finally'> {
  return {
    // biome-ignore lint/suspicious/noThenProperty: a handle is awaited for its result; this is what makes it a PromiseLike.
    then: (fulfilled, rejected) => ended().then(fulfilled, rejected),
    catch: (rejected) => ended().catch(rejected),
    finally: (body) => ended().finally(body),
  }
}

/** Waits for all, so that one failure does not hide how the others ended; then throws the first, with what became of the others in its details. */
async function allOf<Result>(runs: readonly JoinedRun<Result>[]): Promise<readonly Result[]> {
  const settled = await Promise.allSettled(runs.map(({ handle }) => handle))
  const outcomes = settled.flatMap((each) => (each.status === 'fulfilled' ? [each.value] : []))
  const failed = runs.flatMap(({ workload, handle: { key } }, index) => {
    const each = settled[index]
    return each?.status === 'rejected' ? [{ workload, key, reason: each.reason as unknown }] : []
  })
  const [first] = failed
  if (!first) return outcomes
  if (runs.length === 1) throw first.reason
  const failures = failed.map(({ workload, key, reason }) => ({ workload, key, code: codeOf(reason) ?? null, message: wordsOf(reason) }))
  const known = HoldfastError.isInstance(first.reason) ? first.reason : undefined
  const others = failed.slice(1, 1 + mostNamed).map(({ workload }) => workload)
  const more = failed.length - 1 - others.length
  const also = others.length === 0 ? '' : ` Also: ${others.join(', ')}${more > 0 ? ` and ${more} more` : ''} (see details.failures).`
  const message = `${failed.length} of ${runs.length} workloads failed; ${first.workload}: ${wordsOf(first.reason)}${also}`
  const good = outcomes.length === 0 ? '' : `${outcomes.length} succeeded (see details.outcomes). `
  throw new HoldfastError(known?.code ?? 'RUN_FAILED', message, {
    cause: first.reason,
    ...(known && { remedy: `${good}Of ${first.workload}: ${known.remedy}`, retryable: known.retryable }),
    details: { outcomes: outcomes as readonly Json[], failures },
  })
}

/** Workloads of which an error says that they failed too. */
const mostNamed = 5

const wordsOf = (reason: unknown): string => (reason instanceof Error ? reason.message : errorText(reason))
