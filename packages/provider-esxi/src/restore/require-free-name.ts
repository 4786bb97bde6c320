import { HoldfastError, type RunContext, showValue } from '@holdfast/core/spec'
import type { Connection } from '../connection.ts'
import { nameOf } from '../vim25/host-requests.ts'
import { annotatedMachines, isOfRun, isUnfinished } from './marked-machines.ts'

/** Source: VirtualMachineConfigSpec, property `name`, and the limit of the clients of VMware. */
const longestName = 80

/**
 * Looks at the name of a new machine before anything is made; taking the name proves it once more.
 * @throws NAME_TAKEN (retryable when it is an unfinished machine of an earlier attempt, which is about to be removed). INVALID_OPTIONS: no machine can be called so.
 */
export async function requireFreeName({ session, settings }: Connection, name: string, run: RunContext): Promise<void> {
  if (name.trim() === '' || name.length > longestName)
    throw new HoldfastError(
      'INVALID_OPTIONS',
      `A machine cannot be called ${showValue(name)}: its name has 1 to ${longestName} characters.`,
    )
  for await (const one of annotatedMachines(session, { signal: run.signal })) {
    if (one.name !== name) continue
    throw new HoldfastError('NAME_TAKEN', `There is a machine ${name} on ${nameOf(settings)} already (${one.ref.value}).`, {
      retryable: isOfRun(one.marked, run.mark) && isUnfinished(one.marked),
      remedy: "Restore under another name: { name: '...' }.",
      details: { name },
    })
  }
}
