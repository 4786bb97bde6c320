import { type CallOptions, HoldfastError, type Intent, type Mark, type RestoreResult } from '@holdfast/core/spec'
import type { Connection } from '../connection.ts'
import { isOf } from '../mark.ts'
import { nameOf } from '../vim25/host-requests.ts'
import { type AnnotatedMachine, annotatedMachines, isDelivered, isOfRun, isSwapping, isUnfinished } from './marked-machines.ts'
import { abandon } from './own-machine.ts'
import { removeMachine } from './remove-machine.ts'

/** The kind of undo of a machine that was being made. */
export const removeMachineKind = 'remove-machine'

/** What the intent holds. */
export interface RemoveMachine {
  /** Name of the machine while it is unfinished. */
  readonly machine: string
  /** Its attempt is known from the host alone, and may still be at work: it is told to give up first. */
  readonly abandon?: boolean
}

/**
 * A replica that its attempt would put in the place of an older one now must not be removed while it does so. Where its notes cannot be written, as on a full datastore, or say something else by now, it
 * is looked at as any other: an attempt that is at work at that very moment is less likely than a machine that nobody could remove any more.
 */
async function removeAbandoned(connection: Connection, one: AnnotatedMachine, mark: Mark, options: CallOptions): Promise<void> {
  try {
    await abandon(connection, one, mark, options)
  } catch (error) {
    if (options.signal.aborted) throw error
    await removeMachine(connection, one, options)
  }
  await removeMachine(connection, { ...one, marked: { purpose: 'machine-unfinished', mark, abandoned: true } }, options)
}

/**
 * Removes what an attempt was making. Idempotent; "already gone" is success. Only a machine that carries the mark of exactly this attempt and is unfinished is
 * removed, off first if it runs. A finished one of this attempt is told as delivered, and not touched.
 * @throws UNDO_FAILED (retryable): a machine with the name of the attempt whose annotation cannot be read now; or one that is about to take the place of a replica,
 * whose own intent must come first.
 */
export async function undoRestore(
  connection: Connection,
  mark: Mark,
  intent: RemoveMachine,
  options: CallOptions,
): Promise<'undone' | { readonly delivered: RestoreResult }> {
  const { machine } = intent
  const own: AnnotatedMachine[] = []
  let unreadable: AnnotatedMachine | undefined
  for await (const one of annotatedMachines(connection.session, options)) {
    if (isOf(one.marked, mark)) own.push(one)
    else if (one.name === machine && one.annotation === undefined) unreadable = one
  }
  const delivered = own.find(({ marked }) => isDelivered(marked))
  if (delivered?.id !== undefined) return { delivered: { workload: delivered.id } }
  const swapping = own.find(isSwapping)
  if (swapping !== undefined)
    throw new HoldfastError('UNDO_FAILED', `${swapping.name} is still needed: it is about to take the place of a replica.`, {
      remedy: 'Nothing: it stays or goes when that has ended.',
      details: { machine },
    })
  for (const one of own) {
    if (!isUnfinished(one.marked)) continue
    // On one that runs no attempt goes on.
    if (intent.abandon && one.power === 'poweredOff') await removeAbandoned(connection, one, mark, options)
    else await removeMachine(connection, one, options)
  }
  if (unreadable === undefined) return 'undone'
  throw new HoldfastError(
    'UNDO_FAILED',
    `${nameOf(connection.settings)} cannot read the machine ${machine} now, so it is not known whether it is to be removed.`,
    {
      remedy: 'Look whether its datastore is there and whether its host is connected. It is tried again.',
      details: { machine },
    },
  )
}

/** What any attempt of a run has delivered: found by its mark. Reads only. */
export async function deliveredRestore(
  connection: Connection,
  run: Omit<Mark, 'attempt'>,
  options: CallOptions,
): Promise<RestoreResult | undefined> {
  for await (const { marked, id } of annotatedMachines(connection.session, options))
    if (isOfRun(marked, run) && isDelivered(marked) && id !== undefined) return { workload: id }
  return undefined
}

/** Those that are still unfinished, of any system, as the intents that remove them. */
export function* restoreLeftovers(machines: readonly AnnotatedMachine[], provider: string): Generator<Intent> {
  for (const { marked, name } of machines) {
    if (marked === undefined || !isUnfinished(marked)) continue
    const { mark } = marked
    const data = { machine: name, abandon: true }
    yield {
      id: `leftover:${removeMachineKind}:${mark.system}:${mark.run}.${mark.attempt}`,
      provider,
      kind: removeMachineKind,
      data,
      mark,
      kept: false,
    }
  }
}
