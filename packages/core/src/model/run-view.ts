import * as z from 'zod'
import type { Json } from '../spec/json.ts'
import type { Run, RunState } from '../spec/store.ts'
import { isoTime } from './names.ts'
import { jsonSchema, sizeSchema, timeSchema, toJsonSchema } from './schemas.ts'

/** An error as the store keeps it: without a stack, without a secret. */
export interface ErrorView {
  readonly code: string
  readonly message: string
  readonly remedy?: string
  readonly retryable: boolean
  readonly details?: Json
}

/** How far an attempt has come, as of its last renewal. */
export interface ProgressView {
  /** What is being waited for. */
  readonly text: string
  readonly bytes: number
  readonly totalBytes?: number
  readonly bytesPerSecond: number
  readonly millisecondsLeft?: number
  readonly elapsedMs: number
}

/** A run as `engine.getRun` shows it to people and orchestrators: plain data, times ISO 8601 UTC. */
export interface RunView {
  readonly id: string
  readonly key: string
  readonly operation: string
  readonly state: RunState
  /** Tries so far, graceful stops included. */
  readonly attempt: number
  /** Tries that failed. */
  readonly failures: number
  readonly plan?: string
  /** `<provider>/<id>`. */
  readonly workload?: string
  readonly due: string
  /** Not started before. */
  readonly notBefore: string
  /** Name of the worker that has or had it. */
  readonly worker?: string
  readonly cancelReason?: string
  /** What is left to undo on a platform. */
  readonly openIntents: number
  readonly progress?: ProgressView
  readonly result?: Json
  readonly error?: ErrorView
}

const runViewSchema = z.strictObject({
  id: z.string(),
  key: z.string(),
  operation: z.string(),
  state: z.enum(['queued', 'running', 'succeeded', 'failed', 'cancelled', 'skipped']),
  attempt: sizeSchema,
  failures: sizeSchema,
  plan: z.string().exactOptional(),
  workload: z.string().exactOptional(),
  due: timeSchema,
  notBefore: timeSchema,
  worker: z.string().exactOptional(),
  cancelReason: z.string().exactOptional(),
  openIntents: sizeSchema,
  progress: z
    .strictObject({
      text: z.string(),
      bytes: sizeSchema,
      totalBytes: sizeSchema.exactOptional(),
      bytesPerSecond: z.number().min(0),
      millisecondsLeft: z.number().min(0).exactOptional(),
      elapsedMs: z.number().min(0),
    })
    .exactOptional(),
  result: jsonSchema.exactOptional(),
  error: z
    .strictObject({
      code: z.string(),
      message: z.string(),
      remedy: z.string().exactOptional(),
      retryable: z.boolean(),
      details: jsonSchema.exactOptional(),
    })
    .exactOptional(),
}) satisfies z.ZodType<RunView>

/** The view of a stored run. `progress` of the attempt that runs in this process may be newer than the stored one. */
export function runView(run: Run, progress?: ProgressView): RunView {
  const shown = progress ?? (run.progress as ProgressView | undefined)
  return {
    id: run.id,
    key: run.key,
    operation: run.operation,
    state: run.state,
    attempt: run.attempt,
    failures: run.failures,
    ...(run.planId !== undefined && { plan: run.planId }),
    ...(run.workload !== undefined && { workload: run.workload }),
    due: isoTime(run.dueAt),
    notBefore: isoTime(run.notBefore),
    ...(run.worker !== undefined && { worker: run.worker }),
    ...(run.cancelReason !== undefined && { cancelReason: run.cancelReason }),
    openIntents: run.intents.filter((intent) => intent.until === undefined).length,
    ...(shown !== undefined && { progress: shown }),
    ...(run.result !== undefined && { result: run.result }),
    ...(run.error !== undefined && { error: run.error as unknown as ErrorView }),
  }
}

/** JSON Schema of {@link RunView}. */
export function runViewJsonSchema(): Json {
  return toJsonSchema(runViewSchema, 'Holdfast run as it is shown', 'output')
}

/** Throws unless `view` is what {@link runViewJsonSchema} describes: for tests of this package. */
export function assertRunView(view: unknown): void {
  runViewSchema.parse(view)
}
