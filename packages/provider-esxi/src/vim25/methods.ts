import type { DataTypeName } from './data-types.ts'
import type { Data, FieldValues, ValueOf } from './values.ts'

/** A call of the service. */
export interface MethodEntry {
  /** The type of the object it is called on. */
  readonly on: string
  /** Its parameters in the order of the schema, written as fields of a data object. */
  readonly parameters: { readonly [name: string]: string }
  /** What comes back, written as a field; absent: nothing does. */
  readonly result?: string
  /** It changes nothing, so that it may be called again when it is not known what became of it. */
  readonly reads?: true
}

/** Source: vSphere Web Services API, managed object types, https://developer.broadcom.com/xapis/vsphere-web-services-api/latest/ */
export const methods = {
  RetrieveServiceContent: { on: 'ServiceInstance', parameters: {}, result: 'ServiceContent', reads: true },
  CurrentTime: { on: 'ServiceInstance', parameters: {}, result: 'dateTime', reads: true },
  Login: { on: 'SessionManager', parameters: { userName: 'string', password: 'string', locale: 'string?' }, result: 'UserSession' },
  Logout: { on: 'SessionManager', parameters: {} },

  CreateContainerView: {
    on: 'ViewManager',
    parameters: { container: 'ref', type: 'string[]', recursive: 'boolean' },
    result: 'ref:ContainerView',
  },
  DestroyView: { on: 'ContainerView', parameters: {} },
  RetrievePropertiesEx: {
    on: 'PropertyCollector',
    parameters: { specSet: 'PropertyFilterSpec[]', options: 'RetrieveOptions' },
    result: 'RetrieveResult?',
    reads: true,
  },
  ContinueRetrievePropertiesEx: { on: 'PropertyCollector', parameters: { token: 'string' }, result: 'RetrieveResult' },
  CreateFilter: {
    on: 'PropertyCollector',
    parameters: { spec: 'PropertyFilterSpec', partialUpdates: 'boolean' },
    result: 'ref:PropertyFilter',
  },
  DestroyPropertyFilter: { on: 'PropertyFilter', parameters: {} },
  WaitForUpdatesEx: { on: 'PropertyCollector', parameters: { version: 'string?', options: 'WaitOptions?' }, result: 'UpdateSet?' },
  CancelWaitForUpdates: { on: 'PropertyCollector', parameters: {} },
  CreatePropertyCollector: { on: 'PropertyCollector', parameters: {}, result: 'ref:PropertyCollector' },
  DestroyPropertyCollector: { on: 'PropertyCollector', parameters: {} },
  CancelTask: { on: 'Task', parameters: {} },

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

  ExportVm: { on: 'VirtualMachine', parameters: {}, result: 'ref:HttpNfcLease' },
  ExportSnapshot: { on: 'VirtualMachineSnapshot', parameters: {}, result: 'ref:HttpNfcLease' },
  HttpNfcLeaseProgress: { on: 'HttpNfcLease', parameters: { percent: 'int' } },
  HttpNfcLeaseGetManifest: { on: 'HttpNfcLease', parameters: {}, result: 'HttpNfcLeaseManifestEntry[]' },
  HttpNfcLeaseComplete: { on: 'HttpNfcLease', parameters: {} },
  HttpNfcLeaseAbort: { on: 'HttpNfcLease', parameters: { fault: 'LocalizedMethodFault?' } },
} as const satisfies { readonly [name: string]: MethodEntry }

export type Methods = typeof methods
export type MethodName = keyof Methods

/** The type of object a method is called on. */
export type SelfOf<Name extends MethodName> = Methods[Name]['on']

export type ParametersOf<Name extends MethodName> = FieldValues<Methods[Name]['parameters']>

type ResultField<Field extends string> = Field extends `${infer Inner}?` ? ValueOf<Inner> | undefined : ValueOf<Field>

export type ResultOf<Name extends MethodName> = Methods[Name] extends { readonly result: infer Field extends string }
  ? Field extends DataTypeName
    ? Data<Field>
    : ResultField<Field>
  : undefined
