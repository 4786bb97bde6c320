import type { MethodName } from '../vim25/methods.ts'

/** Something that an account must be allowed. */
export interface Privilege {
  readonly id: string
  /** Completes "is needed to". */
  readonly need: string
  /** The kind of object it is held on; `Folder`: those of machines. */
  readonly on: 'Datastore' | 'Folder' | 'HostSystem' | 'Network' | 'ResourcePool' | 'VirtualMachine'
  /** The calls that ask for it. None: a request that is no call. */
  readonly methods: readonly MethodName[]
}

const privilege = (id: string, on: Privilege['on'], need: string, methods: readonly MethodName[]): Privilege => ({ id, on, need, methods })

/**
 * What an account must be allowed, by what it is for. Without those for a backup nothing can be done at all, so that only they are errors.
 *
 * Source: https://developer.broadcom.com/xapis/vsphere-web-services-api/latest/, "Required Privileges" of each method; those of ReconfigVM_Task and of ImportVApp
 * depend on what is changed or made. Files of datastores: vSphere Web Services SDK Programming Guide, "Privilege Requirements for HTTP Access".
 */
export const privilegesByUse: { readonly [use: string]: readonly Privilege[] } = {
  backup: [
    privilege('VApp.Export', 'VirtualMachine', 'export a machine', ['ExportVm', 'ExportSnapshot']),
    privilege('VirtualMachine.State.CreateSnapshot', 'VirtualMachine', 'freeze a machine that runs', ['CreateSnapshot_Task']),
    privilege('VirtualMachine.State.RemoveSnapshot', 'VirtualMachine', 'remove the snapshot of a backup', [
      'RemoveSnapshot_Task',
      'ConsolidateVMDisks_Task',
    ]),
  ],
  'vmdk-mode': [
    privilege('VirtualMachine.Provisioning.GetVmFiles', 'VirtualMachine', 'read the files of a machine', []),
    privilege('Datastore.Browse', 'Datastore', 'find files on a datastore', []),
    privilege('Datastore.FileManagement', 'Datastore', 'read files on a datastore', []),
  ],
  'changed-areas': [
    privilege('VirtualMachine.Config.ChangeTracking', 'VirtualMachine', 'have the host track what changes', ['ReconfigVM_Task']),
    privilege('VirtualMachine.Config.AdvancedConfig', 'VirtualMachine', 'note in a machine what cannot be trusted', ['ReconfigVM_Task']),
    privilege('VirtualMachine.Provisioning.DiskRandomRead', 'VirtualMachine', 'ask what has changed', ['QueryChangedDiskAreas']),
  ],
  snapshots: [privilege('VirtualMachine.State.RevertToSnapshot', 'VirtualMachine', 'go back to a snapshot', ['RevertToSnapshot_Task'])],
  restore: [
    privilege('VApp.Import', 'ResourcePool', 'import a machine', ['ImportVApp']),
    privilege('Resource.AssignVMToPool', 'ResourcePool', 'put a machine into a resource pool', ['ImportVApp']),
    privilege('VirtualMachine.Inventory.Create', 'Folder', 'make a machine in a folder', ['ImportVApp']),
    privilege('VirtualMachine.Config.AddNewDisk', 'Folder', 'give a new machine its disks', ['ImportVApp']),
    privilege('VirtualMachine.Config.AddRemoveDevice', 'Folder', 'give a new machine its other devices', ['ImportVApp']),
    privilege('VirtualMachine.Config.AdvancedConfig', 'Folder', 'give a new machine its other settings', ['ImportVApp']),
    privilege('Datastore.AllocateSpace', 'Datastore', 'make disks on a datastore', ['ImportVApp']),
    privilege('Network.Assign', 'Network', 'plug a machine into a network', ['ImportVApp']),
    privilege('VirtualMachine.Config.Annotation', 'VirtualMachine', 'mark a machine as ours', ['ReconfigVM_Task']),
    privilege('VirtualMachine.Config.Rename', 'VirtualMachine', 'give a restored machine its name', ['ReconfigVM_Task']),
    privilege('VirtualMachine.Inventory.Delete', 'VirtualMachine', 'remove what a failed restore left', ['Destroy_Task']),
  ],
  replicas: [
    privilege('VirtualMachine.Config.Settings', 'VirtualMachine', 'give a replica the id of the one before it', ['ReconfigVM_Task']),
  ],
  power: [
    privilege('VirtualMachine.Interact.PowerOn', 'VirtualMachine', 'switch a machine on', ['PowerOnVM_Task']),
    privilege('VirtualMachine.Interact.PowerOff', 'VirtualMachine', 'switch a machine off', ['PowerOffVM_Task', 'ShutdownGuest']),
    privilege('VirtualMachine.Interact.AnswerQuestion', 'VirtualMachine', 'answer what a restored machine asks', ['AnswerVM']),
    privilege('VirtualMachine.Config.EditDevice', 'VirtualMachine', 'cut a machine from its networks', ['ReconfigVM_Task']),
    privilege('VirtualMachine.Interact.DeviceConnection', 'VirtualMachine', 'cut a machine that runs from its networks', [
      'ReconfigVM_Task',
    ]),
    privilege('Host.Config.AutoStart', 'HostSystem', 'keep a host from starting a machine by itself', ['ReconfigureAutostart']),
  ],
}

/**
 * Calls that every account may make that sees the object: it needs a role with `System.View`, as all roles have. A lease belongs to who has opened it, and so does
 * a task.
 */
export const methodsForAll: readonly MethodName[] = [
  'CancelTask',
  'CancelWaitForUpdates',
  'ContinueRetrievePropertiesEx',
  'CreateContainerView',
  'CreateDescriptor',
  'CreateFilter',
  'CreateImportSpec',
  'CreatePropertyCollector',
  'CurrentTime',
  'DestroyPropertyCollector',
  'DestroyPropertyFilter',
  'DestroyView',
  'FindAllByUuid',
  'HasPrivilegeOnEntities',
  'HttpNfcLeaseAbort',
  'HttpNfcLeaseComplete',
  'HttpNfcLeaseGetManifest',
  'HttpNfcLeaseProgress',
  'HttpNfcLeaseSetManifestChecksumType',
  'Login',
  'Logout',
  'ParseDescriptor',
  'RetrievePropertiesEx',
  'RetrieveServiceContent',
  'WaitForUpdatesEx',
]
