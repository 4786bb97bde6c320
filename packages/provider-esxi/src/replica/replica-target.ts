import { type CallOptions, HoldfastError, type RunContext } from '@holdfast/core/spec'
import type { Connection } from '../connection.ts'
import type { Device } from '../inventory/devices.ts'
import { disksOf } from '../inventory/disks.ts'
import { findReference } from '../inventory/find-machine.ts'
import { idOf, type MachineIdentity } from '../inventory/machine-properties.ts'
import { decodeName } from '../inventory/object-name.ts'
import { type Marked, readMark } from '../mark.ts'
import { annotatedMachines } from '../restore/marked-machines.ts'
import { nameOf } from '../vim25/host-requests.ts'
import { type Retrieved, retrieveOne } from '../vim25/retrieve.ts'
import type { Data, MoRef } from '../vim25/values.ts'

/** A replica that another machine may take the place of. */
export interface ReplicaTarget {
  readonly ref: MoRef<'VirtualMachine'>
  /** Of the workload. */
  readonly id: string
  /** As people call it now, which need not be how it was made. */
  readonly name: string
  /** Id of the point that it holds. */
  readonly point: string | undefined
  /** Where people keep it now. */
  readonly folder: MoRef<'Folder'> | undefined
  readonly pool: MoRef<'ResourcePool'> | undefined
}

const paths = [
  'name',
  'config.annotation',
  'config.files.vmPathName',
  'config.hardware.device',
  'config.instanceUuid',
  'config.template',
  'config.uuid',
  'parent',
  'resourcePool',
  'runtime.connectionState',
  'runtime.powerState',
  'snapshot',
]

type Tree = Data<'VirtualMachineSnapshotTree'>
const allOf = (trees: readonly Tree[]): readonly Tree[] => trees.flatMap((tree) => [tree, ...allOf(tree.childSnapshotList)])

const another = 'Leave out target: then another replica is made beside it.'

function refusedForSnapshots(what: string, snapshots: readonly Tree[]): HoldfastError | undefined {
  if (snapshots.length === 0) return undefined
  const temporary = snapshots.every(({ description }) => readMark(description)?.purpose === 'backup')
  const names = snapshots.map(({ name }) => decodeName(name))
  return new HoldfastError(
    'IN_USE',
    `${what} has snapshots, which would be lost when it is replaced: ${names.map((name) => `"${name}"`).join(', ')}.`,
    {
      retryable: temporary,
      remedy: temporary ? 'A backup of it is under way: it is tried again.' : `Remove the snapshots. ${another}`,
      details: { snapshots: names },
    },
  )
}

const folderOf = (file: string): string => file.slice(0, file.lastIndexOf('/') + 1)

/** With a machine go all of its disks, wherever they are. */
function refusedForDisks(what: string, configFile: unknown, devices: readonly Device[]): HoldfastError | undefined {
  const home = typeof configFile === 'string' ? folderOf(configFile) : ''
  const files = disksOf(devices).flatMap(({ fileName }) => (fileName === undefined || folderOf(fileName) === home ? [] : [fileName]))
  if (files.length === 0) return undefined
  return new HoldfastError(
    'UNSUPPORTED',
    `${what} has disks outside its own folder, which would be deleted with it: ${files.join(', ')}.`,
    {
      remedy: `Take them out of it, and keep their files. ${another}`,
      details: { files },
    },
  )
}

interface Known {
  readonly what: string
  readonly values: Retrieved['values']
  readonly marked: Marked | undefined
}

/** Whatever is not exactly a replica of ours, kept off, is none that may be replaced. */
function refusalOf({ what, values, marked }: Known, system: string): HoldfastError | undefined {
  const refused = (why: string, remedy = another) => new HoldfastError('UNSUPPORTED', `${what} ${why}. It is not replaced.`, { remedy })
  if (marked?.purpose !== 'replica')
    return refused(
      'is no replica of ours: its notes do not say so (any more)',
      `${another} A replica that has taken over is a machine like any other.`,
    )
  if (marked.mark.system !== system) return refused(`is a replica of another system, ${JSON.stringify(marked.mark.system)}`)
  if (values['config.template'] === true) return refused('was made a template')
  const power = values['runtime.powerState']
  if (power !== 'poweredOff')
    return new HoldfastError('IN_USE', `${what} is ${power === 'suspended' ? 'suspended' : 'on'}: what is in it would be lost.`, {
      remedy: `Switch it off if nothing of it is needed. ${another}`,
    })
  return undefined
}

