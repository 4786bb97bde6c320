import { type CallOptions, HoldfastError, type Mark, type RestoreResult, type RunContext } from '@holdfast/core/spec'
import type { Connection } from '../connection.ts'
import { encodeName } from '../inventory/object-name.ts'
import { againWhile, busy } from '../machine-task.ts'
import { type Marked, type Taken, withMark } from '../mark.ts'
import { type Change, changeOwn, lookAtOwn, type Made, type Seen, type WholeMachine } from '../restore/own-machine.ts'
import { destroyMachine } from '../restore/remove-machine.ts'
import { nameOf } from '../vim25/host-requests.ts'
import { type ReplicaTarget, whyKept } from './replica-target.ts'

/** The kind of intent before a whole machine takes the place of the replica before it. Its undo goes forward. */
export const swapReplicaKind = 'swap-replica'

/** Nothing that runs becomes a replica, and nothing is removed for it. */
function requireOff({ settings }: Connection, { name }: WholeMachine, { purpose, isOff }: Seen): void {
  if (purpose === 'replica' || isOff) return
  throw new HoldfastError('IN_USE', `Somebody has started ${name} on ${nameOf(settings)}, which was to become a replica.`, {
    remedy: 'Switch it off if nothing of it is needed. To keep it, take our line out of its notes.',
  })
}

/** A replica that is finished is left as it is. */
function change(connection: Connection, whole: WholeMachine, made: Made, wanted: Change, { signal }: CallOptions): Promise<Seen> {
  const unfinished: Change = (seen) => {
    requireOff(connection, whole, seen)
    return seen.purpose === 'replica' ? undefined : wanted(seen)
  }
  return changeOwn(connection, whole, made, unfinished, { signal, goesOn: true })
}

/** Another task of it is under way, or it is being exported. */
export const heldFaults: readonly string[] = [...busy, 'ResourceInUse']

/** The attempt that had made what a machine takes the place of. */
export const madeBefore = ({ mark: { system }, takes: { run, attempt } }: Swapping): Mark => ({ system, plan: '', run, attempt })

/** What the notes of a machine say that is about to take a place. */
type Swapping = Marked & { readonly takes: Taken }

/**
 * Removes an older replica, if it still is what may be removed, and its successor is there: both are looked at right before, each time. A host refuses by itself while
 * the machine runs.
 * @returns Why it stays; undefined: it is gone.
 * @throws NOT_FOUND: one of the two is not where it was. Whether it is gone, or somewhere else, is told by a list of all machines alone: that is for the undo.
 */
export async function removeOld(
  connection: Connection,
  whole: WholeMachine,
  marked: Swapping,
  old: Pick<ReplicaTarget, 'ref' | 'id' | 'name'>,
  options: CallOptions,
): Promise<HoldfastError | undefined> {
  const work = async () => {
    const reason = await whyKept(connection, old, { purpose: 'replica', mark: madeBefore(marked) }, options)
    if (reason !== undefined) return reason
    requireOff(connection, whole, await lookAtOwn(connection, whole, { mark: marked.mark, purposes: ['replica-swap'] }, options))
    await destroyMachine(connection, old, options)
    return undefined
  }
  return againWhile(connection, heldFaults, work, options)
}

/**
 * Gives a whole machine the name and the id of a replica that has gone, and then the mark of a finished one. Idempotent, also beside another call of it: what is finished,
 * or has taken over meanwhile, is not changed. A host may keep ids to itself: the machine then stays under its own, which is what this gives back.
 * @throws NAME_TAKEN: somebody else has taken the name meanwhile. PROVIDER_FAILED: its notes say something else now. IN_USE: it was started.
 *
 * Source: VirtualMachineConfigSpec.instanceUuid, which may be set, and which a vCenter server changes where two machines have the same:
 * https://developer.broadcom.com/xapis/vsphere-web-services-api/latest/vim.vm.ConfigSpec.html
 */
export async function takePlace(
  connection: Connection,
  whole: WholeMachine,
  { mark, point, takes }: Swapping,
  options: CallOptions,
): Promise<RestoreResult> {
  const made: Made = { mark, purposes: ['replica-swap', 'replica'] }
  await change(connection, whole, made, () => ({ name: encodeName(takes.name), instanceUuid: takes.id }), options)
  const finished: Marked = { purpose: 'replica', mark, ...(point !== undefined && { point }) }
  const { id } = await change(connection, whole, made, ({ annotation }) => ({ annotation: withMark(annotation, finished) }), options)
  return { workload: id }
}

/** @throws What is said against its removal. */
async function requireReplaceable(connection: Connection, old: ReplicaTarget, options: CallOptions): Promise<void> {
  const refusal = await whyKept(connection, old, { purpose: 'replica', mark: old.mark }, options)
  if (refusal !== undefined) throw refusal
}

/** @returns The mark that a whole machine has from then on. */
async function markSwap(
  connection: Connection,
  whole: WholeMachine,
  old: ReplicaTarget,
  point: string,
  { mark, signal }: RunContext,
): Promise<Swapping> {
  const { run, attempt } = old.mark
  const swapping = (id: string): Swapping => {
    const takes = { id: old.id, name: old.name, ref: old.ref.value, run, attempt, by: { id, ref: whole.ref.value } }
    return { purpose: 'replica-swap', mark, point, takes }
  }
  const spec = ({ id, annotation }: Seen) => ({ annotation: withMark(annotation, swapping(id)) })
  const { id } = await change(connection, whole, { mark, purposes: ['machine-unfinished'] }, spec, { signal })
  return swapping(id)
}

/**
 * Puts a whole machine in the place of an older replica: from then on it has the name and the id of that one. In this order: the new one is marked as whole and as what
 * takes that place; both are looked at once more, and the old one is removed; the new one takes name and id; it is marked as finished. So there is a whole replica at each moment, and
 * whoever finds the first mark knows how to go on. Until it is removed the old one is as it was, and holds its point.
 * @throws What `findTarget` says of the old one, before it is touched. NAME_TAKEN.
 */
export async function swapReplica(
  connection: Connection,
  whole: WholeMachine,
  old: ReplicaTarget,
  point: string,
  run: RunContext,
): Promise<RestoreResult> {
  await requireReplaceable(connection, old, run)
  const intent = await run.intend(swapReplicaKind, { machine: whole.name, target: old.id, name: old.name })
  const marked = await markSwap(connection, whole, old, point, run)
  run.step(`replacing ${old.name}`)
  const refusal = await removeOld(connection, whole, marked, old, run)
  if (refusal !== undefined) throw refusal
  const result = await takePlace(connection, whole, marked, run)
  if (result.workload !== old.id)
    run.note(
      'warning',
      'REPLICA_ID_CHANGED',
      `${nameOf(connection.settings)} has given ${old.name} another id: ${result.workload} instead of ${old.id}.`,
    )
  intent.keep()
  return result
}
