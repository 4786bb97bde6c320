import type { Handler } from './call.ts'

/** Licences and privileges. */
export const hostCalls: { readonly [method: string]: Handler } = {}
