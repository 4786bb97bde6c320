import type { DataTypeEntry } from './schema-entry.ts'

/** Changes of a machine: its settings, its power, its questions. */
export const changeTypes = {} as const satisfies { readonly [name: string]: DataTypeEntry }
