import { HoldfastError, type RestoreRequest, type RestoreResult, type RestoreSource, type RunContext } from '@holdfast/core/spec'
import type { Connection } from '../connection.ts'
import { type Marked, withMark } from '../mark.ts'
import { openPointPackage } from '../ovf/point-package.ts'
import { attemptName } from './attempt-name.ts'
import { checkParts } from './check-parts.ts'
import { choosePlaces, requireSpace } from './choose-places.ts'
import { createImportSpec } from './create-import-spec.ts'
import { finishMachine } from './finish-machine.ts'
import { importMachine } from './import-machine.ts'
import { changedSpec } from './import-spec.ts'
import { mapNetworks } from './map-networks.ts'
import { requireFreeName } from './require-free-name.ts'
import { parseRestoreOptions, type RestoreOptions } from './restore-options.ts'
import type { RestorePackage } from './restore-package.ts'
import { startRestored } from './start-restored.ts'
import { removeMachineKind } from './undo-restore.ts'

/** Only what is new is made: nothing that is there is written over. */
function refuseForms({ purpose, target }: RestoreRequest): void {
  if (purpose === 'replica')
    throw new HoldfastError('UNSUPPORTED', 'Machines of VMware are not kept as replicas yet.', {
      remedy: 'Restore the machine under a new name.',
    })
  if (target !== undefined)
    throw new HoldfastError('UNSUPPORTED', 'A machine of VMware is not restored in the place of another one.', {
      remedy: 'Restore it under a new name beside the old one, and remove that when the new one works.',
      details: { target },
    })
}

function neededBytes({ ovf, parts }: RestorePackage, { diskProvisioning }: RestoreOptions): number {
  const thick = ovf.disks.reduce((sum, { capacity }) => sum + capacity, 0)
  return diskProvisioning === 'thin' ? parts.reduce((sum, { dataBytes }) => sum + dataBytes, 0) : thick
}

/**
 * Makes a machine of a point, under a new name. Everything that can be checked is checked before anything is made; the machine is unfinished, and says so, until its
 * last byte has been proven. The one durable thing is under the intent `remove-machine`.
 *
 * Nothing is repeated in here: what may pass is retryable, and is tried again by another attempt.
 * @throws INVALID_OPTIONS: a place or network that is not there, or several and none chosen. NAME_TAKEN. UNSUPPORTED: what the host refuses, with all its errors and
 * warnings. POINT_DAMAGED, CHECKSUM_MISMATCH. DISK_FULL: the datastore. UNREACHABLE, ACCESS_DENIED, STALLED, PROVIDER_FAILED.
 */
export async function restoreMachine(
  connection: Connection,
  request: RestoreRequest,
  source: RestoreSource,
  run: RunContext,
): Promise<RestoreResult> {
  const options = parseRestoreOptions(request.options)
  refuseForms(request)
  const content = await openPointPackage(source, run)
  try {
    await checkParts(content.parts, run)
    const places = await choosePlaces(connection, options, run)
    requireSpace(places.datastore, neededBytes(content, options))
    // Copies for tests have no network but what the options map.
    const isolated = request.purpose === 'test'
    const names = content.ovf.networks.map(({ name }) => name)
    const networks = mapNetworks(names, places.networks, { given: options.networks, isolated })
    await requireFreeName(connection, request.name, run)
    const name = attemptName(request.name, run.mark)
    const question = { descriptor: content.descriptor, name, places, networks, options }
    const { spec, items } = await createImportSpec(connection, question, run)
    const unfinished: Marked = { purpose: 'machine-unfinished', mark: run.mark }
    const connected = new Set(networks.asked.flatMap(({ ref, key }) => (key === undefined ? [ref.value] : [ref.value, key])))
    const marked = changedSpec(spec, {
      annotation: (current) => withMark(current, unfinished),
      newIdentity: options.newIdentity || isolated,
      ...(isolated && { connected: (network) => network !== undefined && connected.has(network) }),
    })
    const intent = await run.intend(removeMachineKind, { machine: name })
    const ref = await importMachine(connection, { name, places, spec: marked, items, parts: content.parts }, run)
    const result = await finishMachine(connection, { ref, name }, request, run)
    intent.keep()
    if (request.start) await startRestored(connection, { ref, name: request.name }, run)
    return result
  } finally {
    await content[Symbol.asyncDispose]()
  }
}
