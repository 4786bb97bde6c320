import type { DataTypeEntry } from './schema-entry.ts'

/** Leases of disks that are exported or imported. */
export const leaseTypes = {
  KeyValue: { fields: { key: 'string', value: 'string' } },
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
