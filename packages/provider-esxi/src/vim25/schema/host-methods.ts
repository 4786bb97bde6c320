import type { MethodEntry } from './schema-entry.ts'

/** Hosts, licences and privileges. */
export const hostMethods = {
  HasPrivilegeOnEntities: {
    on: 'AuthorizationManager',
    parameters: { entity: 'ref[]', sessionId: 'string', privId: 'string[]' },
    result: 'EntityPrivilege[]',
    reads: true,
  },
} as const satisfies { readonly [name: string]: MethodEntry }
