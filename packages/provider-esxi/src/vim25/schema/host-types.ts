import type { DataTypeEntry } from './schema-entry.ts'

/** Hosts, their licences, datastores, networks and privileges. */
export const hostTypes = {
  DatastoreSummary: {
    fields: {
      datastore: 'ref:Datastore?',
      name: 'string',
      url: 'string?',
      capacity: 'long',
      freeSpace: 'long',
      uncommitted: 'long?',
      accessible: 'boolean',
      multipleHostAccess: 'boolean?',
      type: 'string',
      maintenanceMode: 'string?',
    },
  },
  OpaqueNetworkSummary: { fields: { network: 'ref?', name: 'string', opaqueNetworkId: 'string', opaqueNetworkType: 'string' } },
  LicenseManagerLicenseInfo: {
    // Its first field is the key itself, which we never read.
    fields: { editionKey: 'string', name: 'string', total: 'int?', used: 'int?', properties: 'KeyAnyValue[]' },
  },
  LicenseManagerEvaluationInfo: { fields: { properties: 'KeyAnyValue[]' } },
  KeyAnyValue: { fields: { key: 'string', value: 'anyType' } },
  EntityPrivilege: { fields: { entity: 'ref', privAvailability: 'PrivilegeAvailability[]' } },
  PrivilegeAvailability: { fields: { privId: 'string', isGranted: 'boolean' } },
} as const satisfies { readonly [name: string]: DataTypeEntry }
