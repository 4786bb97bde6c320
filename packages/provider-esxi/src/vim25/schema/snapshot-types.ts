import { powerState } from './fault-types.ts'
import type { DataTypeEntry } from './schema-entry.ts'

/** Snapshots. */
export const snapshotTypes = {
  VirtualMachineSnapshotTree: {
    fields: {
      snapshot: 'ref:VirtualMachineSnapshot',
      vm: 'ref:VirtualMachine',
      name: 'string',
      description: 'string?',
      id: 'int?',
      createTime: 'dateTime',
      state: powerState,
      quiesced: 'boolean?',
      childSnapshotList: 'VirtualMachineSnapshotTree[]',
    },
  },
  VirtualMachineSnapshotInfo: {
    fields: { currentSnapshot: 'ref:VirtualMachineSnapshot?', rootSnapshotList: 'VirtualMachineSnapshotTree[]' },
  },
} as const satisfies { readonly [name: string]: DataTypeEntry }
