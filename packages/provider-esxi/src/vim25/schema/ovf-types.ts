import type { DataTypeEntry } from './schema-entry.ts'

/** OVF descriptors and what an import is made of. */
export const ovfTypes = {
  OvfFile: {
    fields: {
      deviceId: 'string',
      path: 'string',
      compressionMethod: 'string?',
      chunkSize: 'long?',
      size: 'long',
      capacity: 'long?',
      populatedSize: 'long?',
    },
  },
  OvfCreateDescriptorParams: {
    fields: {
      ovfFiles: 'OvfFile[]',
      name: 'string?',
      description: 'string?',
      includeImageFiles: 'boolean?',
      exportOption: 'string[]',
      snapshot: 'ref:VirtualMachineSnapshot?',
    },
  },
  OvfCreateDescriptorResult: {
    fields: {
      ovfDescriptor: 'string',
      error: 'LocalizedMethodFault[]',
      warning: 'LocalizedMethodFault[]',
      includeImageFiles: 'boolean?',
    },
  },
  OvfOptionInfo: { fields: { option: 'string' } },
  OvfManagerCommonParams: { fields: { locale: 'string', deploymentOption: 'string', importOption: 'string[]' } },
  OvfParseDescriptorParams: { base: 'OvfManagerCommonParams', fields: {} },
  OvfNetworkInfo: { fields: { name: 'string', description: 'string?' } },
  OvfParseDescriptorResult: {
    fields: {
      network: 'OvfNetworkInfo[]',
      approximateDownloadSize: 'long?',
      approximateFlatDeploymentSize: 'long?',
      approximateSparseDeploymentSize: 'long?',
      defaultEntityName: 'string?',
      virtualApp: 'boolean?',
      error: 'LocalizedMethodFault[]',
      warning: 'LocalizedMethodFault[]',
    },
  },
  OvfNetworkMapping: { fields: { name: 'string', network: 'ref' } },
  OvfCreateImportSpecParams: {
    base: 'OvfManagerCommonParams',
    fields: {
      entityName: 'string',
      hostSystem: 'ref:HostSystem?',
      networkMapping: 'OvfNetworkMapping[]',
      diskProvisioning: 'string?',
    },
  },
  OvfFileItem: {
    fields: {
      deviceId: 'string',
      path: 'string',
      compressionMethod: 'string?',
      chunkSize: 'long?',
      size: 'long?',
      cimType: 'int',
      create: 'boolean',
    },
  },
  OvfCreateImportSpecResult: {
    fields: {
      importSpec: 'xml?',
      fileItem: 'OvfFileItem[]',
      warning: 'LocalizedMethodFault[]',
      error: 'LocalizedMethodFault[]',
    },
  },
} as const satisfies { readonly [name: string]: DataTypeEntry }
