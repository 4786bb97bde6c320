import { type CallOptions, HoldfastError } from '@holdfast/core/spec'
import type { Connection } from '../connection.ts'
import { decodeName } from '../inventory/object-name.ts'
import { nameOf } from '../vim25/host-requests.ts'
import { retrieveOne } from '../vim25/retrieve.ts'
import type { Data, MoRef } from '../vim25/values.ts'

export type PowerState = Data<'InvalidPowerState'>['existingState']

/** A machine on its host, and what people call it. */
export interface NamedMachine {
  readonly ref: MoRef<'VirtualMachine'>
  readonly name: string
}

/** What of a machine matters when it is switched on or off. */
export interface SwitchedMachine extends NamedMachine {
  readonly powerState: PowerState
  readonly toolsRunning: boolean
  readonly annotation: string
  readonly devices: readonly Data<'VirtualDevice'>[]
  readonly question: Data<'VirtualMachineQuestionInfo'> | undefined
  /** Where it is; undefined when the host does not say. */
  readonly host: MoRef<'HostSystem'> | undefined
}

const paths = [
  'name',
  'config.annotation',
  'config.hardware.device',
  'guest.toolsRunningStatus',
  'runtime.connectionState',
  'runtime.host',
  'runtime.powerState',
  'runtime.question',
]

/**
 * Reads it as it is now.
 * @throws NOT_FOUND: it has gone. UNREACHABLE: a vCenter server has lost its host, so that what it says is of earlier, or the host cannot read its files.
 */
export async function readSwitched(
  { session, settings }: Connection,
  ref: MoRef<'VirtualMachine'>,
  options: CallOptions,
): Promise<SwitchedMachine> {
  const { values } = await retrieveOne(session, ref, paths, options)
  const name = decodeName(typeof values.name === 'string' ? values.name : ref.value)
  const state = values['runtime.connectionState']
  const powerState = values['runtime.powerState'] as PowerState | undefined
  if (state !== 'connected' || powerState === undefined)
    throw new HoldfastError(
      'UNREACHABLE',
      `${nameOf(settings)} does not know now whether ${name} is on: it is ${String(state ?? 'unknown')}.`,
      {
        remedy: 'Look whether its host is connected and whether its datastore is there.',
      },
    )
  return {
    ref,
    name,
    powerState,
    toolsRunning: values['guest.toolsRunningStatus'] === 'guestToolsRunning',
    annotation: typeof values['config.annotation'] === 'string' ? values['config.annotation'] : '',
    devices: (values['config.hardware.device'] ?? []) as SwitchedMachine['devices'],
    question: values['runtime.question'] as SwitchedMachine['question'],
    host: values['runtime.host'] as SwitchedMachine['host'],
  }
}
