import { HoldfastError, type RestoreResult, type RunContext } from '@holdfast/core/spec'
import type { Connection } from '../connection.ts'
import { idOf, type MachineIdentity } from '../inventory/machine-properties.ts'
import { encodeName } from '../inventory/object-name.ts'
import { againWhile, busy, runTask } from '../machine-task.ts'
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

const paths = ['config.annotation', 'config.changeVersion', 'config.instanceUuid', 'config.uuid']

/**
 * Gives a machine its final name and takes "unfinished" off it, both or neither, as long as its notes say that it is of this attempt. A test copy keeps "unfinished": it is undone after its probe.
 * @throws NAME_TAKEN: the name is in use; nothing is delivered. PROVIDER_FAILED: the machine is not as it was made any more, or its attempt was given up by an undo.
 *
 * Source: ReconfigVM_Task makes all of its changes or none, https://developer.broadcom.com/xapis/vsphere-web-services-api/latest/vim.VirtualMachine.html#reconfigure
 */
export async function finishMachine(
  connection: Connection,
  { ref, name }: WholeMachine,
  finish: Finish,
  run: RunContext,
): Promise<RestoreResult> {
  const work = async (): Promise<RestoreResult> => {
    const { values } = await retrieveOne(connection.session, ref, paths, run)
    const id = idOf(values as MachineIdentity)
    const { 'config.annotation': annotation, 'config.changeVersion': version } = values
    const marked = typeof annotation === 'string' ? readMark(annotation) : undefined
    if (id === undefined || !isOf(marked, run.mark) || marked?.abandoned) throw gone(name)
    const spec = {
      // The host refuses when somebody has written in between.
      ...(typeof version === 'string' && { changeVersion: version }),
      name: encodeName(finish.name),
      ...(finish.marked && { annotation: withMark(annotation as string, finish.marked) }),
    }
    await runTask(connection, 'ReconfigVM_Task', ref, { spec }, { signal: run.signal, name: finish.name })
    return { workload: id }
  }
  return againWhile(connection, busy, work, run)
}
