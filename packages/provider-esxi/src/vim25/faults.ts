import { type ErrorCode, HoldfastError } from '@holdfast/core/spec'
import { isA } from './field.ts'
import type { SoapFault } from './message.ts'
import type { Data, MoRef } from './values.ts'

/** What was called on what: for the message of an error. */
export interface Called {
  readonly method: string
  readonly self: MoRef
  /** What people call the object, where it is known. */
  readonly name?: string
  /** The host as it was configured: of several nobody knows otherwise which one it was. */
  readonly host?: string
}

interface Meaning {
  readonly fault: string
  readonly code: ErrorCode
  readonly retryable: boolean
  readonly remedy: string
}

const meaning = (fault: string, code: ErrorCode, retryable: boolean, remedy: string): Meaning => ({ fault, code, retryable, remedy })
const later = 'Nothing at first: it is tried again. If it goes on, look at the tasks of the host.'

/** The first that fits counts, so special cases come before what they are cases of. */
const meanings: readonly Meaning[] = [
  meaning('NotAuthenticated', 'ACCESS_DENIED', true, 'Nothing: the session is opened again.'),
  meaning(
    'InvalidLogin',
    'ACCESS_DENIED',
    false,
    'Check user and password. A host locks an account for a while after some wrong passwords, and then refuses the right one too: so this one is not tried again for 15 minutes.',
  ),
  meaning(
    'NoPermission',
    'ACCESS_DENIED',
    false,
    'Give the account a role with this privilege, on this object or on what it lies in. The check of the provider lists all privileges that are missing.',
  ),
  meaning(
    'RestrictedVersion',
    'UNSUPPORTED',
    false,
    'This host runs the free ESXi licence, with which the API is for reading only. Use an evaluation or paid licence, or vCenter.',
  ),
  meaning('NotEnoughLicenses', 'UNSUPPORTED', false, 'Renew the licence of the host.'),
  meaning(
    'MethodNotFound',
    'UNSUPPORTED',
    false,
    'The host does not know this call: update it, or go through the vCenter server that manages it.',
  ),
  meaning(
    'NotSupported',
    'UNSUPPORTED',
    false,
    'This host does not do that, or not with this machine: the list of machines says what stands in the way of each.',
  ),
  meaning('ManagedObjectNotFound', 'NOT_FOUND', false, 'It has gone meanwhile: list what there is.'),
  meaning('FileNotFound', 'NOT_FOUND', false, 'Look at the datastore: the machine names a file that is not there.'),
  meaning('DuplicateName', 'NAME_TAKEN', false, 'Choose another name.'),
  meaning('FileAlreadyExists', 'NAME_TAKEN', false, 'Choose another name, or another datastore.'),
  meaning('TaskInProgress', 'IN_USE', true, later),
  meaning('ConcurrentAccess', 'IN_USE', true, later),
  meaning('FileLocked', 'IN_USE', true, 'Another program has the disk open. It is tried again.'),
  meaning('InvalidPowerState', 'IN_USE', false, 'Switch the machine on or off as the message says.'),
  meaning('QuestionPending', 'IN_USE', false, 'Answer the question of the machine in the host client, then run it again.'),
  meaning(
    'InvalidState',
    'IN_USE',
    true,
    'Look at the state of the machine and of its host: one in maintenance mode starts no machine until its maintenance has ended.',
  ),
  meaning('NoDiskSpace', 'DISK_FULL', true, 'Free space on the datastore. A restore can go to another one, with options.datastore.'),
  meaning(
    'InsufficientStorageSpace',
    'DISK_FULL',
    true,
    'Free space on the datastore. A restore can go to another one, with options.datastore.',
  ),
  meaning(
    'CannotAccessFile',
    'PROVIDER_FAILED',
    true,
    'Look whether the datastore can be reached, and whether another program has the file open.',
  ),
  meaning('TooManySnapshotLevels', 'UNSUPPORTED', false, 'A machine has at most 32 snapshots one below the other: remove some.'),
  meaning('MemorySnapshotOnIndependentDisk', 'UNSUPPORTED', false, 'Leave the memory out, or make the independent disk a dependent one.'),
  meaning('ApplicationQuiesceFault', 'PROVIDER_FAILED', true, 'Look at the events of the guest, or do not ask it to flush.'),
  meaning('FilesystemQuiesceFault', 'PROVIDER_FAILED', true, 'Look at the events of the guest, or do not ask it to flush.'),
  meaning('ToolsUnavailable', 'UNSUPPORTED', false, 'Start VMware Tools in the guest.'),
  meaning('HostCommunication', 'UNREACHABLE', true, 'Look whether the host is connected to vCenter.'),
  meaning('Timedout', 'TIMED_OUT', true, later),
]

