import type { MethodEntry } from './schema-entry.ts'

/** OVF descriptors and imports. */
export const ovfMethods = {
  ParseDescriptor: {
    on: 'OvfManager',
    parameters: { ovfDescriptor: 'string', pdp: 'OvfParseDescriptorParams' },
    result: 'OvfParseDescriptorResult',
    reads: true,
  },
  CreateDescriptor: {
    on: 'OvfManager',
    parameters: { obj: 'ref', cdp: 'OvfCreateDescriptorParams' },
    result: 'OvfCreateDescriptorResult',
    reads: true,
  },
  CreateImportSpec: {
    on: 'OvfManager',
    parameters: {
      ovfDescriptor: 'string',
      resourcePool: 'ref:ResourcePool',
      datastore: 'ref:Datastore',
      cisp: 'OvfCreateImportSpecParams',
    },
    result: 'OvfCreateImportSpecResult',
    reads: true,
  },
  ImportVApp: {
    on: 'ResourcePool',
    parameters: { spec: 'xml', folder: 'ref:Folder?', host: 'ref:HostSystem?' },
    result: 'ref:HttpNfcLease',
  },
} as const satisfies { readonly [name: string]: MethodEntry }
