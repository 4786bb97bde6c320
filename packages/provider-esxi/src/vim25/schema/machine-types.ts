import type { DataTypeEntry } from './schema-entry.ts'

/** Machines and their devices, as the inventory shows them. */
export const machineTypes = {} as const satisfies { readonly [name: string]: DataTypeEntry }
