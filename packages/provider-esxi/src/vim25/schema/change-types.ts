import type { DataTypeEntry } from './schema-entry.ts'

/** Changes of a machine: its settings, its power, its questions. Whatever is left out of a specification stays as it is. */
export const changeTypes = {
  OptionValue: { fields: { key: 'string', value: 'anyType?' } },
  VirtualDeviceConfigSpec: {
    fields: { operation: 'add|remove|edit?', fileOperation: 'create|destroy|replace?', device: 'VirtualDevice' },
  },
  VirtualMachineConfigSpec: {
    fields: {
      changeVersion: 'string?',
      name: 'string?',
      uuid: 'string?',
      instanceUuid: 'string?',
      guestId: 'string?',
      annotation: 'string?',
      deviceChange: 'VirtualDeviceConfigSpec[]?',
      extraConfig: 'OptionValue[]?',
      bootOptions: 'VirtualMachineBootOptions?',
      changeTrackingEnabled: 'boolean?',
      firmware: 'string?',
    },
  },
  DiskChangeInfo: { fields: { startOffset: 'long', length: 'long', changedArea: 'DiskChangeExtent[]' } },
  DiskChangeExtent: { fields: { start: 'long', length: 'long' } },
  AutoStartDefaults: {
    fields: { enabled: 'boolean?', startDelay: 'int?', stopDelay: 'int?', waitForHeartbeat: 'boolean?', stopAction: 'string?' },
  },
  AutoStartPowerInfo: {
    fields: {
      key: 'ref:VirtualMachine',
      startOrder: 'int',
      startDelay: 'int',
      waitForHeartbeat: 'yes|no|systemDefault',
      startAction: 'string',
      stopDelay: 'int',
      stopAction: 'string',
    },
  },
  HostAutoStartManagerConfig: { fields: { defaults: 'AutoStartDefaults?', powerInfo: 'AutoStartPowerInfo[]?' } },
} as const satisfies { readonly [name: string]: DataTypeEntry }
