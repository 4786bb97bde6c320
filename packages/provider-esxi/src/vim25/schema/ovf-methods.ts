import type { MethodEntry } from './schema-entry.ts'

/** OVF descriptors and imports. */
export const ovfMethods = {} as const satisfies { readonly [name: string]: MethodEntry }
