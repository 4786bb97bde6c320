import { deviceTypes } from './device-types.ts'
import type { DataTypeEntry } from './schema-entry.ts'

/** Machines and their devices, as the inventory shows them. */
export const machineTypes = {
  ...deviceTypes,
  VirtualMachineBootOptions: {
    fields: { efiSecureBootEnabled: 'boolean?', bootOrder: 'VirtualMachineBootOptionsBootableDevice[]' },
  },
  VirtualMachineBootOptionsBootableDevice: { fields: {} },
  VirtualMachineBootOptionsBootableDiskDevice: { base: 'VirtualMachineBootOptionsBootableDevice', fields: { deviceKey: 'int' } },

  VirtualMachineQuestionInfo: { fields: { id: 'string', text: 'string', choice: 'ChoiceOption', message: 'VirtualMachineMessage[]' } },
  VirtualMachineMessage: { fields: { id: 'string', text: 'string?' } },
  ChoiceOption: { fields: { valueIsReadonly: 'boolean?', choiceInfo: 'ElementDescription[]', defaultIndex: 'int?' } },
  ElementDescription: { base: 'Description', fields: { key: 'string' } },

  VirtualMachineUsageOnDatastore: {
    fields: { datastore: 'ref:Datastore', committed: 'long', uncommitted: 'long', unshared: 'long' },
  },
  VirtualMachineFileLayoutExFileInfo: {
    fields: { key: 'int', name: 'string', type: 'string', size: 'long', uniqueSize: 'long?', accessible: 'boolean?' },
  },
  VirtualMachineFileLayoutExDiskLayout: { fields: { key: 'int', chain: 'VirtualMachineFileLayoutExDiskUnit[]' } },
  VirtualMachineFileLayoutExDiskUnit: { fields: { fileKey: 'int[]' } },

  CustomFieldDef: { fields: { key: 'int', name: 'string', type: 'string?' } },
  CustomFieldValue: { fields: { key: 'int' } },
  CustomFieldStringValue: { base: 'CustomFieldValue', fields: { value: 'string' } },
} as const satisfies { readonly [name: string]: DataTypeEntry }
