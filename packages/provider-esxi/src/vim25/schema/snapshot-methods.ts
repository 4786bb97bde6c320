import type { MethodEntry } from './schema-entry.ts'

/** Snapshots. */
export const snapshotMethods = {
  CreateSnapshot_Task: {
    on: 'VirtualMachine',
    parameters: { name: 'string', description: 'string?', memory: 'boolean', quiesce: 'boolean' },
    result: 'ref:Task',
  },
  RemoveSnapshot_Task: {
    on: 'VirtualMachineSnapshot',
    parameters: { removeChildren: 'boolean', consolidate: 'boolean?' },
    result: 'ref:Task',
  },
  RevertToSnapshot_Task: {
    on: 'VirtualMachineSnapshot',
    parameters: { host: 'ref:HostSystem?', suppressPowerOn: 'boolean?' },
    result: 'ref:Task',
  },
  ConsolidateVMDisks_Task: { on: 'VirtualMachine', parameters: {}, result: 'ref:Task' },
} as const satisfies { readonly [name: string]: MethodEntry }
