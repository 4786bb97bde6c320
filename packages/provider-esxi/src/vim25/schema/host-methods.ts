import type { MethodEntry } from './schema-entry.ts'

/** Hosts, licences and privileges. */
export const hostMethods = {} as const satisfies { readonly [name: string]: MethodEntry }
