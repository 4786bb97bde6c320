import type { Handler } from './call.ts'

/** Descriptors and import specifications. */
export const ovfCalls: { readonly [method: string]: Handler } = {}
