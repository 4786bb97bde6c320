import { type CallOptions, type Check, formatBytes } from '@holdfast/core/spec'
import type { Connection } from '../connection.ts'
import { decodeName } from '../inventory/object-name.ts'
import { datastoreOf } from '../inventory/places.ts'
import { retrieveAll } from '../vim25/retrieve.ts'
import type { Data } from '../vim25/values.ts'
import { finding } from './findings.ts'

/** While a machine is backed up its snapshot grows on the datastore. */
const leastFree = 0.05

/** A finding for each datastore: whether it can be reached, and what is free. */
export async function checkDatastores({ session }: Connection, options: CallOptions): Promise<readonly Check[]> {
  const checks: Check[] = []
  for await (const { ref, values } of retrieveAll(session, 'Datastore', ['summary'], options)) {
    if (values.summary === undefined) continue
    const { name, type, accessible, freeBytes, capacityBytes, maintenance } = datastoreOf(ref, values.summary as Data<'DatastoreSummary'>)
    const about = `datastore ${name}`
    const details = { type, accessible, freeBytes, capacityBytes, maintenance }
    const free = `${formatBytes(freeBytes)} of ${formatBytes(capacityBytes)} are free`
    if (!accessible) checks.push(finding('error', about, `The datastore ${name} (${type}) cannot be reached by its hosts.`, details))
    else if (maintenance !== 'normal')
      checks.push(finding('warning', about, `The datastore ${name} is in maintenance (${maintenance}).`, details))
    else if (freeBytes < capacityBytes * leastFree)
      checks.push(finding('warning', about, `On the datastore ${name} only ${free}: a snapshot that grows may stop its machines.`, details))
    else checks.push(finding('ok', about, `The datastore ${name} (${type}): ${free}.`, details))
  }
  return checks
}

/** A finding for each host: whether it is connected, in maintenance, or managed by somebody else than who was asked. */
export async function checkHosts({ session }: Connection, options: CallOptions): Promise<readonly Check[]> {
  const paths = ['name', 'runtime.connectionState', 'runtime.inMaintenanceMode', 'summary.managementServerIp']
  const alone = session.content.about.apiType === 'HostAgent'
  const checks: Check[] = []
  for await (const { ref, values } of retrieveAll(session, 'HostSystem', paths, options)) {
    const name = decodeName(String(values.name ?? ref.value))
    const about = `host ${name}`
    const state = String(values['runtime.connectionState'] ?? 'unknown')
    const manager = values['summary.managementServerIp']
    if (state !== 'connected')
      checks.push(finding('error', about, `The host ${name} is ${state}: its machines cannot be backed up.`, { state }))
    else if (values['runtime.inMaintenanceMode'] === true)
      checks.push(finding('warning', about, `The host ${name} is in maintenance mode: nothing can be switched on there.`, { state }))
    else if (alone && typeof manager === 'string' && manager !== '')
      checks.push(
        finding(
          'warning',
          about,
          `The host ${name} is managed by the vCenter server ${manager}, which changes made here may confuse. Back up through that server.`,
          { state, manager },
        ),
      )
    else checks.push(finding('ok', about, `The host ${name} is connected.`, { state }))
  }
  return checks
}
