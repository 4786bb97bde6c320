import { type CallOptions, type ErrorCode, HoldfastError, type RunContext } from '@holdfast/core/spec'
import type { Connection } from '../connection.ts'
import { encodeName } from '../inventory/object-name.ts'
import { nameOf } from '../vim25/host-requests.ts'
import type { Data } from '../vim25/values.ts'
import type { XmlElement } from '../vim25/xml.ts'
import type { ChosenPlaces } from './choose-places.ts'
import type { MappedNetworks } from './map-networks.ts'
import type { RestoreOptions } from './restore-options.ts'

/** What the host made of a descriptor. */
export interface ImportSpec {
  /** To be given back to it. */
  readonly spec: XmlElement
  /** What it wants to get, in this order. */
  readonly items: readonly Data<'OvfFileItem'>[]
}

/** What it is asked with. */
export interface ImportQuestion {
  /** Text of the descriptor. */
  readonly descriptor: string
  /** Of the machine while it is unfinished. */
  readonly name: string
  readonly places: ChosenPlaces
  readonly networks: MappedNetworks
  readonly options: RestoreOptions
}

const lines = (faults: readonly Data<'LocalizedMethodFault'>[]): readonly string[] =>
  faults.map(({ fault: { $type = 'no reason given' }, localizedMessage }) =>
    localizedMessage === undefined || localizedMessage === '' ? `${$type}.` : `${localizedMessage.replace(/\.?$/, '.')} (${$type})`,
  )

/** All of them are told: the first is often a consequence of another one. */
function refusal(code: ErrorCode, problem: string, errors: readonly string[], warnings: readonly string[]): HoldfastError {
  const also = warnings.length === 0 || errors.length === 0 ? '' : ` It also warns: ${warnings.join(' ')}`
  return new HoldfastError(code, `${problem}: ${(errors.length === 0 ? warnings : errors).join(' ')}${also}`, {
    remedy: 'Mend what the host says, or restore to another host. Numbers of lines are those of the descriptor of the point.',
    details: { errors: [...errors], warnings: [...warnings] },
  })
}

/**
 * Asks the host what it would make of a descriptor; nothing is made yet. Warnings become notes of the run.
 * @throws UNSUPPORTED: the host refuses the descriptor, with all errors and warnings; or it warns, and `failOnWarning` is set. PROVIDER_FAILED: no answer that can be used.
 *
 * Source: OvfManager.CreateImportSpec, https://developer.broadcom.com/xapis/vsphere-web-services-api/latest/vim.OvfManager.html#createImportSpec
 */
export async function createImportSpec({ session, settings }: Connection, question: ImportQuestion, run: RunContext): Promise<ImportSpec> {
  const { descriptor, name, places, networks, options } = question
  const { ovfManager } = session.content
  const host = nameOf(settings)
  if (ovfManager === undefined) throw new HoldfastError('UNSUPPORTED', `${host} imports no machines: it has no OVF manager.`)
  const cisp = {
    locale: '',
    deploymentOption: '',
    importOption: [],
    entityName: encodeName(name),
    ...(places.host !== undefined && { hostSystem: places.host }),
    networkMapping: networks.mapping.map((one) => ({ name: one.name, network: one.network.ref })),
    diskProvisioning: options.diskProvisioning,
  }
  const parameters = { ovfDescriptor: descriptor, resourcePool: places.pool, datastore: places.datastore.ref, cisp }
  const call: CallOptions = { signal: run.signal }
  const { importSpec, fileItem, error, warning } = await session.call('CreateImportSpec', ovfManager, parameters, call)
  const [errors, warnings] = [lines(error), lines(warning)]
  if (errors.length > 0) throw refusal('UNSUPPORTED', `${host} refuses the descriptor of the machine`, errors, warnings)
  if (warnings.length > 0 && options.failOnWarning)
    throw refusal('UNSUPPORTED', `${host} warns of the descriptor of the machine, and failOnWarning is set`, errors, warnings)
  for (const one of warnings) run.note('warning', 'HOST_WARNS', `About the descriptor ${host} says: ${one}`)
  if (importSpec === undefined)
    throw new HoldfastError('PROVIDER_FAILED', `${host} says neither how it would make the machine nor why not.`, { retryable: false })
  return { spec: importSpec, items: fileItem }
}
