import { type CallOptions, HoldfastError, type Intent, type Mark, type RestoreResult } from '@holdfast/core/spec'
import type { Connection } from '../connection.ts'
import { againWhile } from '../machine-task.ts'
import { isOf } from '../mark.ts'
import {
  type AnnotatedMachine,
  annotatedMachines,
  isDelivered,
  isSwapping,
  isUnfinished,
  type SwappingMachine,
} from '../restore/marked-machines.ts'
import { abandon } from '../restore/own-machine.ts'
import { destroyMachine } from '../restore/remove-machine.ts'
import { nameOf } from '../vim25/host-requests.ts'
import { whyKept, whyNotWhole } from './replica-target.ts'
import { heldFaults, madeBefore, removeOld, swapReplicaKind, takePlace } from './swap-replica.ts'

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

type Two = readonly [whole: AnnotatedMachine, other: AnnotatedMachine | undefined]

/** Whatever is in doubt, nothing is removed: two machines too many are better than one too few. */
function bothStay({ settings }: Connection, [whole, other]: Two, why: string): HoldfastError {
  const [first, second] = [whole, other].map((one) => one && `${one.name} (${one.ref.value})`)
  const machines =
    second === undefined ? `${first} on ${nameOf(settings)} stays` : `${first} and ${second} on ${nameOf(settings)} both stay`
  return new HoldfastError('UNDO_FAILED', `${machines} for now: ${why}`, {
    remedy: 'Switch off the one that runs, if nothing of it is needed, or remove one of the two by hand. It is tried again.',
    details: { machine: whole.name, ...(other && { other: other.name }) },
  })
}

/** A newer replica has the id already: the machine of the earlier run is of no use any more. It goes if that newer one is surely there, and it is itself as it was made. */
async function removeOlder(connection: Connection, whole: SwappingMachine, newer: AnnotatedMachine, options: CallOptions): Promise<void> {
  const { takes, mark } = whole.marked
  const work = async () => {
    const own = { ref: whole.ref, id: whole.id ?? takes.by.id }
    const reason =
      (await whyKept(connection, own, { purpose: 'replica-swap', mark }, options)) ??
      (await whyNotWhole(connection, { ref: newer.ref, id: takes.id }, { purpose: 'replica', mark: newer.marked?.mark ?? mark }, options))
    if (reason !== undefined) throw bothStay(connection, [whole, newer], reason.message)
    await destroyMachine(connection, whole, options)
  }
  await againWhile(connection, heldFaults, work, options)
}

/** The one machine that has the id which another is to have; undefined: none has. */
function findOld(connection: Connection, whole: SwappingMachine, others: readonly AnnotatedMachine[]): AnnotatedMachine | undefined {
  const { takes } = whole.marked
  const [old, second] = others.filter(({ id }) => id === takes.id)
  if (second !== undefined) throw bothStay(connection, [whole, second], `several machines have the id ${takes.id}.`)
  const hidden = others.find(({ id, name, ref }) => id === undefined && (name === takes.name || ref.value === takes.ref))
  if (old === undefined && hidden !== undefined) throw notKnown(connection, hidden.name)
  const recorded = others.find(({ ref }) => ref.value === takes.ref)
  if (old !== undefined && recorded !== undefined && recorded !== old)
    throw bothStay(connection, [whole, old], `${recorded.name} (${takes.ref}) had the id ${takes.id}.`)
  return old
}

/**
 * Goes on where an attempt has stopped. A machine that is whole is not removed for the old one, whatever that is: whoever else is at work here may be about to remove the old
 * one for it. Only where a newer replica has come since, it goes.
 */
async function goOn(
  connection: Connection,
  whole: SwappingMachine,
  all: readonly AnnotatedMachine[],
  options: CallOptions,
): Promise<'undone' | RestoreResult> {
  const { marked } = whole
  const others = all.filter(({ ref }) => ref.value !== whole.ref.value)
  const old = findOld(connection, whole, others)
  if (whole.power !== 'poweredOff') throw bothStay(connection, [whole, old], `${whole.name} is on, and was to become a replica.`)
  if (old === undefined) return takePlace(connection, whole, marked, options)
  const isReplica = old.marked?.purpose === 'replica' && old.marked.mark.system === marked.mark.system
  if (isReplica && !isOf(old.marked, madeBefore(marked))) {
    await removeOlder(connection, whole, old, options)
    return 'undone'
  }
  const kept = await removeOld(connection, whole, marked, { ...old, id: marked.takes.id }, options)
  if (kept !== undefined) throw bothStay(connection, [whole, old], kept.message)
  return takePlace(connection, whole, marked, options)
}

/** The machine of an attempt that is to take a place. Where its files were copied by hand a copy may have its id. */
function findSwapping(connection: Connection, own: readonly AnnotatedMachine[]): SwappingMachine | undefined {
  const found = own.filter(isSwapping)
  const [one, another] = found
  if (another === undefined) return one
  const recorded = found.find(({ ref, marked }) => ref.value === marked.takes.by.ref)
  if (recorded === undefined) throw bothStay(connection, [another, one], 'one is a copy of the other.')
  return recorded
}

/**
 * Finishes what an attempt was doing when it put a machine in the place of an older replica. Only what carries the mark of exactly this attempt takes a place, and
 * only the replica of ours that it was made for, off and without snapshots, is removed for it. Not begun: it cannot begin any more. Finished already: told as delivered, and not touched.
 * Idempotent, also beside another call of it: at each moment one of the two is there.
 * @throws UNDO_FAILED (retryable): the old one may not be removed, or one of the two runs, or several machines have the id; both stay. UNDO_FAILED, UNREACHABLE (retryable): one of
 * the two cannot be read now. NAME_TAKEN: a machine of somebody else has the name; it goes on when that has gone.
 */
export async function undoSwap(
  connection: Connection,
  mark: Mark,
  { machine, target, name }: SwapReplica,
  options: CallOptions,
): Promise<'undone' | { readonly delivered: RestoreResult }> {
  const all: AnnotatedMachine[] = []
  for await (const one of annotatedMachines(connection.session, options)) all.push(one)
  const own = all.filter(({ marked }) => isOf(marked, mark))
  const delivered = own.filter(({ marked }) => isDelivered(marked))
  const finished = delivered.find(({ id }) => id === target) ?? delivered[0]
  if (finished?.id !== undefined) return { delivered: { workload: finished.id } }
  const waiting = findSwapping(connection, own)
  if (waiting !== undefined) {
    const result = await goOn(connection, waiting, all, options)
    return result === 'undone' ? result : { delivered: result }
  }
  const unfinished = own.filter(({ marked }) => isUnfinished(marked))
  // On one that runs no attempt goes on.
  for (const one of unfinished) if (one.power === 'poweredOff') await abandon(connection, one, mark, options)
  const unread = all.find((one) => one.annotation === undefined && (one.name === machine || one.name === name))
  if (unread !== undefined && unfinished.length === 0) throw notKnown(connection, unread.name)
  return 'undone'
}

/** Those that are on their way into the place of a replica, of any system, as the intents that finish it. */
export function* replicaLeftovers(machines: readonly AnnotatedMachine[], provider: string): Generator<Intent> {
  for (const one of machines) {
    if (!isSwapping(one)) continue
    const { mark, takes } = one.marked
    const data = { machine: one.name, target: takes.id, name: takes.name }
    const id = `leftover:${swapReplicaKind}:${mark.system}:${mark.run}.${mark.attempt}`
    yield { id, provider, kind: swapReplicaKind, data, mark, kept: false }
  }
}
