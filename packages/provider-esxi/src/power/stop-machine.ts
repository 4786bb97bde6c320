import { type CallOptions, codeOf, HoldfastError, withDeadline } from '@holdfast/core/spec'
import type { Connection } from '../connection.ts'
import { againWhile, busy, runTask, throughBreaks } from '../machine-task.ts'
import { isFault } from '../vim25/faults.ts'
import type { Observed } from '../vim25/updates.ts'
import type { MoRef } from '../vim25/values.ts'
import { type NamedMachine, readSwitched, type SwitchedMachine } from './power-state.ts'

/** How long a guest is waited for, and what then. */
export interface StopOptions extends CallOptions {
  /** Milliseconds. */
  readonly graceMs: number
  /** Switch it off when the guest has not shut down by then. */
  readonly force: boolean
}

/** Switches it off at once, as if the plug was pulled. "Already off" is success. */
export async function powerOff(connection: Connection, { ref, name }: NamedMachine, options: CallOptions): Promise<void> {
  const off = () => runTask(connection, 'PowerOffVM_Task', ref, {}, { ...options, name, goesOn: true })
  await againWhile(connection, busy, off, options).catch(async (error: unknown) => {
    if (!isFault(error, 'InvalidPowerState')) throw error
    if ((await readSwitched(connection, ref, options)).powerState !== 'poweredOff') throw error
  })
}

/** Why the guest cannot be asked; undefined: it was. */
async function askGuest(
  connection: Connection,
  { ref, name, powerState, toolsRunning }: SwitchedMachine,
  options: CallOptions,
): Promise<string | undefined> {
  if (powerState === 'suspended') return 'it is suspended'
  if (!toolsRunning) return 'VMware Tools do not run in its guest'
  try {
    await againWhile(connection, busy, () => connection.session.call('ShutdownGuest', ref, {}, { ...options, name }), options)
    return undefined
  } catch (error) {
    if (isFault(error, 'ToolsUnavailable')) return 'VMware Tools do not run in its guest'
    if (isFault(error, 'QuestionPending')) return 'it waits for an answer to a question'
    if (isFault(error, 'InvalidPowerState')) return undefined // it goes off by itself, as the wait will see
    throw error
  }
}

async function isOffInTime(connection: Connection, { ref, name }: NamedMachine, { graceMs, signal }: StopOptions): Promise<boolean> {
  const isOff = ({ 'runtime.powerState': state }: Observed) => (state === 'poweredOff' ? true : undefined)
  const off = (inner: CallOptions) =>
    throughBreaks(connection, () => connection.updates.until(ref, ['runtime.powerState'], isOff, inner), inner)
  try {
    return await withDeadline({ clock: connection.clock, milliseconds: graceMs, name: `The guest of ${name}`, signal }, off)
  } catch (error) {
    if (codeOf(error) === 'TIMED_OUT') return false
    throw error
  }
}

/**
 * Asks the guest to shut down and waits; then forces it off, or rejects. A guest that cannot be asked (no tools, suspended, a pending question) is not waited for.
 * Idempotent: "already off" is success.
 * @throws TIMED_OUT: not off, and not to be forced; the guest may still be shutting down. NOT_FOUND, IN_USE, UNREACHABLE, ACCESS_DENIED, UNSUPPORTED.
 */
export async function stopMachine(connection: Connection, ref: MoRef<'VirtualMachine'>, stop: StopOptions): Promise<void> {
  const options = { signal: stop.signal }
  const machine = await readSwitched(connection, ref, options)
  if (machine.powerState === 'poweredOff') return
  const silent = await askGuest(connection, machine, options)
  if (silent === undefined && (await isOffInTime(connection, machine, stop))) return
  if (stop.force) return powerOff(connection, machine, options)
  const why =
    silent === undefined ? `its guest did not shut down within ${stop.graceMs} ms` : `its guest cannot be asked to shut down: ${silent}`
  throw new HoldfastError('TIMED_OUT', `${machine.name} is not off: ${why}.`, {
    remedy: 'Shut it down in the guest, or stop it with force.',
    details: { machine: machine.name, graceMs: stop.graceMs },
  })
}
