import type { RestoreResult, RunContext } from '@holdfast/core/spec'
import type { Connection } from '../connection.ts'
import { encodeName } from '../inventory/object-name.ts'
import { type Marked, withMark } from '../mark.ts'
import { changeOwn, type WholeMachine } from './own-machine.ts'

/** How a machine ends. */
export interface Finish {
  readonly name: string
  /** Undefined: it keeps "unfinished". */
  readonly marked: Marked | undefined
}

/**
 * Gives a machine its final name and takes "unfinished" off it, both or neither, as long as its notes say that it is of this attempt. A test copy keeps "unfinished": it is undone after its probe.
 * @throws NAME_TAKEN: the name is in use; nothing is delivered. PROVIDER_FAILED: the machine is not as it was made any more, or its attempt was given up by an undo.
 */
export async function finishMachine(
  connection: Connection,
  whole: WholeMachine,
  { name, marked }: Finish,
  { mark, signal }: RunContext,
): Promise<RestoreResult> {
  const change = ({ annotation }: { readonly annotation: string }) => ({
    name: encodeName(name),
    ...(marked !== undefined && { annotation: withMark(annotation, marked) }),
  })
  const { id } = await changeOwn(connection, whole, { mark, purposes: ['machine-unfinished'] }, change, { signal, name })
  return { workload: id }
}
