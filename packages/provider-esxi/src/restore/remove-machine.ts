import { type CallOptions, codeOf, HoldfastError } from '@holdfast/core/spec'
import type { Connection } from '../connection.ts'
import { againWhile, runTask } from '../machine-task.ts'
import { markLine, readMark } from '../mark.ts'
import { isFault } from '../vim25/faults.ts'
import { nameOf } from '../vim25/host-requests.ts'
import { retrieveOne } from '../vim25/retrieve.ts'
import type { AnnotatedMachine } from './marked-machines.ts'

/** The host holds a machine while a lease is open on it: the lease of a dead attempt ends by itself. */
const heldFaults: readonly string[] = ['TaskInProgress', 'ConcurrentAccess', 'InvalidState', 'ResourceInUse']

/** "Already so" and "already gone" are what is wanted. */
async function unless(faults: readonly string[], work: Promise<unknown>): Promise<void> {
  await work.catch((error: unknown) => {
    if (!faults.some((fault) => isFault(error, fault))) throw error
  })
}

/** Destroys a machine that is off, with its files. "Already gone" is success. */
export async function destroyMachine(
  connection: Connection,
  { ref, name }: Pick<AnnotatedMachine, 'ref' | 'name'>,
  options: CallOptions,
): Promise<void> {
  await unless(['ManagedObjectNotFound'], runTask(connection, 'Destroy_Task', ref, {}, { ...options, name, goesOn: true }))
}

/** Whether it runs, if its reference still is that of the same machine with the same mark; undefined: it has gone, or is not ours to remove any more. */
async function stateOf({ session, settings }: Connection, { ref, name, marked }: AnnotatedMachine, options: CallOptions) {
  const found = await retrieveOne(session, ref, ['config.annotation', 'runtime.powerState'], options).catch((error: unknown) => {
    if (codeOf(error) !== 'NOT_FOUND') throw error
  })
  if (found === undefined) return undefined
  const { 'config.annotation': annotation, 'runtime.powerState': power } = found.values
  if (typeof annotation !== 'string')
    throw new HoldfastError('UNDO_FAILED', `${nameOf(settings)} cannot read the machine ${name} now, so it is not removed yet.`, {
      remedy: 'Look whether its datastore is there and whether its host is connected. It is tried again.',
      details: { machine: name },
    })
  const now = readMark(annotation)
  return now && marked && markLine(now) === markLine(marked) ? { isOff: power === 'poweredOff' } : undefined
}

/**
 * Destroys a machine of ours, off first if it runs; waits for a lease on it to end. It is looked at again before each step: what removes the same may have been quicker,
 * and hosts use references again.
 */
export async function removeMachine(connection: Connection, machine: AnnotatedMachine, options: CallOptions): Promise<void> {
  const { ref, name } = machine
  const remove = async (): Promise<void> => {
    const state = await stateOf(connection, machine, options)
    if (state === undefined) return
    if (state.isOff) return destroyMachine(connection, machine, options)
    const off = runTask(connection, 'PowerOffVM_Task', ref, {}, { ...options, name, goesOn: true })
    await unless(['InvalidPowerState', 'ManagedObjectNotFound'], off)
    if ((await stateOf(connection, machine, options)) !== undefined) await destroyMachine(connection, machine, options)
  }
  await againWhile(connection, heldFaults, remove, options)
}
