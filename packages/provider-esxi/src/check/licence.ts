import { type CallOptions, type Check, formatDuration } from '@holdfast/core/spec'
import type { Connection } from '../connection.ts'
import { nameOf } from '../vim25/host-requests.ts'
import { retrieveOne } from '../vim25/retrieve.ts'
import type { Data } from '../vim25/values.ts'
import { finding } from './findings.ts'

type Licence = Data<'LicenseManagerLicenseInfo'>

const hourMs = 3_600_000
const warnBefore = 7 * 24 * hourMs

/** The free one is not sold, and its edition is not written down anywhere official: what people report it to be, and what its name says. */
const isFree = ({ editionKey, name }: Licence): boolean => editionKey.startsWith('esxBasic') || /\bhypervisor\b/i.test(name)
const isEvaluation = ({ editionKey }: Licence): boolean => editionKey.startsWith('eval')

function leftMs(properties: readonly Data<'KeyAnyValue'>[], now: number): number | undefined {
  const told = (key: string) => properties.find((one) => one.key === key)?.value
  const hours = Number(told('expirationHours') ?? Number.NaN)
  const date = Date.parse(String(told('expirationDate') ?? ''))
  if (Number.isFinite(hours)) return hours * hourMs
  return Number.isFinite(date) ? date - now : undefined
}

function ofEvaluation(licence: Licence, evaluation: Data<'LicenseManagerEvaluationInfo'> | undefined, now: number): Check {
  const details = { edition: licence.editionKey, name: licence.name }
  const left = leftMs([...licence.properties, ...(evaluation?.properties ?? [])], now)
  if (left === undefined)
    return finding('ok', 'licence', 'The host runs on an evaluation licence; it does not say when that ends.', details)
  if (left <= 0)
    return finding(
      'error',
      'licence',
      'The evaluation licence of the host has ended: nothing can be backed up until it has another one.',
      details,
    )
  const status = left < warnBefore ? 'warning' : 'ok'
  return finding(status, 'licence', `The host runs on an evaluation licence, which ends in ${formatDuration(left)}.`, {
    ...details,
    hoursLeft: Math.floor(left / hourMs),
  })
}

/** Editions of the licences of a host. Keys of licences are never read. */
export async function readLicences({ session }: Connection, options: CallOptions) {
  const { licenseManager } = session.content
  if (licenseManager === undefined) return undefined
  const { values } = await retrieveOne(session, licenseManager, ['licenses', 'evaluation'], options)
  return {
    licences: (values.licenses ?? []) as readonly Licence[],
    evaluation: values.evaluation as Data<'LicenseManagerEvaluationInfo'> | undefined,
  }
}

/** Whether the licence lets the API write. Never found out by a trial write. */
export async function checkLicence(connection: Connection, options: CallOptions): Promise<readonly Check[]> {
  const at = nameOf(connection.settings)
  const read = await readLicences(connection, options)
  if (read === undefined || read.licences.length === 0) return [finding('warning', 'licence', `${at} does not tell which licence it has.`)]
  const { licences, evaluation } = read
  const names = licences.map(({ name }) => name).join(', ')
  const editions = { editions: licences.map(({ editionKey }) => editionKey) }
  // What a vCenter server lists says nothing about a single host; and a host with the free licence cannot be under one.
  const paid = licences.filter((one) => !isFree(one) && !isEvaluation(one))
  if (connection.session.content.about.apiType === 'VirtualCenter' || paid.length > 0)
    return [finding('ok', 'licence', `Licences: ${names}.`, editions)]
  const trial = licences.find(isEvaluation)
  if (trial !== undefined) return [ofEvaluation(trial, evaluation, connection.clock.now())]
  return [
    finding(
      'error',
      'licence',
      `${at} runs the free ESXi licence (${names}): the vSphere API is read-only, so that no machine can be backed up, restored or switched through it. Use an evaluation or paid licence, or vCenter.`,
      editions,
    ),
  ]
}
