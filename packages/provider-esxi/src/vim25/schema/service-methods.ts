import type { MethodEntry } from './schema-entry.ts'

/** Sessions. */
export const serviceMethods = {
  RetrieveServiceContent: { on: 'ServiceInstance', parameters: {}, result: 'ServiceContent', reads: true },
  CurrentTime: { on: 'ServiceInstance', parameters: {}, result: 'dateTime', reads: true },
  Login: { on: 'SessionManager', parameters: { userName: 'string', password: 'string', locale: 'string?' }, result: 'UserSession' },
  Logout: { on: 'SessionManager', parameters: {} },
} as const satisfies { readonly [name: string]: MethodEntry }
