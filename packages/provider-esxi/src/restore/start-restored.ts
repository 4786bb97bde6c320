import { HoldfastError, type RunContext } from '@holdfast/core/spec'
import type { Connection } from '../connection.ts'
import { powerOn } from '../power/start-machine.ts'
import type { MoRef } from '../vim25/values.ts'

/** A machine that was delivered. */
export interface RestoredMachine {
  readonly ref: MoRef<'VirtualMachine'>
  readonly name: string
}

/**
 * Switches a machine on that is already delivered, and answers "moved or copied?" with "copied". Whatever comes of it, the restore is not taken back, so a machine that
 * does not start is a warning and no failure. An abort rejects with its reason.
 */
export async function startRestored(connection: Connection, { ref, name }: RestoredMachine, run: RunContext): Promise<void> {
  try {
    await powerOn(connection, { ref, name }, { altered: 'copied' }, { signal: run.signal })
  } catch (error) {
    if (run.signal.aborted || !HoldfastError.isInstance(error)) throw error
    run.note('warning', 'NOT_STARTED', `${name} is restored, but does not start: ${error.message} ${error.remedy}`)
  }
}
