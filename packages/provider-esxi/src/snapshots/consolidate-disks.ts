import type { CallOptions } from '@holdfast/core/spec'
import type { Connection } from '../connection.ts'
import { againWhile, busy, runTask } from '../machine-task.ts'
import { isFault } from '../vim25/faults.ts'
import { retrieveOne } from '../vim25/retrieve.ts'
import type { MoRef } from '../vim25/values.ts'

/** How it is with the disks of a machine after a removal. `stillNeeded`: files are left that belong to no snapshot, and why. */
export interface Consolidation {
  readonly stillNeeded?: string
}

async function isNeeded({ session }: Connection, vm: MoRef<'VirtualMachine'>, options: CallOptions): Promise<boolean> {
  const { values } = await retrieveOne(session, vm, ['runtime.consolidationNeeded'], options)
  return values['runtime.consolidationNeeded'] === true
}

/**
 * Merges what a removal has left on the disks, if there is something. Locked files are tried again for two minutes. That it is still needed is an answer, not an error:
 * the snapshot is gone, and somebody must be told.
 */
export async function consolidateDisks(
  connection: Connection,
  vm: MoRef<'VirtualMachine'>,
  name: string,
  options: CallOptions,
): Promise<Consolidation> {
  if (!(await isNeeded(connection, vm, options))) return {}
  try {
    const merge = () => runTask(connection, 'ConsolidateVMDisks_Task', vm, {}, { ...options, name, goesOn: true })
    await againWhile(connection, ['FileLocked', ...busy], merge, options)
  } catch (error) {
    if (options.signal.aborted || !isFault(error, 'MethodFault')) throw error
    return { stillNeeded: error instanceof Error ? error.message : String(error) }
  }
  return (await isNeeded(connection, vm, options)) ? { stillNeeded: 'The host says that it is still needed.' } : {}
}
