import { type CallOptions, HoldfastError } from '@holdfast/core/spec'
import type { Connection } from '../connection.ts'
import { isFault } from '../vim25/faults.ts'

/**
 * How a host takes a call. `known`: it misses only the object, which there is not; that says nothing about what it would do with one. `unknown`: it does not know the
 * call. Anything else: the fault it answered with.
 */
export type Knowledge = string

const nobody = 'holdfast-examines-whether-this-call-is-known'

async function knowledgeOf(asked: Promise<unknown>, { signal }: CallOptions): Promise<Knowledge> {
  try {
    await asked
    return 'answered'
  } catch (error) {
    if (signal.aborted || !HoldfastError.isInstance(error)) throw error
    if (isFault(error, 'ManagedObjectNotFound')) return 'known'
    if (isFault(error, 'InvalidRequest')) return 'unknown'
    const { details } = error
    const fault = typeof details === 'object' && details !== null && 'fault' in details ? details.fault : undefined
    return typeof fault === 'string' ? fault : error.code
  }
}

/** Which calls that not every host has this one knows. They are made on objects that do not exist, so that nothing can happen. */
export async function knownMethods({ session }: Connection, options: CallOptions): Promise<{ readonly [method: string]: Knowledge }> {
  const lease = { type: 'HttpNfcLease', value: nobody } as const
  const machine = { type: 'VirtualMachine', value: nobody } as const
  const snapshot = { type: 'VirtualMachineSnapshot', value: nobody } as const
  const areas = { snapshot, deviceKey: 2000, startOffset: 0, changeId: '*' }
  const asked = {
    ExportVm: () => session.call('ExportVm', machine, {}, options),
    ExportSnapshot: () => session.call('ExportSnapshot', snapshot, {}, options),
    HttpNfcLeaseGetManifest: () => session.call('HttpNfcLeaseGetManifest', lease, {}, options),
    HttpNfcLeaseSetManifestChecksumType: () =>
      session.call('HttpNfcLeaseSetManifestChecksumType', lease, { deviceUrlsToChecksumTypes: [] }, options),
    QueryChangedDiskAreas: () => session.call('QueryChangedDiskAreas', machine, areas, options),
  }
  const found: { [method: string]: Knowledge } = {}
  for (const [method, ask] of Object.entries(asked)) found[method] = await knowledgeOf(ask(), options)
  return found
}
