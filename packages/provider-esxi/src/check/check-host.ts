import { type CallOptions, type Check, HoldfastError } from '@holdfast/core/spec'
import type { Connection, SharedConnection } from '../connection.ts'
import type { HostSettings } from '../host-options.ts'
import { checkCertificate } from './certificate.ts'
import { checkClock } from './clock-skew.ts'
import { finding, findings } from './findings.ts'
import { checkLicence } from './licence.ts'
import { checkDatastores, checkHosts } from './places.ts'
import { checkPrivileges } from './privileges.ts'

const parts: { readonly [name: string]: (connection: Connection, options: CallOptions) => Promise<readonly Check[]> } = {
  certificate: checkCertificate,
  licence: checkLicence,
  clock: checkClock,
  hosts: checkHosts,
  datastores: checkDatastores,
  'privileges-backup': checkPrivileges,
}

function connected({ session, settings }: Connection): Check {
  const { fullName, version, build, apiType, apiVersion } = session.content.about
  return finding('ok', 'connection', `${fullName} answers at ${settings.host}:${settings.port}.`, { version, build, apiType, apiVersion })
}

/**
 * Can work be done on this host now? Reads only: that a licence lets nothing be written is told from the licence. Findings, not rejections.
 * @throws ABORTED, or the reason of the signal.
 */
export async function checkHost(shared: SharedConnection, settings: HostSettings, options: CallOptions): Promise<readonly Check[]> {
  let connection: Connection
  try {
    connection = await shared.open(options)
  } catch (error) {
    if (options.signal.aborted || !HoldfastError.isInstance(error) || error.code === 'ABORTED') throw error
    const details = { code: error.code, host: settings.host, port: settings.port }
    return [finding('error', 'connection', `${error.message} ${error.remedy}`, details)]
  }
  const checks: Check[] = [connected(connection)]
  for (const [name, look] of Object.entries(parts)) checks.push(...(await findings(name, options.signal, () => look(connection, options))))
  return checks
}
