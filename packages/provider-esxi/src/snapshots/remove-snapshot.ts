import { isDeepStrictEqual } from 'node:util'
import { type CallOptions, codeOf, HoldfastError, type Mark } from '@holdfast/core/spec'
import type { Connection } from '../connection.ts'
import { againWhile, busy, runTask } from '../machine-task.ts'
import { isOf } from '../mark.ts'
import { isFault } from '../vim25/faults.ts'
import type { MoRef } from '../vim25/values.ts'
import { type Consolidation, consolidateDisks } from './consolidate-disks.ts'
import { type FoundSnapshot, readSnapshots } from './snapshot-tree.ts'

/** A snapshot of an attempt. */
export interface OwnSnapshot {
  readonly name: string
  readonly mark: Mark
  /** Value of its reference, once it is known. */
  readonly snapshot?: string
}

export interface RemovalOptions extends CallOptions {
  /** Percent, whenever the host tells it. */
  readonly onProgress?: (percent: number) => void
}

/** What came of a removal. */
export interface Removal extends Consolidation {
  /** False: it was gone already, or carries no mark of this attempt (any more). */
  readonly removed: boolean
}

async function isThere(connection: Connection, vm: MoRef<'VirtualMachine'>, found: FoundSnapshot, options: CallOptions): Promise<boolean> {
  const tree = await readSnapshots(connection, vm, options).catch((error: unknown) => {
    if (codeOf(error) !== 'NOT_FOUND') throw error
  })
  const same = ({ ref, createdAt, marked }: FoundSnapshot): boolean =>
    ref.value === found.ref.value && createdAt === found.createdAt && isDeepStrictEqual(marked, found.marked)
  return tree?.snapshots.some(same) ?? false
}

/**
 * Removes one, never what is below it; "already gone" is success. As long as the host says that it works on it, it is waited for, and looked for again before each further
 * try: hosts use references again.
 */
export async function removeOne(
  connection: Connection,
  vm: MoRef<'VirtualMachine'>,
  found: FoundSnapshot,
  { machine, signal, onProgress }: RemovalOptions & { readonly machine: string },
): Promise<void> {
  const task = { signal, name: machine, goesOn: true, ...(onProgress !== undefined && { onProgress }) }
  let tried = false
  const remove = async (): Promise<void> => {
    if (tried && !(await isThere(connection, vm, found, { signal }))) return
    tried = true
    await runTask(connection, 'RemoveSnapshot_Task', found.ref, { removeChildren: false, consolidate: true }, task)
  }
  await againWhile(connection, ['FileLocked', ...busy], remove, { signal }).catch((error: unknown) => {
    if (!isFault(error, 'ManagedObjectNotFound')) throw error
  })
}

/**
 * Removes the snapshot of exactly one attempt, and what it leaves on the disks. Idempotent. A snapshot is ours by its mark alone: one with our name, or with a reference
 * that we knew, but without the mark is not touched. There is no limit of time but progress.
 * @throws IN_USE: another task of the machine, or a locked disk, also after two minutes. NOT_FOUND: the machine has gone. UNREACHABLE, ACCESS_DENIED, STALLED.
 */
export async function removeOwnSnapshot(
  connection: Connection,
  vm: MoRef<'VirtualMachine'>,
  { name, mark, snapshot }: OwnSnapshot,
  options: RemovalOptions,
): Promise<Removal> {
  const { machine, snapshots } = await readSnapshots(connection, vm, options)
  const own = snapshots.filter(({ marked }) => isOf(marked, mark))
  // Not by its reference alone: after the machine was registered anew it has another one.
  const found = own.filter((one) => one.ref.value === snapshot || one.name === name)
  for (const one of found) await removeOne(connection, vm, one, { ...options, machine })
  // A machine that a snapshot of ours never was on is not ours to put in order.
  if (found.length === 0 && snapshot === undefined) return { removed: false }
  return { removed: found.length > 0, ...(await consolidateDisks(connection, vm, machine, options)) }
}

/** What people are told when files are left. */
export const filesLeft = (code: 'IN_USE' | 'UNDO_FAILED', machine: string, why: string): HoldfastError =>
  new HoldfastError(code, `The snapshot of ${machine} is removed, but its disks must still be consolidated. ${why}`, {
    retryable: true,
    remedy:
      'End the program that has the disks open, then consolidate the disks of the machine in the host client, or wait until it is tried again.',
    details: { machine },
  })
