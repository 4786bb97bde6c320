import type { MethodEntry } from './schema-entry.ts'

/** Changes of a machine: settings, power, questions. */
export const changeMethods = {} as const satisfies { readonly [name: string]: MethodEntry }
