import type { Handler } from './call.ts'

/** Leases of disks that are exported or imported. */
export const leaseCalls: { readonly [method: string]: Handler } = {}