/** What would go with it that is not ours. */
function lossOf({ what, values }: Known): HoldfastError | undefined {
  const snapshots = allOf((values.snapshot as Data<'VirtualMachineSnapshotInfo'> | undefined)?.rootSnapshotList ?? [])
  const devices = (values['config.hardware.device'] ?? []) as readonly Device[]
  return refusedForSnapshots(what, snapshots) ?? refusedForDisks(what, values['config.files.vmPathName'], devices)
}

/** Read as it is now. What cannot be read is nowhere taken for nothing. */
async function read({ session, settings }: Connection, { ref, id }: Pick<ReplicaTarget, 'ref' | 'id'>, options: CallOptions) {
  const { values, missing } = await retrieveOne(session, ref, paths, options)
  const name = decodeName(typeof values.name === 'string' ? values.name : ref.value)
  const what = `The machine ${name} (${ref.value}) on ${nameOf(settings)}`
  const [state, power] = [values['runtime.connectionState'], values['runtime.powerState']]
  if (state !== 'connected' || power === undefined)
    throw new HoldfastError('UNREACHABLE', `${what} cannot be read now: it is ${String(state ?? 'unknown')}.`, {
      remedy: 'Look whether its datastore is there and whether its host is connected.',
    })
  if (missing.includes('snapshot') || missing.includes('config.hardware.device'))
    throw new HoldfastError('ACCESS_DENIED', `The account may not read the snapshots and the disks of ${name} (${ref.value}).`, {
      remedy: 'Give the account the privilege System.Read on the machine.',
    })
  // Hosts use references again.
  if (idOf(values as MachineIdentity) !== id)
    throw new HoldfastError('NOT_FOUND', `${what} is not the machine ${id} any more.`, { details: { id } })
  const marked = readMark(typeof values['config.annotation'] === 'string' ? values['config.annotation'] : undefined)
  return { name, known: { what, values, marked } }
}

/**
 * Reads a machine as it is now.
 * @returns It, why it is none that may be replaced, and what else would go with it.
 * @throws NOT_FOUND: it has gone, also where another machine has its reference now. UNREACHABLE, ACCESS_DENIED: not enough is known of it.
 */
async function look(
  connection: Connection,
  { ref, id }: Pick<ReplicaTarget, 'ref' | 'id'>,
  system: string,
  options: CallOptions,
): Promise<{ readonly target: ReplicaTarget; readonly refusal: HoldfastError | undefined; readonly loss: HoldfastError | undefined }> {
  const { name, known } = await read(connection, { ref, id }, options)
  const [parent, pool] = [known.values.parent, known.values.resourcePool] as readonly (MoRef | undefined)[]
  const target = {
    ref,
    id,
    name,
    point: known.marked?.point,
    folder: parent?.type === 'Folder' ? ({ type: 'Folder', value: parent.value } as const) : undefined,
    pool: pool?.type === 'ResourcePool' ? ({ type: 'ResourcePool', value: pool.value } as const) : undefined,
  }
  return { target, refusal: refusalOf(known, system), loss: lossOf(known) }
}

/** Why a machine must not be replaced as it is now; undefined: it may be. Throws as `findTarget`. */
export async function whyKept(
  connection: Connection,
  machine: Pick<ReplicaTarget, 'ref' | 'id'>,
  system: string,
  options: CallOptions,
): Promise<HoldfastError | undefined> {
  const { refusal, loss } = await look(connection, machine, system, options)
  return refusal ?? loss
}

/** Whether an earlier run is about to put another machine there: until that has ended nobody has this id. */
async function refuseWhileSwapped({ session, settings }: Connection, id: string, options: CallOptions): Promise<void> {
  for await (const { marked, name } of annotatedMachines(session, options)) {
    if (marked?.takes?.id !== id) continue
    throw new HoldfastError('IN_USE', `The replica ${marked.takes.name} on ${nameOf(settings)} is being replaced by ${name}.`, {
      remedy: 'An earlier run was interrupted: the engine finishes that first, and this is tried again.',
      details: { id },
    })
  }
}

/**
 * The replica that is to be brought to a point. Reads only.
 * @throws NOT_FOUND. UNSUPPORTED: it is no replica of this system, or not any more. IN_USE: it is on, or is being replaced. UNREACHABLE, ACCESS_DENIED. And unless it
 * holds the point already, IN_USE: it has snapshots; UNSUPPORTED: it has disks that belong elsewhere.
 */
export async function findTarget(
  connection: Connection,
  { id, point }: { readonly id: string; readonly point: string },
  { mark, signal }: RunContext,
): Promise<ReplicaTarget> {
  await refuseWhileSwapped(connection, id, { signal })
  const ref = await findReference(connection, id, { signal })
  const { target, refusal, loss } = await look(connection, { ref, id }, mark.system, { signal })
  const reason = refusal ?? (target.point === point ? undefined : loss)
  if (reason !== undefined) throw reason
  return target
}
