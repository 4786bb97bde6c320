import { type CallOptions, codeOf, HoldfastError, type Mark, type RestoreResult, type RunContext } from '@holdfast/core/spec'
import type { Connection } from '../connection.ts'
import { idOf, type MachineIdentity } from '../inventory/machine-properties.ts'
import { encodeName } from '../inventory/object-name.ts'
import { againWhile, busy, runTask } from '../machine-task.ts'
import { isOf, type Marked, type Purpose, readMark, type Taken, withMark } from '../mark.ts'
import type { WholeMachine } from '../restore/finish-machine.ts'
import { destroyMachine } from '../restore/remove-machine.ts'
import { nameOf } from '../vim25/host-requests.ts'
import type { ParametersOf } from '../vim25/methods.ts'
import { retrieveOne } from '../vim25/retrieve.ts'
import { type ReplicaTarget, whyKept } from './replica-target.ts'

/** The kind of intent before a whole machine takes the place of the replica before it. Its undo goes forward. */
export const swapReplicaKind = 'swap-replica'

type Spec = ParametersOf<'ReconfigVM_Task'>['spec']

const changed = ({ settings }: Connection, { name }: WholeMachine) =>
  new HoldfastError(
    'PROVIDER_FAILED',
    `The machine ${name} on ${nameOf(settings)} is not as it was made any more: somebody has changed it.`,
  )

/** How a machine of an attempt is now. */
interface Seen {
  readonly id: string
  readonly purpose: Purpose
  readonly annotation: string | undefined
  readonly version: string | undefined
}

const paths = ['config.annotation', 'config.changeVersion', 'config.instanceUuid', 'config.uuid', 'runtime.powerState']

/** @throws PROVIDER_FAILED: its notes do not say exactly one of these any more. IN_USE: somebody has started it. NOT_FOUND. */
async function look(connection: Connection, whole: WholeMachine, made: Made, options: CallOptions): Promise<Seen> {
  const { values } = await retrieveOne(connection.session, whole.ref, paths, options)
  const annotation = typeof values['config.annotation'] === 'string' ? values['config.annotation'] : undefined
  const version = typeof values['config.changeVersion'] === 'string' ? values['config.changeVersion'] : undefined
  const id = idOf(values as MachineIdentity)
  const marked = readMark(annotation)
  if (
    id === undefined ||
    marked === undefined ||
    !isOf(marked, made.mark) ||
    !made.purposes.includes(marked.purpose) ||
    (marked.abandoned && !made.evenAbandoned)
  )
    throw changed(connection, whole)
  if (marked.purpose !== 'replica' && values['runtime.powerState'] !== 'poweredOff')
    throw new HoldfastError(
      'IN_USE',
      `Somebody has started ${whole.name} on ${nameOf(connection.settings)}, which was to become a replica.`,
      {
        remedy: 'Switch it off if nothing of it is needed. To keep it, take our line out of its notes.',
      },
    )
  return { id, purpose: marked.purpose, annotation, version }
}

/** The attempt that made a machine, and as what it may be found. */
interface Made {
  readonly mark: Mark
  readonly purposes: readonly Purpose[]
  readonly evenAbandoned?: true
}

/**
 * Changes a machine as long as it says what it must. It is read right before, and the host refuses when somebody has changed it in between: then it is read again. A
 * replica that is finished is left as it is.
 *
 * Source: VirtualMachineConfigSpec.changeVersion, https://developer.broadcom.com/xapis/vsphere-web-services-api/latest/vim.vm.ConfigSpec.html
 */
async function change(
  connection: Connection,
  whole: WholeMachine,
  made: Made,
  specOf: (seen: Seen) => Spec,
  { signal }: CallOptions,
): Promise<Seen> {
  const work = async () => {
    const seen = await look(connection, whole, made, { signal })
    if (seen.purpose === 'replica') return seen
    const spec = { ...(seen.version && { changeVersion: seen.version }), ...specOf(seen) }
    await runTask(connection, 'ReconfigVM_Task', whole.ref, { spec }, { signal, name: whole.name, goesOn: true })
    return seen
  }
  return againWhile(connection, busy, work, { signal })
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
    await look(connection, whole, { mark: marked.mark, purposes: ['replica-swap'] }, options)
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

/**
 * Takes a machine from an attempt that may still be at work, before it is removed: from then on the attempt cannot mark it as whole, and so not remove the old one for it.
 * Idempotent; "already gone" is success.
 * @throws PROVIDER_FAILED: the attempt was quicker, and has marked it.
 */
export async function abandon(connection: Connection, whole: WholeMachine, mark: Mark, options: CallOptions): Promise<void> {
  const spec = ({ annotation }: Seen) => ({ annotation: withMark(annotation, { purpose: 'machine-unfinished', mark, abandoned: true }) })
  const made: Made = { mark, purposes: ['machine-unfinished'], evenAbandoned: true }
  await change(connection, whole, made, spec, options).catch((error: unknown) => {
    if (codeOf(error) !== 'NOT_FOUND') throw error
  })
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
