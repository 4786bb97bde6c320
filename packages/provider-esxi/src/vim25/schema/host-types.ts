import type { DataTypeEntry } from './schema-entry.ts'

/** Hosts, their licences, datastores, networks and privileges. */
export const hostTypes = {} as const satisfies { readonly [name: string]: DataTypeEntry }
