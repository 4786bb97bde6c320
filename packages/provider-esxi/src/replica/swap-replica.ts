import { type CallOptions, HoldfastError, type Mark, type RestoreResult, type RunContext } from '@holdfast/core/spec'
import type { Connection } from '../connection.ts'
import { idOf, type MachineIdentity } from '../inventory/machine-properties.ts'
import { encodeName } from '../inventory/object-name.ts'
import { againWhile, busy, runTask } from '../machine-task.ts'
import { isOf, type Marked, readMark, type Taken, withMark } from '../mark.ts'
import type { WholeMachine } from '../restore/finish-machine.ts'
import { destroyMachine } from '../restore/remove-machine.ts'
import { nameOf } from '../vim25/host-requests.ts'
import type { ParametersOf } from '../vim25/methods.ts'
import { retrieveOne } from '../vim25/retrieve.ts'
import { type ReplicaTarget, whyKept } from './replica-target.ts'

/** The kind of intent before a whole machine takes the place of the replica before it. Its undo goes forward. */
export const swapReplicaKind = 'swap-replica'

type Spec = ParametersOf<'ReconfigVM_Task'>['spec']

async function reconfigure(connection: Connection, { ref, name }: WholeMachine, spec: Spec, { signal }: CallOptions): Promise<void> {
  const work = () => runTask(connection, 'ReconfigVM_Task', ref, { spec }, { signal, name, goesOn: true })
  await againWhile(connection, busy, work, { signal })
}

async function read({ session, settings }: Connection, { ref, name }: WholeMachine, mark: Mark, options: CallOptions) {
  const { values } = await retrieveOne(session, ref, ['config.annotation', 'config.instanceUuid', 'config.uuid'], options)
  const annotation = typeof values['config.annotation'] === 'string' ? values['config.annotation'] : undefined
  const id = idOf(values as MachineIdentity)
  if (id !== undefined && isOf(readMark(annotation), mark)) return { id, annotation }
  throw new HoldfastError(
    'PROVIDER_FAILED',
    `The machine ${name} on ${nameOf(settings)} is not as it was made any more: somebody has changed it.`,
  )
}

/** Another task of it is under way, or it is being exported. */
const heldFaults: readonly string[] = [...busy, 'ResourceInUse']

/**
 * Removes an older replica, if it still is what may be removed: it is looked at right before, each time. A host refuses by itself while the machine runs.
 * @returns Why it stays; undefined: it is gone.
 * @throws NOT_FOUND: it is not where it was. Whether it is gone, or somewhere else, is told by a list of all machines alone: that is for the undo.
 */
export async function removeOld(
  connection: Connection,
  old: Pick<ReplicaTarget, 'ref' | 'id' | 'name'>,
  system: string,
  options: CallOptions,
): Promise<HoldfastError | undefined> {
  const work = async () => {
    const reason = await whyKept(connection, old, system, options)
    if (reason === undefined) await destroyMachine(connection, old, options)
    return reason
  }
  return againWhile(connection, heldFaults, work, options)
}

/**
 * Gives a whole machine the name and the id of a replica that has gone, and then the mark of a finished one. Idempotent, also beside another call of it. A host may
 * keep ids to itself: the machine then stays under its own, which is what this gives back.
 * @throws NAME_TAKEN: somebody else has taken the name meanwhile.
 *
 * Source: VirtualMachineConfigSpec.instanceUuid, which may be set, and which a vCenter server changes where two machines have the same:
 * https://developer.broadcom.com/xapis/vsphere-web-services-api/latest/vim.vm.ConfigSpec.html
 */
export async function takePlace(
  connection: Connection,
  whole: WholeMachine,
  { mark, point, takes }: Marked & { readonly takes: Taken },
  options: CallOptions,
): Promise<RestoreResult> {
  await reconfigure(connection, whole, { name: encodeName(takes.name), instanceUuid: takes.id }, options)
  const { id, annotation } = await read(connection, whole, mark, options)
  const finished: Marked = { purpose: 'replica', mark, ...(point !== undefined && { point }) }
  await reconfigure(connection, whole, { annotation: withMark(annotation, finished) }, options)
  return { workload: id }
}

/**
 * Puts a whole machine in the place of an older replica: from then on it has the name and the id of that one. In this order: the new one is marked as whole and as what
 * takes that place; the old one is looked at once more, and removed; the new one takes name and id; it is marked as finished. So there is a whole replica at each moment, and
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
  const { mark } = run
  const takes: Taken = { id: old.id, name: old.name, ref: old.ref.value }
  const intent = await run.intend(swapReplicaKind, { machine: whole.name, target: old.id, name: old.name })
  const { annotation } = await read(connection, whole, mark, run)
  await reconfigure(connection, whole, { annotation: withMark(annotation, { purpose: 'replica-swap', mark, point, takes }) }, run)
  run.step(`replacing ${old.name}`)
  const refusal = await removeOld(connection, old, mark.system, run)
  if (refusal !== undefined) throw refusal
  const result = await takePlace(connection, whole, { purpose: 'replica-swap', mark, point, takes }, run)
  if (result.workload !== old.id)
    run.note(
      'warning',
      'REPLICA_ID_CHANGED',
      `${nameOf(connection.settings)} has given ${old.name} another id: ${result.workload} instead of ${old.id}.`,
    )
  intent.keep()
  return result
}
