import { type CallOptions, codeOf, HoldfastError, type Intent, type Json, type Mark } from '@holdfast/core/spec'
import type { Connection } from '../connection.ts'
import { findReference } from '../inventory/find-machine.ts'
import { idOf, type MachineIdentity } from '../inventory/machine-properties.ts'
import { decodeName } from '../inventory/object-name.ts'
import { throughBreaks } from '../machine-task.ts'
import { readMark } from '../mark.ts'
import { retrieveAll, retrieveOne } from '../vim25/retrieve.ts'
import type { Session } from '../vim25/session.ts'
import type { Data, MoRef } from '../vim25/values.ts'
import { filesLeft, removeOwnSnapshot } from './remove-snapshot.ts'

/** The kind of intent before a snapshot is made. */
export const removeSnapshotKind = 'remove-snapshot'

/** What the intent holds. */
export interface RemoveSnapshot {
  /** Id of the workload. */
  readonly vm: string
  readonly name: string
  /** Value of its reference, once it is known. */
  readonly snapshot?: string
}

/** @throws INTERNAL: not what an intent of this kind holds. */
export function readRemoveSnapshot({ id, kind, data }: Intent): RemoveSnapshot {
  const { vm, name, snapshot } = (typeof data === 'object' && data !== null && !Array.isArray(data) ? data : {}) as {
    readonly [key: string]: Json | undefined
  }
  if (typeof vm !== 'string' || typeof name !== 'string' || (snapshot !== undefined && typeof snapshot !== 'string'))
    throw new HoldfastError('INTERNAL', `Intent ${id} (${kind}) names no snapshot.`)
  return { vm, name, ...(snapshot !== undefined && { snapshot }) }
}

/** Undefined: it has gone, and its snapshots with it. A machine that cannot be read now may be the one. */
async function findOrGone(connection: Connection, id: string, options: CallOptions): Promise<MoRef<'VirtualMachine'> | undefined> {
  try {
    return await findReference(connection, id, options)
  } catch (error) {
    if (!HoldfastError.isInstance(error) || error.code !== 'NOT_FOUND') throw error
    const { details } = error
    const unread = typeof details === 'object' && details !== null && 'unread' in details ? details.unread : 0
    if (unread === 0) return undefined
    throw new HoldfastError('UNREACHABLE', error.message, { cause: error, remedy: 'Look at the machines that the host cannot read.' })
  }
}

async function isBeingMade({ session }: Connection, task: MoRef<'Task'>, options: CallOptions): Promise<boolean> {
  try {
    const { values } = await retrieveOne(session, task, ['info'], options)
    const info = values.info as Data<'TaskInfo'> | undefined
    return info?.descriptionId === 'VirtualMachine.createSnapshot' && (info.state === 'running' || info.state === 'queued')
  } catch (error) {
    if (codeOf(error) === 'NOT_FOUND') return false
    throw error
  }
}

/** A snapshot that an aborted attempt has asked for may still be on its way: a host goes on with it. */
async function untilMade(connection: Connection, vm: MoRef<'VirtualMachine'>, options: CallOptions): Promise<void> {
  const { values } = await retrieveOne(connection.session, vm, ['recentTask'], options)
  for (const task of (values.recentTask ?? []) as readonly MoRef<'Task'>[]) {
    if (!(await isBeingMade(connection, task, options))) continue
    const ended = (info: Data<'TaskInfo'> | undefined) => (info?.state === 'success' || info?.state === 'error' ? true : undefined)
    const wait = () => connection.updates.until(task, ['info'], ({ info }) => ended(info as Data<'TaskInfo'> | undefined), options)
    await throughBreaks(connection, wait, options)
  }
}

/**
 * Removes the snapshot that an attempt has made or may have made. Idempotent; a machine or a snapshot that has gone is success, and so is one whose mark a person has
 * removed: it is theirs.
 * @throws UNDO_FAILED (retryable): it is removed, but the disks must still be consolidated; it is tried again. IN_USE, UNREACHABLE, ACCESS_DENIED, STALLED.
 */
export async function undoSnapshot(connection: Connection, intent: Intent, options: CallOptions): Promise<'undone'> {
  const { vm: id, name, snapshot } = readRemoveSnapshot(intent)
  const vm = await findOrGone(connection, id, options)
  if (vm === undefined) return 'undone'
  if (snapshot === undefined) await untilMade(connection, vm, options)
  const own = { name, mark: intent.mark, ...(snapshot !== undefined && { snapshot }) }
  const { stillNeeded } = await removeOwnSnapshot(connection, vm, own, options)
  if (stillNeeded !== undefined) throw filesLeft('UNDO_FAILED', id, stillNeeded)
  return 'undone'
}

function intentOf(provider: string, vm: string, { name, snapshot }: Data<'VirtualMachineSnapshotTree'>, mark: Mark): Intent {
  const data = { vm, name: decodeName(name), snapshot: snapshot.value }
  const id = `leftover:${removeSnapshotKind}:${mark.system}:${mark.run}.${mark.attempt}:${snapshot.value}`
  return { id, provider, kind: removeSnapshotKind, data, mark, kept: false }
}

const allOf = (trees: readonly Data<'VirtualMachineSnapshotTree'>[]): readonly Data<'VirtualMachineSnapshotTree'>[] =>
  trees.flatMap((tree) => [tree, ...allOf(tree.childSnapshotList)])

/** Every snapshot that a backup of any system has made and not removed yet, as the intent that removes it. Those that people keep are none. Reads only. */
export async function* snapshotLeftovers(session: Session, provider: string, options: CallOptions): AsyncGenerator<Intent> {
  const paths = ['config.instanceUuid', 'config.uuid', 'snapshot']
  for await (const { values } of retrieveAll(session, 'VirtualMachine', paths, options)) {
    const id = idOf(values as MachineIdentity)
    const info = values.snapshot as Data<'VirtualMachineSnapshotInfo'> | undefined
    if (id === undefined) continue
    for (const tree of allOf(info?.rootSnapshotList ?? [])) {
      const marked = readMark(tree.description)
      if (marked?.purpose === 'backup') yield intentOf(provider, id, tree, marked.mark)
    }
  }
}
