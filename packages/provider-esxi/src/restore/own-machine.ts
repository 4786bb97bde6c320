import { type CallOptions, codeOf, HoldfastError, type Mark } from '@holdfast/core/spec'
import type { Connection } from '../connection.ts'
import { idOf, type MachineIdentity } from '../inventory/machine-properties.ts'
import { againWhile, busy, type MachineTask, runTask } from '../machine-task.ts'
import { isOf, type Purpose, readMark, withMark } from '../mark.ts'
import { nameOf } from '../vim25/host-requests.ts'
import type { ParametersOf } from '../vim25/methods.ts'
import { retrieveOne } from '../vim25/retrieve.ts'
import type { MoRef } from '../vim25/values.ts'

/** A machine that is whole, under the name of its attempt. */
export interface WholeMachine {
  readonly ref: MoRef<'VirtualMachine'>
  /** As people call it now. */
  readonly name: string
}

/** The attempt that made a machine, and as what it may be found. */
export interface Made {
  readonly mark: Mark
  readonly purposes: readonly Purpose[]
  readonly evenAbandoned?: true
}

/** How a machine of an attempt is now. */
export interface Seen {
  /** Of the workload. */
  readonly id: string
  readonly purpose: Purpose
  readonly annotation: string
  readonly isOff: boolean
  readonly version: string | undefined
}

const changed = ({ settings }: Connection, { name }: WholeMachine) =>
  new HoldfastError(
    'PROVIDER_FAILED',
    `The machine ${name} on ${nameOf(settings)} is not as it was made any more: somebody has changed it, or an undo has given it up.`,
    { remedy: 'Look at its notes on the host: they say what made it. Run it again if the machine is still wanted.' },
  )

const unreadable = ({ settings }: Connection, { name }: WholeMachine) =>
  new HoldfastError('PROVIDER_FAILED', `${nameOf(settings)} cannot read the machine ${name} now, so it is left as it is.`, {
    remedy: 'Look whether its datastore is there and whether its host is connected.',
  })

const paths = ['config.annotation', 'config.changeVersion', 'config.instanceUuid', 'config.uuid', 'runtime.powerState']
const textOf = (value: unknown): string | undefined => (typeof value === 'string' ? value : undefined)

/** @throws PROVIDER_FAILED: its notes do not say exactly one of these any more, or that its attempt was given up, or they cannot be read now. NOT_FOUND. */
export async function lookAtOwn(connection: Connection, whole: WholeMachine, made: Made, options: CallOptions): Promise<Seen> {
  const { values } = await retrieveOne(connection.session, whole.ref, paths, options)
  const annotation = textOf(values['config.annotation'])
  const id = idOf(values as MachineIdentity)
  if (id === undefined || annotation === undefined) throw unreadable(connection, whole)
  const marked = readMark(annotation)
  if (
    marked === undefined ||
    !isOf(marked, made.mark) ||
    !made.purposes.includes(marked.purpose) ||
    (marked.abandoned && !made.evenAbandoned)
  )
    throw changed(connection, whole)
  const isOff = values['runtime.powerState'] === 'poweredOff'
  return { id, purpose: marked.purpose, annotation, isOff, version: textOf(values['config.changeVersion']) }
}

/** What is to be changed of a machine, as it is now; undefined: nothing. */
export type Change = (seen: Seen) => ParametersOf<'ReconfigVM_Task'>['spec'] | undefined

/**
 * Changes a machine as long as its notes say what they must: all that is asked for, or nothing. It is read right before, and the host refuses when somebody has
 * changed it in between: then it is read again.
 * @returns How it was before.
 * @throws See `lookAtOwn`; NAME_TAKEN: it was to get a name that is in use.
 *
 * Source: ReconfigVM_Task makes all of its changes or none, https://developer.broadcom.com/xapis/vsphere-web-services-api/latest/vim.VirtualMachine.html#reconfigure;
 * VirtualMachineConfigSpec.changeVersion, https://developer.broadcom.com/xapis/vsphere-web-services-api/latest/vim.vm.ConfigSpec.html
 */
export async function changeOwn(
  connection: Connection,
  whole: WholeMachine,
  made: Made,
  change: Change,
  { signal, name = whole.name, goesOn = false }: CallOptions & Partial<Pick<MachineTask, 'name' | 'goesOn'>>,
): Promise<Seen> {
  const work = async () => {
    const seen = await lookAtOwn(connection, whole, made, { signal })
    const wanted = change(seen)
    if (wanted === undefined) return seen
    const spec = { ...(seen.version && { changeVersion: seen.version }), ...wanted }
    await runTask(connection, 'ReconfigVM_Task', whole.ref, { spec }, { signal, name, goesOn })
    return seen
  }
  return againWhile(connection, busy, work, { signal })
}

/**
 * Takes a machine from an attempt that may still be at work, before it is removed: from then on the attempt can neither finish it nor mark it as whole, and so not remove an older replica for it.
 * Idempotent; "already gone" is success.
 * @throws PROVIDER_FAILED: the attempt was quicker, and has marked it. IN_USE: somebody has started it.
 */
export async function abandon(connection: Connection, whole: WholeMachine, mark: Mark, options: CallOptions): Promise<void> {
  const change: Change = ({ annotation, isOff }) => {
    if (!isOff)
      throw new HoldfastError('IN_USE', `Somebody has started ${whole.name} on ${nameOf(connection.settings)}, which is not finished.`, {
        remedy: 'Switch it off if nothing of it is needed. To keep it, take our line out of its notes.',
      })
    return { annotation: withMark(annotation, { purpose: 'machine-unfinished', mark, abandoned: true }) }
  }
  const made: Made = { mark, purposes: ['machine-unfinished'], evenAbandoned: true }
  await changeOwn(connection, whole, made, change, { ...options, goesOn: true }).catch((error: unknown) => {
    if (codeOf(error) !== 'NOT_FOUND') throw error
  })
}
