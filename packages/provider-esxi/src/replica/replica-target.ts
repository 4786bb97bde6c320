import { type CallOptions, HoldfastError, type Mark, type RunContext } from '@holdfast/core/spec'
import type { Connection } from '../connection.ts'
import type { Device } from '../inventory/devices.ts'
import { findReference } from '../inventory/find-machine.ts'
import { idOf, type MachineIdentity } from '../inventory/machine-properties.ts'
import { decodeName } from '../inventory/object-name.ts'
import { isOf, type Marked, type Purpose, readMark } from '../mark.ts'
import { isAttemptName } from '../restore/attempt-name.ts'
import { annotatedMachines, isSwapping } from '../restore/marked-machines.ts'
import { nameOf } from '../vim25/host-requests.ts'
import { type Retrieved, retrieveOne } from '../vim25/retrieve.ts'
import type { Data, MoRef } from '../vim25/values.ts'
import { diskFilesOf, refusedForOthers } from './in-common.ts'

/** A replica that another machine may take the place of. */
export interface ReplicaTarget {
  readonly ref: MoRef<'VirtualMachine'>
  /** Of the workload. */
  readonly id: string
  /** As people call it now, which need not be how it was made. */
  readonly name: string
  /** Of the attempt that made it. */
  readonly mark: Mark
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

/** With its datastore. Undefined: at the root of a datastore, or nowhere. */
const folderOf = (file: unknown): string | undefined => (typeof file === 'string' ? /^\[[^\]]+\] *.*\//.exec(file)?.[0] : undefined)

/** With a machine go all of its disks, wherever they are. */
function refusedForDisks(what: string, configFile: unknown, devices: readonly Device[]): HoldfastError | undefined {
  const home = folderOf(configFile)
  if (home === undefined)
    return new HoldfastError('UNSUPPORTED', `${what} has no folder of its own, so that it is not known what else is deleted with it.`, {
      remedy: another,
      details: { file: String(configFile) },
    })
  const files = diskFilesOf(devices).filter((file) => folderOf(file) !== home)
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
  readonly name: string
  readonly what: string
  readonly values: Retrieved['values']
  readonly marked: Marked | undefined
}

const refused = (what: string, why: string, remedy = another) =>
  new HoldfastError('UNSUPPORTED', `${what} ${why}. It is not replaced.`, { remedy })

/** Whatever is not exactly what we have made, kept off, is none that may be removed. */
function refusalOf({ what, values, marked }: Known, purpose: Purpose, system: string): HoldfastError | undefined {
  if (marked?.purpose !== purpose)
    return refused(
      what,
      'is no replica of ours: its notes do not say so (any more)',
      `${another} A replica that has taken over is a machine like any other.`,
    )
  if (marked.mark.system !== system) return refused(what, `is a replica of another system, ${JSON.stringify(marked.mark.system)}`)
  if (values['config.template'] === true) return refused(what, 'was made a template')
  const power = values['runtime.powerState']
  if (power !== 'poweredOff')
    return new HoldfastError('IN_USE', `${what} is ${power === 'suspended' ? 'suspended' : 'on'}: what is in it would be lost.`, {
      remedy: `Switch it off if nothing of it is needed. ${another}`,
    })
  return undefined
}

/** What would go with it that is not ours. */
async function lossOf(
  connection: Connection,
  { what, values }: Known,
  { ref, id }: Found,
  options: CallOptions,
): Promise<HoldfastError | undefined> {
  const snapshots = allOf((values.snapshot as Data<'VirtualMachineSnapshotInfo'> | undefined)?.rootSnapshotList ?? [])
  const devices = (values['config.hardware.device'] ?? []) as readonly Device[]
  const own = refusedForSnapshots(what, snapshots) ?? refusedForDisks(what, values['config.files.vmPathName'], devices)
  return own ?? refusedForOthers(connection, { ref, id, what, files: diskFilesOf(devices) }, options)
}

/** A machine by its reference, which must still be that of the machine with this id. */
type Found = Pick<ReplicaTarget, 'ref' | 'id'>

/**
 * Read as it is now. What cannot be read is nowhere taken for nothing.
 * @throws NOT_FOUND: it has gone, also where another machine has its reference now. UNREACHABLE, ACCESS_DENIED: not enough is known of it.
 */
async function read({ session, settings }: Connection, { ref, id }: Found, options: CallOptions): Promise<Known> {
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
  return { name, what, values, marked }
}

/**
 * Why a machine is not what it was made as, whole and off; undefined: it is. `mark` is that of the attempt which made it.
 * @throws As `whyKept`.
 */
export async function whyNotWhole(
  connection: Connection,
  machine: Found,
  { purpose, mark }: Pick<Marked, 'purpose' | 'mark'>,
  options: CallOptions,
): Promise<HoldfastError | undefined> {
  const known = await read(connection, machine, options)
  return refusalOf(known, purpose, mark.system) ?? (isOf(known.marked, mark) ? undefined : refused(known.what, 'is a newer one'))
}

/**
 * Why a machine must not be removed as it is now; undefined: it may be.
 * @throws NOT_FOUND: it has gone, also where another machine has its reference now. UNREACHABLE, ACCESS_DENIED: not enough is known of it.
 */
export async function whyKept(
  connection: Connection,
  machine: Found,
  { purpose, mark }: Pick<Marked, 'purpose' | 'mark'>,
  options: CallOptions,
): Promise<HoldfastError | undefined> {
  const loss = await lossOf(connection, await read(connection, machine, options), machine, options)
  // Once more, and last: the look at the disks of all other machines takes its time.
  return (await whyNotWhole(connection, machine, { purpose, mark }, options)) ?? loss
}

/** Whether an earlier run is about to put another machine there, also where it cannot be read now: until that has ended nobody has this id. */
async function refuseWhileSwapped({ session, settings }: Connection, id: string, { mark, signal }: RunContext): Promise<void> {
  for await (const one of annotatedMachines(session, { signal })) {
    const hidden = one.annotation === undefined && isAttemptName(one.name, mark.system)
    if (hidden)
      throw new HoldfastError(
        'IN_USE',
        `${nameOf(settings)} cannot read the machine ${one.name} now, which may be about to take this place.`,
        {
          remedy:
            'Look whether its datastore is there and whether its host is connected. If it is gone for good, take it out of the inventory.',
          details: { id },
        },
      )
    if (!isSwapping(one) || one.marked.takes.id !== id) continue
    throw new HoldfastError('IN_USE', `The replica ${one.marked.takes.name} on ${nameOf(settings)} is being replaced by ${one.name}.`, {
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
  run: RunContext,
): Promise<ReplicaTarget> {
  await refuseWhileSwapped(connection, id, run)
  const ref = await findReference(connection, id, run)
  const known = await read(connection, { ref, id }, run)
  const { name, values, marked } = known
  const refusal = refusalOf(known, 'replica', run.mark.system)
  const loss = refusal !== undefined || marked?.point === point ? undefined : await lossOf(connection, known, { ref, id }, run)
  const reason = refusal ?? loss
  if (reason !== undefined) throw reason
  const [parent, pool] = [values.parent, values.resourcePool] as readonly (MoRef | undefined)[]
  return {
    ref,
    id,
    name,
    mark: marked?.mark ?? run.mark,
    point: marked?.point,
    folder: parent?.type === 'Folder' ? ({ type: 'Folder', value: parent.value } as const) : undefined,
    pool: pool?.type === 'ResourcePool' ? ({ type: 'ResourcePool', value: pool.value } as const) : undefined,
  }
}
