import type { Call, Host } from './calls/call.ts'
import { field, reference, type SimulatedFault } from './soap-answer.ts'
import { parameter } from './soap-request.ts'

/** The privilege that a call asks for on the object it is made on. Source: the vSphere API reference, "Required Privileges" of each. */
const privilegeOf: { readonly [method: string]: string } = {
  AnswerVM: 'VirtualMachine.Interact.AnswerQuestion',
  ConsolidateVMDisks_Task: 'VirtualMachine.State.RemoveSnapshot',
  CreateSnapshot_Task: 'VirtualMachine.State.CreateSnapshot',
  Destroy_Task: 'VirtualMachine.Inventory.Delete',
  ExportSnapshot: 'VApp.Export',
  ExportVm: 'VApp.Export',
  ImportVApp: 'VApp.Import',
  PowerOffVM_Task: 'VirtualMachine.Interact.PowerOff',
  PowerOnVM_Task: 'VirtualMachine.Interact.PowerOn',
  QueryChangedDiskAreas: 'VirtualMachine.Provisioning.DiskRandomRead',
  ReconfigureAutostart: 'Host.Config.AutoStart',
  RemoveSnapshot_Task: 'VirtualMachine.State.RemoveSnapshot',
  RevertToSnapshot_Task: 'VirtualMachine.State.RevertToSnapshot',
  ShutdownGuest: 'VirtualMachine.Interact.PowerOff',
}

/** What `ReconfigVM_Task` asks for goes by what is changed. */
const privilegeOfField: { readonly [name: string]: string } = {
  annotation: 'VirtualMachine.Config.Annotation',
  name: 'VirtualMachine.Config.Rename',
}

function privilegesOf(call: Call): readonly string[] {
  const fields = call.method === 'ReconfigVM_Task' ? (parameter(call, 'spec')?.children ?? []) : []
  return [privilegeOf[call.method], ...fields.map(({ name }) => privilegeOfField[name])].filter((each) => each !== undefined)
}

/** Whether the account may do something with an object. */
export function may({ facts, world }: Host, privilege: string, type: string, value: string): boolean {
  const missing = facts.missingPrivileges?.[privilege]
  if (missing === undefined) return true
  const object = world.find(type, value)
  return missing !== 'everywhere' && !(object !== undefined && 'name' in object && missing.includes(String(object.name)))
}

/** What a call is refused with whose privilege the account lacks. */
export function refusedByPrivilege(host: Host, call: Call): SimulatedFault | undefined {
  const { self } = call
  const privilege = privilegesOf(call).find((each) => !may(host, each, self.type, self.value))
  if (privilege === undefined) return undefined
  return {
    fault: 'NoPermission',
    message: 'Permission to perform this operation was denied.',
    fields: reference('object', self.type, self.value) + field('privilegeId', privilege),
  }
}