type Details = { readonly [field: string]: unknown } | undefined

const sentence = (text: string): string => text.trim().replace(/[^.?!]$/, '$&.')

/** Which privileges are missing, and on what. Since version 8 a host lists them by object. */
function lacked(details: Details, self: MoRef): string | undefined {
  const { object, privilegeId, missingPrivileges } = (details ?? {}) as Partial<Data<'NoPermission'>>
  const all = [{ entity: object ?? self, privilegeIds: [privilegeId ?? ''] }, ...(missingPrivileges ?? [])]
  const lines = all.flatMap(({ entity, privilegeIds }) => {
    const where = self.type === 'VirtualMachine' && entity.value === self.value ? '' : ` on ${entity.type} ${entity.value}`
    return privilegeIds.filter((id) => id !== '').map((id) => `${id}${where}`)
  })
  const each = [...new Set(lines)]
  return each.length === 0 ? undefined : `The account lacks the privilege${each.length === 1 ? '' : 's'} ${each.join(', ')}.`
}

/** What the fields of a fault say beyond its text. */
function moreOf({ type, message, fault }: SoapFault, self: MoRef): readonly string[] {
  const details = fault as Details
  const told = (name: string, words: (value: string) => string): string | undefined => {
    const value = details?.[name]
    return typeof value === 'string' && value !== '' && !message.includes(value) ? words(value) : undefined
  }
  const lines = [
    type !== undefined && type !== 'NotAuthenticated' && isA(type, 'NoPermission') ? lacked(details, self) : undefined,
    told('existingState', (state) => `The machine is ${state}.`),
    told('text', (question) => `It asks: ${sentence(question)}`),
    told('datastore', (name) => `The datastore is ${name}.`),
    told('file', (name) => `The file is ${name}.`),
  ]
  return lines.filter((line) => line !== undefined)
}

/** A lease is nothing that people know: what has failed is the transfer it was for. */
const whatFailed = (method: string): string => (method === 'HttpNfcLease' ? 'The transfer' : method)

function inWords(fault: SoapFault, { method, self, name, host }: Called): string {
  const { type, message } = fault
  // Two machines may have one name; of anything else the name says enough.
  const object = name === undefined ? `${self.type} ${self.value}` : self.type === 'VirtualMachine' ? `${name} (${self.value})` : name
  const where = host === undefined ? '' : ` on ${host}`
  const said = `${whatFailed(method)} of ${object} failed${where}: ${sentence(message)}${type === undefined ? '' : ` (${type})`}`
  return [said, ...moreOf(fault, self)].join(' ')
}

/** A refusal of a host, with the operation, the object and the missing privilege named. */
export function faultError(fault: SoapFault, called: Called): HoldfastError {
  const { type } = fault
  const found = type === undefined ? undefined : meanings.find((one) => isA(type, one.fault))
  return new HoldfastError(found?.code ?? 'PROVIDER_FAILED', inWords(fault, called), {
    ...(found !== undefined && { retryable: found.retryable, remedy: found.remedy }),
    details: {
      method: called.method,
      object: { type: called.self.type, value: called.self.value },
      ...(type !== undefined && { fault: type }),
      ...(called.host !== undefined && { host: called.host }),
    },
  })
}

/** Whether an error is a refusal of a host of this kind, or of a special case of it. */
export function isFault(error: unknown, type: string): boolean {
  if (!HoldfastError.isInstance(error)) return false
  const { details } = error
  if (typeof details !== 'object' || details === null || !('fault' in details)) return false
  return typeof details.fault === 'string' && isA(details.fault, type)
}
