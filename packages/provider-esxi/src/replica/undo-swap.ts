import { type CallOptions, HoldfastError, type Intent, type Mark, type RestoreResult } from '@holdfast/core/spec'
import type { Connection } from '../connection.ts'
import { isOf, type Marked, type Taken } from '../mark.ts'
import { type AnnotatedMachine, annotatedMachines, isDelivered } from '../restore/marked-machines.ts'
import { removeMachine } from '../restore/remove-machine.ts'
import { nameOf } from '../vim25/host-requests.ts'
import { removeOld, swapReplicaKind, takePlace } from './swap-replica.ts'

/** What the intent holds. */
export interface SwapReplica {
  /** Name of the new machine until it takes that of the old one. */
  readonly machine: string
  /** Id of the workload that it takes the place of, and its name. */
  readonly target: string
  readonly name: string
}

/** @throws INTERNAL: not what an intent of this kind holds. */
export function readSwapReplica({ id, kind, data }: Intent): SwapReplica {
  const { machine, target, name } = (typeof data === 'object' && data !== null && !Array.isArray(data) ? data : {}) as {
    readonly [key: string]: unknown
  }
  if (typeof machine === 'string' && typeof target === 'string' && typeof name === 'string') return { machine, target, name }
  throw new HoldfastError('INTERNAL', `Intent ${id} (${kind}) names no replica.`)
}

type Waiting = AnnotatedMachine & { readonly marked: Marked & { readonly takes: Taken } }
const isWaiting = (one: AnnotatedMachine): one is Waiting => one.marked?.purpose === 'replica-swap' && one.marked.takes !== undefined

function notKnown({ settings }: Connection, name: string): HoldfastError {
  return new HoldfastError(
    'UNDO_FAILED',
    `${nameOf(settings)} cannot read the machine ${name} now, so it is not known which replica is to stay.`,
    {
      remedy: 'Look whether its datastore is there and whether its host is connected. It is tried again.',
      details: { machine: name },
    },
  )
}

/** Goes on where an attempt has stopped. An old replica that may not be replaced any more stays, and the new one goes: one of them is whole at each moment. */
async function goOn(
  connection: Connection,
  whole: Waiting,
  all: readonly AnnotatedMachine[],
  options: CallOptions,
): Promise<'undone' | RestoreResult> {
  const { takes, mark } = whole.marked
  const others = all.filter(({ ref }) => ref.value !== whole.ref.value)
  const old = others.find(({ id }) => id === takes.id)
  const hidden = others.find(({ id, name, ref }) => id === undefined && (name === takes.name || ref.value === takes.ref))
  if (old === undefined && hidden !== undefined) throw notKnown(connection, hidden.name)
  const kept = old && (await removeOld(connection, { ...old, id: takes.id }, mark.system, options))
  if (kept !== undefined) {
    await removeMachine(connection, whole, options)
    return 'undone'
  }
  return takePlace(connection, whole, whole.marked, options)
}

/**
 * Finishes what an attempt was doing when it put a machine in the place of an older replica. Only what carries the mark of exactly this attempt takes a place, and
 * only a replica of ours, off and without snapshots, is removed for it. Not begun: nothing is done. Finished already: told as delivered, and not touched. Idempotent.
 * @throws UNDO_FAILED, UNREACHABLE (retryable): one of the two cannot be read now. NAME_TAKEN: a machine of somebody else has the name; it goes on when that has gone.
 */
export async function undoSwap(
  connection: Connection,
  mark: Mark,
  { machine, name }: SwapReplica,
  options: CallOptions,
): Promise<'undone' | { readonly delivered: RestoreResult }> {
  const all: AnnotatedMachine[] = []
  for await (const one of annotatedMachines(connection.session, options)) all.push(one)
  const own = all.filter(({ marked }) => isOf(marked, mark))
  const finished = own.find(({ marked }) => isDelivered(marked))
  if (finished?.id !== undefined) return { delivered: { workload: finished.id } }
  const waiting = own.find(isWaiting)
  if (waiting !== undefined) {
    const result = await goOn(connection, waiting, all, options)
    return result === 'undone' ? result : { delivered: result }
  }
  const unread = all.find((one) => one.annotation === undefined && (one.name === machine || one.name === name))
  if (unread !== undefined && own.length === 0) throw notKnown(connection, unread.name)
  return 'undone'
}

/** Every machine that is on its way into the place of a replica, of any system, as the intent that finishes it. Reads only. */
export async function* replicaLeftovers(connection: Connection, provider: string, options: CallOptions): AsyncGenerator<Intent> {
  for await (const one of annotatedMachines(connection.session, options)) {
    if (!isWaiting(one)) continue
    const { mark, takes } = one.marked
    const data = { machine: one.name, target: takes.id, name: takes.name }
    const id = `leftover:${swapReplicaKind}:${mark.system}:${mark.run}.${mark.attempt}`
    yield { id, provider, kind: swapReplicaKind, data, mark, kept: false }
  }
}
