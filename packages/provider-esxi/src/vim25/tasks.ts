import { type CallOptions, HoldfastError } from '@holdfast/core/spec'
import { type Called, faultError } from './faults.ts'
import { nameOf } from './host-requests.ts'
import type { Session } from './session.ts'
import type { Updates } from './updates.ts'
import type { Data, MoRef } from './values.ts'

/** A task that has been started, and how to wait for it. */
export interface TaskWait extends CallOptions {
  /** What was called on what: for the error of a task that failed. */
  readonly called: Called
  /** Percent, whenever the host tells it. */
  readonly onProgress?: (percent: number) => void
  /** An abort leaves the task going: what it does is better done than half done. */
  readonly goesOn?: boolean
}

/** Whether it has ended is said by the host alone: the removal of a snapshot takes hours, so there is no limit of time. */
function endOf(info: Data<'TaskInfo'>, { called, onProgress }: TaskWait, host: string): { readonly result: unknown } | undefined {
  if (info.state === 'success') return { result: info.result }
  if (info.state !== 'error') {
    if (info.progress !== undefined) onProgress?.(info.progress)
    return undefined
  }
  const { error } = info
  throw faultError(
    {
      message: error?.localizedMessage ?? 'the task failed',
      ...(error !== undefined && { type: error.fault.$type ?? 'MethodFault', fault: error.fault }),
    },
    { ...called, host },
  )
}

/**
 * Waits for a task, and gives its result. An abort asks the host to cancel the task, unless it shall go on, and rejects at once; the task may
 * go on all the same.
 * @throws What the task failed with, as `faultError` says.
 */
export async function taskResult(session: Session, updates: Updates, task: MoRef<'Task'>, wait: TaskWait): Promise<unknown> {
  const { signal } = wait
  const host = nameOf(session.client.address)
  try {
    const end = await updates.until(
      task,
      ['info'],
      ({ info }) => (info === undefined ? undefined : endOf(info as Data<'TaskInfo'>, wait, host)),
      { signal },
    )
    return end.result
  } catch (error) {
    // A task that cannot be cancelled says so, and goes on.
    if (signal.aborted && wait.goesOn !== true)
      session.call('CancelTask', task, {}, { signal: new AbortController().signal }).catch(() => {})
    throw error
  }
}

/** The result of a task that must be a reference. */
export function referenceIn<Type extends string>(result: unknown, type: Type): MoRef<Type> {
  if (
    typeof result === 'object' &&
    result !== null &&
    'type' in result &&
    result.type === type &&
    'value' in result &&
    typeof result.value === 'string'
  )
    return { type, value: result.value }
  throw new HoldfastError('PROVIDER_FAILED', `A task gave no ${type}.`, { retryable: false })
}
