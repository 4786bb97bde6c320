import { type CallOptions, type Clock, codeOf, formatDuration, HoldfastError } from '@holdfast/core/spec'
import type { Connection } from './connection.ts'
import { isFault } from './vim25/faults.ts'
import type { MethodName, ParametersOf, SelfOf } from './vim25/methods.ts'
import { referenceIn, taskResult } from './vim25/tasks.ts'
import type { MoRef } from './vim25/values.ts'

/** Methods that start a task. */
export type TaskMethod = { [Name in MethodName]: Name extends `${string}_Task` ? Name : never }[MethodName]

export interface MachineTask extends CallOptions {
  /** What people call the machine, for errors. */
  readonly name: string
  /** Percent, whenever the host tells it. */
  readonly onProgress?: (percent: number) => void
  /** An abort leaves the task going. */
  readonly goesOn?: boolean
}

/** A task ends when its host says so, however long it takes; when nothing about it has changed for so long, something is wrong with it. */
const stallMs = 24 * 3_600_000
/** Breaks of the connection during one task that are waited out, and for how long each time. */
const breaks = { most: 5, pauseMs: 5000 }

/** Gives up when nothing has moved for too long. */
async function whileItMoves<Result>(
  clock: Clock,
  name: string,
  { signal }: CallOptions,
  work: (options: CallOptions, moved: () => void) => Promise<Result>,
): Promise<Result> {
  const over = new AbortController()
  const stalled = new AbortController()
  let last = clock.monotonic()
  const watch = async () => {
    for (let left = stallMs; left > 0; left = last + stallMs - clock.monotonic()) await clock.sleep(left, { signal: over.signal })
    stalled.abort(
      new HoldfastError('STALLED', `${name} has made no progress for ${formatDuration(stallMs)}.`, {
        remedy: 'Look at the tasks of the host. What is under way goes on, and is looked at again.',
      }),
    )
  }
  watch().catch(() => undefined) // it ends by its signal
  try {
    return await work({ signal: AbortSignal.any([signal, stalled.signal]) }, () => {
      last = clock.monotonic()
    })
  } finally {
    over.abort()
  }
}

/** What only waits may be done again when the session has ended or the line was cut meanwhile: what it waits for belongs to no session. */
export async function throughBreaks<Result>({ clock }: Connection, wait: () => Promise<Result>, options: CallOptions): Promise<Result> {
  for (let left = breaks.most; ; left -= 1) {
    try {
      return await wait()
    } catch (error) {
      const broken = isFault(error, 'NotAuthenticated') || (codeOf(error) === 'UNREACHABLE' && !isFault(error, 'MethodFault'))
      if (!broken || left === 0 || options.signal.aborted) throw error
      await clock.sleep(breaks.pauseMs, options)
    }
  }
}

/**
 * Starts a task, waits for its end and gives its result. There is no limit of time, since the host says whether it still works; a day in which nothing moves is
 * STALLED. See `taskResult`.
 */
export async function runTask<Method extends TaskMethod>(
  connection: Connection,
  method: Method,
  self: MoRef<SelfOf<Method>>,
  parameters: ParametersOf<Method>,
  { name, signal, onProgress, goesOn = false }: MachineTask,
): Promise<unknown> {
  const task = referenceIn(await connection.session.call(method, self, parameters, { signal, name }), 'Task')
  return whileItMoves(connection.clock, `${method} on ${name}`, { signal }, (inner, moved) => {
    const progressed = (percent: number) => {
      moved()
      onProgress?.(percent)
    }
    const wait = { ...inner, called: { method, self, name }, goesOn, onProgress: progressed }
    return throughBreaks(connection, () => taskResult(connection.session, connection.updates, task, wait), inner)
  })
}

/** Seconds between tries: two minutes in all. */
const pauses = [2, 4, 8, 16, 30, 60]

/** Does it again, after some time, as long as the host refuses with one of these faults; the last refusal is thrown. */
export async function againWhile<Result>(
  { clock }: Connection,
  faults: readonly string[],
  work: () => Promise<Result>,
  options: CallOptions,
): Promise<Result> {
  for (const seconds of pauses) {
    try {
      return await work()
    } catch (error) {
      if (!faults.some((fault) => isFault(error, fault))) throw error
      await clock.sleep(seconds * 1000, options)
    }
  }
  return work()
}

/** Another task of the same machine is under way. */
export const busy: readonly string[] = ['TaskInProgress', 'ConcurrentAccess']
