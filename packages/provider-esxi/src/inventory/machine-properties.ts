import type { CallOptions } from '@holdfast/core/spec'
import { type Retrieved, retrieveAll, retrieveOne } from '../vim25/retrieve.ts'
import { powerState } from '../vim25/schema/fault-types.ts'
import type { Session } from '../vim25/session.ts'
import type { MoRef, ValueOf } from '../vim25/values.ts'
import { decodeName } from './object-name.ts'

/** What tells one machine from another. */
const identity = {
  name: 'string',
  'config.instanceUuid': 'string',
  'config.uuid': 'string',
  'runtime.connectionState': 'string',
  'summary.config.instanceUuid': 'string',
  'summary.config.uuid': 'string',
} as const

/** Everything that we read of a machine. Never all of `config`: it is large, and one part of it that a host cannot read takes the rest with it. */
const everything = {
  ...identity,
  availableField: 'CustomFieldDef[]',
  'capability.changeTrackingSupported': 'boolean',
  'config.bootOptions': 'VirtualMachineBootOptions',
  'config.changeTrackingEnabled': 'boolean',
  'config.files.vmPathName': 'string',
  'config.firmware': 'string',
  'config.guestId': 'string',
  'config.hardware.device': 'VirtualDevice[]',
  'config.hardware.memoryMB': 'int',
  'config.hardware.numCPU': 'int',
  'config.hardware.numCoresPerSocket': 'int',
  'config.keyId': 'CryptoKeyId',
  'config.template': 'boolean',
  'config.version': 'string',
  customValue: 'CustomFieldValue[]',
  datastore: 'ref[]',
  'guest.toolsRunningStatus': 'string',
  network: 'ref[]',
  'runtime.consolidationNeeded': 'boolean',
  'runtime.powerState': powerState,
  'runtime.question': 'VirtualMachineQuestionInfo',
  snapshot: 'VirtualMachineSnapshotInfo',
  'storage.perDatastoreUsage': 'VirtualMachineUsageOnDatastore[]',
  'summary.config.vmPathName': 'string',
} as const

type ValuesOf<Properties extends { readonly [path: string]: string }> = { readonly [Path in keyof Properties]?: ValueOf<Properties[Path]> }

/** Of a machine that the host cannot read anything may be missing. */
export type MachineIdentity = ValuesOf<typeof identity>
export type MachineProperties = ValuesOf<typeof everything>

export interface Read<Properties> {
  readonly ref: MoRef<'VirtualMachine'>
  readonly properties: Properties
}

// The host says what type each value has; decoding has held it to that.
const read = <Properties>({ ref, values }: Retrieved<'VirtualMachine'>): Read<Properties> => ({ ref, properties: values as Properties })

export async function* readIdentities(session: Session, options: CallOptions): AsyncGenerator<Read<MachineIdentity>> {
  for await (const one of retrieveAll(session, 'VirtualMachine', Object.keys(identity), options)) yield read<MachineIdentity>(one)
}

export async function* readMachines(session: Session, options: CallOptions): AsyncGenerator<Read<MachineProperties>> {
  for await (const one of retrieveAll(session, 'VirtualMachine', Object.keys(everything), options)) yield read<MachineProperties>(one)
}

/** @throws NOT_FOUND: it has gone. */
export async function readMachine(session: Session, ref: MoRef<'VirtualMachine'>, options: CallOptions): Promise<Read<MachineProperties>> {
  return read<MachineProperties>(await retrieveOne(session, ref, Object.keys(everything), options))
}

/** Its id on the platform; a host that cannot read a machine may still have it in its list. Undefined: nobody knows. */
export function idOf(properties: MachineIdentity): string | undefined {
  return (
    properties['config.instanceUuid'] ||
    properties['config.uuid'] ||
    properties['summary.config.instanceUuid'] ||
    properties['summary.config.uuid'] ||
    undefined
  )
}

/** What people call it; of one that the host cannot read at all, its place in the list. */
export const displayNameOf = ({ ref, properties }: Read<MachineIdentity>): string => decodeName(properties.name ?? ref.value)

/** Of a machine that nobody knows the id of only its place in the list of the host is left to name it by, until it can be read again. */
const unread = 'unread-'

export const workloadIdOf = ({ ref, properties }: Read<MachineIdentity>): string => idOf(properties) ?? `${unread}${ref.value}`

/** Whether an id is none that outlives anything. */
export const isUnread = (id: string): boolean => id.startsWith(unread)
