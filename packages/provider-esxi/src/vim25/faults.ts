import { type ErrorCode, HoldfastError } from '@holdfast/core/spec'
import { isA } from './field.ts'
import type { SoapFault } from './message.ts'
import type { MoRef } from './values.ts'

/** What was called on what: for the message of an error. */
export interface Called {
  readonly method: string
  readonly self: MoRef
  /** What people call the object, where it is known. */
  readonly name?: string
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
  meaning('InvalidLogin', 'ACCESS_DENIED', false, 'Check user and password. A host locks an account after some wrong ones.'),
  meaning('NoPermission', 'ACCESS_DENIED', false, 'Give the account the privilege that the message names.'),
  meaning(
    'RestrictedVersion',
    'UNSUPPORTED',
    false,
    'This host runs the free ESXi licence, with which the API is for reading only. Use an evaluation or paid licence, or vCenter.',
  ),
  meaning('NotEnoughLicenses', 'UNSUPPORTED', false, 'Renew the licence of the host.'),
  meaning('MethodNotFound', 'UNSUPPORTED', false, 'The host does not know this call: read in the guide which version does.'),
  meaning('NotSupported', 'UNSUPPORTED', false, 'Read in the guide what this host and this machine can do.'),
  meaning('ManagedObjectNotFound', 'NOT_FOUND', false, 'It has gone meanwhile: list what there is.'),
  meaning('FileNotFound', 'NOT_FOUND', false, 'Look at the datastore: the machine names a file that is not there.'),
  meaning('DuplicateName', 'NAME_TAKEN', false, 'Choose another name.'),
  meaning('FileAlreadyExists', 'NAME_TAKEN', false, 'Choose another name, or another datastore.'),
  meaning('TaskInProgress', 'IN_USE', true, later),
  meaning('ConcurrentAccess', 'IN_USE', true, later),
  meaning('FileLocked', 'IN_USE', true, 'Another program has the disk open. It is tried again.'),
  meaning('InvalidPowerState', 'IN_USE', false, 'Switch the machine on or off as the message says.'),
  meaning('QuestionPending', 'IN_USE', false, 'Answer the question of the machine first.'),
  meaning('NoDiskSpace', 'DISK_FULL', true, 'Free space on the datastore.'),
  meaning('InsufficientStorageSpace', 'DISK_FULL', true, 'Free space on the datastore.'),
  meaning('TooManySnapshotLevels', 'UNSUPPORTED', false, 'A machine has at most 32 snapshots one below the other: remove some.'),
  meaning('MemorySnapshotOnIndependentDisk', 'UNSUPPORTED', false, 'Leave the memory out, or make the independent disk a dependent one.'),
  meaning('ApplicationQuiesceFault', 'PROVIDER_FAILED', true, 'Look at the events of the guest, or do not ask it to flush.'),
  meaning('FilesystemQuiesceFault', 'PROVIDER_FAILED', true, 'Look at the events of the guest, or do not ask it to flush.'),
  meaning('ToolsUnavailable', 'UNSUPPORTED', false, 'Start VMware Tools in the guest.'),
  meaning('HostCommunication', 'UNREACHABLE', true, 'Look whether the host is connected to vCenter.'),
  meaning('Timedout', 'TIMED_OUT', true, later),
]

function inWords(fault: SoapFault, { method, self, name }: Called): string {
  const { type, message } = fault
  const object = name === undefined ? `${self.type} ${self.value}` : `${name} (${self.type} ${self.value})`
  const details = fault.fault as { readonly [field: string]: unknown } | undefined
  const asked = typeof details?.privilegeId === 'string' ? ` The account lacks the privilege ${details.privilegeId}.` : ''
  const states = typeof details?.existingState === 'string' ? ` The machine is ${details.existingState}.` : ''
  return `${method} on ${object}: ${message.replace(/\.?$/, '.')}${type === undefined ? '' : ` (${type})`}${asked}${states}`
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
