import type { Call, Host } from './calls/call.ts'
import type { SimulatedFault } from './soap-answer.ts'

/** What looks, waits, logs in and out, or gives up what belongs to a session. Everything else writes. */
const reading =
  /^(Login|Logout|CurrentTime|CreateContainerView|DestroyView|(Continue)?RetrieveProperties(Ex)?|(Cancel)?WaitForUpdates(Ex)?|(Create|Destroy)PropertyCollector|CreateFilter|DestroyPropertyFilter|Find\w+|Query\w+|HasPrivilegeOnEntities|ParseDescriptor|CreateDescriptor|CreateImportSpec)$/

/**
 * What a call that writes is refused with by a host that has no licence but the free one: all of them, whatever they are about.
 *
 * Source: https://github.com/vmware/pyvmomi/issues/625, https://github.com/hashicorp/terraform-provider-vsphere/issues/270.
 */
export function refusedByLicence({ apiType, facts }: Host, call: Call): SimulatedFault | undefined {
  const { licences = [] } = facts
  const free = apiType === 'HostAgent' && licences.length > 0 && licences.every(({ editionKey }) => editionKey === 'esxBasic')
  if (!free || reading.test(call.method)) return undefined
  return { fault: 'RestrictedVersion', message: 'Current license or ESXi version prohibits execution of the requested operation.' }
}
