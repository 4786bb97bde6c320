/**
 * The data objects of vim25 that we use, with their fields in the order of the schema: a host refuses children in another order. Fields that we neither send nor read are
 * left out. One table drives writing, reading and the TypeScript types.
 *
 * A field is `string`, `boolean`, `int`, `long`, `dateTime`, `anyType`, `xml` (as it is), an enumeration as `on|off`, a reference as `ref:VirtualMachine`, or the name of a
 * data object; `[]` makes it a list, `?` optional. Of what a host sends, anything may be missing that is not asked for, so little is not optional.
 *
 * Source: vSphere Web Services API, data object types, https://developer.broadcom.com/xapis/vsphere-web-services-api/latest/
 */
export interface DataTypeEntry {
  /** Its fields come first. */
  readonly base?: string
  readonly fields: { readonly [name: string]: string }
}

const powerState = 'poweredOff|poweredOn|suspended'

export const dataTypes = {
  // The service and its sessions.
  AboutInfo: {
    fields: {
      name: 'string',
      fullName: 'string',
      version: 'string',
      build: 'string',
      apiType: 'string',
      apiVersion: 'string',
      instanceUuid: 'string?',
      licenseProductName: 'string?',
    },
  },
  ServiceContent: {
    fields: {
      rootFolder: 'ref:Folder',
      propertyCollector: 'ref:PropertyCollector',
      viewManager: 'ref:ViewManager?',
      about: 'AboutInfo',
      sessionManager: 'ref:SessionManager?',
      authorizationManager: 'ref:AuthorizationManager?',
      licenseManager: 'ref:LicenseManager?',
      fileManager: 'ref:FileManager?',
      ovfManager: 'ref:OvfManager?',
    },
  },
  UserSession: { fields: { key: 'string', userName: 'string', loginTime: 'dateTime', lastActiveTime: 'dateTime' } },

  // Faults: those that we tell apart, and what they are special cases of.
  LocalizedMethodFault: { fields: { fault: 'MethodFault', localizedMessage: 'string?' } },
  MethodFault: { fields: { faultCause: 'LocalizedMethodFault?' } },
  RuntimeFault: { base: 'MethodFault', fields: {} },
  InvalidRequest: { base: 'RuntimeFault', fields: {} },
  MethodNotFound: { base: 'InvalidRequest', fields: { receiver: 'ref', method: 'string' } },
  ManagedObjectNotFound: { base: 'RuntimeFault', fields: { obj: 'ref' } },
  NotSupported: { base: 'RuntimeFault', fields: {} },
  RequestCanceled: { base: 'RuntimeFault', fields: {} },
  SecurityError: { base: 'RuntimeFault', fields: {} },
  NoPermission: { base: 'SecurityError', fields: { object: 'ref?', privilegeId: 'string?' } },
  NotAuthenticated: { base: 'NoPermission', fields: {} },
  RestrictedVersion: { base: 'SecurityError', fields: {} },
  NotEnoughLicenses: { base: 'RuntimeFault', fields: {} },
  LicenseExpired: { base: 'NotEnoughLicenses', fields: {} },
  HostCommunication: { base: 'RuntimeFault', fields: {} },
  HostNotConnected: { base: 'HostCommunication', fields: {} },
  VimFault: { base: 'MethodFault', fields: {} },
  InvalidLogin: { base: 'VimFault', fields: {} },
  NoClientCertificate: { base: 'VimFault', fields: {} },
  InvalidProperty: { base: 'MethodFault', fields: { name: 'string' } },
  InvalidState: { base: 'VimFault', fields: {} },
  InvalidPowerState: { base: 'InvalidState', fields: { requestedState: `${powerState}?`, existingState: powerState } },
  QuestionPending: { base: 'InvalidState', fields: { text: 'string' } },
  DuplicateName: { base: 'VimFault', fields: { name: 'string', object: 'ref' } },
  ConcurrentAccess: { base: 'VimFault', fields: {} },
  TaskInProgress: { base: 'VimFault', fields: { task: 'ref:Task' } },
  Timedout: { base: 'VimFault', fields: {} },
  ToolsUnavailable: { base: 'VimFault', fields: {} },
  FileFault: { base: 'VimFault', fields: { file: 'string' } },
  FileLocked: { base: 'FileFault', fields: {} },
  FileNotFound: { base: 'FileFault', fields: {} },
  FileAlreadyExists: { base: 'FileFault', fields: {} },
  CannotAccessFile: { base: 'FileFault', fields: {} },
  NoDiskSpace: { base: 'FileFault', fields: { datastore: 'string' } },
  InsufficientResourcesFault: { base: 'VimFault', fields: {} },
  InsufficientStorageSpace: { base: 'InsufficientResourcesFault', fields: {} },
  SnapshotFault: { base: 'VimFault', fields: {} },
  ApplicationQuiesceFault: { base: 'SnapshotFault', fields: {} },
  FilesystemQuiesceFault: { base: 'SnapshotFault', fields: {} },
  TooManySnapshotLevels: { base: 'SnapshotFault', fields: {} },
  MemorySnapshotOnIndependentDisk: { base: 'SnapshotFault', fields: {} },
  OvfFault: { base: 'VimFault', fields: {} },
  OvfImport: { base: 'OvfFault', fields: {} },
  OvfExport: { base: 'OvfFault', fields: {} },
  OvfInvalidPackage: { base: 'OvfFault', fields: {} },
  OvfUnsupportedPackage: { base: 'OvfFault', fields: {} },

  // The property collector.
  PropertySpec: { fields: { type: 'string', all: 'boolean?', pathSet: 'string[]' } },
  SelectionSpec: { fields: { name: 'string?' } },
  TraversalSpec: {
    base: 'SelectionSpec',
    fields: { type: 'string', path: 'string', skip: 'boolean?', selectSet: 'SelectionSpec[]' },
  },
  ObjectSpec: { fields: { obj: 'ref', skip: 'boolean?', selectSet: 'SelectionSpec[]' } },
  PropertyFilterSpec: { fields: { propSet: 'PropertySpec[]', objectSet: 'ObjectSpec[]', reportMissingObjectsInResults: 'boolean?' } },
  RetrieveOptions: { fields: { maxObjects: 'int?' } },
  DynamicProperty: { fields: { name: 'string', val: 'anyType' } },
  MissingProperty: { fields: { path: 'string', fault: 'LocalizedMethodFault' } },
  ObjectContent: { fields: { obj: 'ref', propSet: 'DynamicProperty[]', missingSet: 'MissingProperty[]' } },
  RetrieveResult: { fields: { token: 'string?', objects: 'ObjectContent[]' } },
  WaitOptions: { fields: { maxWaitSeconds: 'int?', maxObjectUpdates: 'int?' } },
  UpdateSet: { fields: { version: 'string', filterSet: 'PropertyFilterUpdate[]', truncated: 'boolean?' } },
  PropertyFilterUpdate: { fields: { filter: 'ref:PropertyFilter', objectSet: 'ObjectUpdate[]', missingSet: 'MissingObject[]' } },
  MissingObject: { fields: { obj: 'ref', fault: 'LocalizedMethodFault' } },
  ObjectUpdate: { fields: { kind: 'modify|enter|leave', obj: 'ref', changeSet: 'PropertyChange[]', missingSet: 'MissingProperty[]' } },
  PropertyChange: { fields: { name: 'string', op: 'add|remove|assign|indirectRemove', val: 'anyType?' } },

  // Tasks.
  TaskInfo: {
    fields: {
      key: 'string',
      task: 'ref:Task',
      descriptionId: 'string?',
      entity: 'ref?',
      entityName: 'string?',
      state: 'queued|running|success|error',
      cancelled: 'boolean?',
      cancelable: 'boolean?',
      error: 'LocalizedMethodFault?',
      result: 'anyType?',
      progress: 'int?',
    },
  },

  // Snapshots.
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

  // Leases.
  HttpNfcLeaseInfo: {
    fields: {
      lease: 'ref:HttpNfcLease',
      entity: 'ref',
      deviceUrl: 'HttpNfcLeaseDeviceUrl[]',
      totalDiskCapacityInKB: 'long',
      leaseTimeout: 'int',
    },
  },
  HttpNfcLeaseDeviceUrl: {
    fields: {
      key: 'string',
      importKey: 'string?',
      url: 'string',
      sslThumbprint: 'string?',
      disk: 'boolean?',
      targetId: 'string?',
      datastoreKey: 'string?',
      fileSize: 'long?',
    },
  },
  HttpNfcLeaseManifestEntry: {
    fields: {
      key: 'string',
      sha1: 'string?',
      checksum: 'string?',
      checksumType: 'string?',
      size: 'long',
      disk: 'boolean',
      capacity: 'long?',
      populatedSize: 'long?',
    },
  },
} as const satisfies { readonly [name: string]: DataTypeEntry }

export type DataTypes = typeof dataTypes
export type DataTypeName = keyof DataTypes
