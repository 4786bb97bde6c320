import { HoldfastError, type RestoreResult, type RunContext } from '@holdfast/core/spec'
import type { Connection } from '../connection.ts'
import { idOf, type MachineIdentity } from '../inventory/machine-properties.ts'
import { encodeName } from '../inventory/object-name.ts'
import { runTask } from '../machine-task.ts'
import { isOf, type Marked, readMark, withMark } from '../mark.ts'
import { retrieveOne } from '../vim25/retrieve.ts'
import type { MoRef } from '../vim25/values.ts'

/** A machine that is whole, under the name of its attempt. */
export interface WholeMachine {
  readonly ref: MoRef<'VirtualMachine'>
  /** As people call it now. */
  readonly name: string
}

const gone = (name: string): HoldfastError =>
  new HoldfastError('PROVIDER_FAILED', `The machine ${name} is not as this restore made it any more: somebody has removed or changed it.`)

/** How a machine ends. */
export interface Finish {
  readonly name: string
  /** Undefined: it keeps "unfinished". */
  readonly marked: Marked | undefined
}

/**
 * Gives a machine its final name, and then takes "unfinished" off it; between the two it is still ours to remove. A test copy keeps "unfinished": it is undone after its probe.
 * @throws NAME_TAKEN: the name is in use; nothing is delivered.
 */
export async function finishMachine(
  connection: Connection,
  { ref, name }: WholeMachine,
  finish: Finish,
  run: RunContext,
): Promise<RestoreResult> {
  await runTask(connection, 'Rename_Task', ref, { newName: encodeName(finish.name) }, { signal: run.signal, name: finish.name })
  const { values } = await retrieveOne(connection.session, ref, ['config.annotation', 'config.instanceUuid', 'config.uuid'], run)
  const id = idOf(values as MachineIdentity)
  const annotation = typeof values['config.annotation'] === 'string' ? values['config.annotation'] : undefined
  if (id === undefined || !isOf(readMark(annotation), run.mark)) throw gone(name)
  if (finish.marked !== undefined) {
    const spec = { annotation: withMark(annotation, finish.marked) }
    await runTask(connection, 'ReconfigVM_Task', ref, { spec }, { signal: run.signal, name: finish.name })
  }
  return { workload: id }
}
