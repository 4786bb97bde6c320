import type { Handler } from './call.ts'

/** Power, settings, names and questions of machines. */
export const changeCalls: { readonly [method: string]: Handler } = {}
