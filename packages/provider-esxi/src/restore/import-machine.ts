import { HoldfastError, type RunContext } from '@holdfast/core/spec'
import type { Connection } from '../connection.ts'
import { type Lease, openLease } from '../lease/lease.ts'
import { isFault } from '../vim25/faults.ts'
import type { MoRef } from '../vim25/values.ts'
import type { XmlElement } from '../vim25/xml.ts'
import type { ChosenPlaces } from './choose-places.ts'
import type { ImportSpec } from './create-import-spec.ts'
import type { RestorePackage } from './restore-package.ts'
import { pairParts, sendParts } from './send-parts.ts'

/** A machine that is to be made. */
export interface Import {
  readonly name: string
  readonly places: ChosenPlaces
  readonly spec: XmlElement
  readonly items: ImportSpec['items']
  readonly parts: RestorePackage['parts']
}

/** A cluster without its own choice of hosts refuses an import that names none, with nothing but "not supported". */
function withHint(error: unknown, { places }: Import): unknown {
  if (places.host !== undefined || !isFault(error, 'NotSupported') || !HoldfastError.isInstance(error)) return error
  return new HoldfastError(error.code, error.message, {
    cause: error,
    remedy: 'In a cluster that does not choose hosts by itself, name one with options.host.',
    ...(error.details !== undefined && { details: error.details }),
  })
}

async function leaseOf(connection: Connection, wanted: Import, run: RunContext): Promise<Lease> {
  const { session } = connection
  const { name, places, spec } = wanted
  const parameters = { spec, folder: places.folder, ...(places.host !== undefined && { host: places.host }) }
  try {
    const ref: MoRef<'HttpNfcLease'> = await session.call('ImportVApp', places.pool, parameters, { signal: run.signal, name })
    return await openLease(connection, ref, { name, signal: run.signal })
  } catch (error) {
    throw withHint(error, wanted)
  }
}

/**
 * Makes a machine and fills its disks. When it resolves the machine is whole and still unfinished; when it rejects the lease was given up, so that the host
 * removes what was made.
 * @throws See `sendParts`; NAME_TAKEN, DISK_FULL, UNSUPPORTED and others as the host says when it makes the machine. All that may pass is retryable: by
 * another attempt, since nothing of an import can be taken up again.
 */
export async function importMachine(connection: Connection, wanted: Import, run: RunContext): Promise<MoRef<'VirtualMachine'>> {
  const lease = await leaseOf(connection, wanted, run)
  try {
    await sendParts(pairParts(wanted.items, lease.urls, wanted.parts), connection, lease, run)
    const { entity } = lease
    if (entity.type !== 'VirtualMachine')
      throw new HoldfastError('UNSUPPORTED', `The host has made a ${entity.type} of the descriptor, not one machine.`)
    await lease.complete({ signal: run.signal })
    return { type: 'VirtualMachine', value: entity.value }
  } finally {
    await lease[Symbol.asyncDispose]()
  }
}
