import type { MethodEntry } from './schema-entry.ts'

/** Hosts, licences, privileges, and the search for machines. */
export const hostMethods = {
  FindAllByUuid: {
    on: 'SearchIndex',
    parameters: { datacenter: 'ref:Datacenter?', uuid: 'string', vmSearch: 'boolean', instanceUuid: 'boolean?' },
    result: 'ref:VirtualMachine[]',
    reads: true,
  },
  HasPrivilegeOnEntities: {
    on: 'AuthorizationManager',
    parameters: { entity: 'ref[]', sessionId: 'string', privId: 'string[]' },
    result: 'EntityPrivilege[]',
    reads: true,
  },
} as const satisfies { readonly [name: string]: MethodEntry }
