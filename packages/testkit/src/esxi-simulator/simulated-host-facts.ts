import type { Host } from './calls/call.ts'
import type { SimulatedWorld } from './simulated-world.ts'
import { element, field, type TypedValues, type XmlValue } from './soap-answer.ts'

/** A licence of a host. */
export interface LicenceOptions {
  /** Default `esx.enterprisePlus.cpuPackage`. The free one is `esxBasic`. */
  readonly editionKey?: string
  /** Default `vSphere 8 Enterprise Plus`. */
  readonly name?: string
  /** Hours until an evaluation ends. */
  readonly expiresInHours?: number
}

/** What a host knows about itself and its accounts. Everything has a default. */
export interface HostFactOptions {
  readonly licences?: readonly LicenceOptions[]
  /** What the account may not do, on any object or on those with the names given. Default: nothing. */
  readonly missingPrivileges?: { readonly [privilege: string]: 'everywhere' | readonly string[] }
  /** Milliseconds by which its clock is ahead. Default 0. */
  readonly clockAheadMs?: number
}

const plain = (content: string): XmlValue => ({ attributes: '', content })

function licenceValue({ editionKey, name, expiresInHours }: LicenceOptions, values: TypedValues): string {
  const expiry =
    expiresInHours === undefined
      ? ''
      : element('properties', plain(field('key', 'expirationHours') + element('value', values.int(expiresInHours))))
  return element(
    'LicenseManagerLicenseInfo',
    plain(
      field('licenseKey', '00000-SECRET-LICENCE-KEY') +
        field('editionKey', editionKey ?? 'esx.enterprisePlus.cpuPackage') +
        field('name', name ?? 'vSphere 8 Enterprise Plus') +
        field('total', 0) +
        field('used', 1) +
        expiry,
    ),
  )
}

/** The managers of a host that have properties of their own. */
export function addManagers(world: SimulatedWorld, { licences = [{}] }: HostFactOptions, sessions: Host['sessions']): void {
  world.add({
    type: 'LicenseManager',
    value: 'licences',
    properties: (values) => ({
      licenses: values.data('ArrayOfLicenseManagerLicenseInfo', licences.map((one) => licenceValue(one, values)).join('')),
    }),
  })
  world.add({
    type: 'SessionManager',
    value: 'sessions',
    properties(values) {
      const newest = [...sessions.keys()].at(-1)
      if (newest === undefined) return {}
      const times = field('loginTime', '2026-01-01T00:00:00Z') + field('lastActiveTime', '2026-01-01T00:00:00Z')
      return { currentSession: values.data('UserSession', field('key', newest) + field('userName', 'root') + times) }
    },
  })
}
