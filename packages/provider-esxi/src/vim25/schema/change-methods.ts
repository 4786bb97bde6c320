import type { MethodEntry } from './schema-entry.ts'

/** Changes of a machine: settings, power, questions. */
export const changeMethods = {
  ReconfigVM_Task: { on: 'VirtualMachine', parameters: { spec: 'VirtualMachineConfigSpec' }, result: 'ref:Task' },
  Destroy_Task: { on: 'VirtualMachine', parameters: {}, result: 'ref:Task' },
  PowerOnVM_Task: { on: 'VirtualMachine', parameters: { host: 'ref:HostSystem?' }, result: 'ref:Task' },
  PowerOffVM_Task: { on: 'VirtualMachine', parameters: {}, result: 'ref:Task' },
  ShutdownGuest: { on: 'VirtualMachine', parameters: {} },
  AnswerVM: { on: 'VirtualMachine', parameters: { questionId: 'string', answerChoice: 'string' } },
  QueryChangedDiskAreas: {
    on: 'VirtualMachine',
    parameters: { snapshot: 'ref:VirtualMachineSnapshot?', deviceKey: 'int', startOffset: 'long', changeId: 'string' },
    result: 'DiskChangeInfo',
    reads: true,
  },
  ReconfigureAutostart: { on: 'HostAutoStartManager', parameters: { spec: 'HostAutoStartManagerConfig' } },
} as const satisfies { readonly [name: string]: MethodEntry }
