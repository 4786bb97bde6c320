import type { DataTypeEntry } from './schema-entry.ts'

/** OVF descriptors and what an import is made of. */
export const ovfTypes = {} as const satisfies { readonly [name: string]: DataTypeEntry }
