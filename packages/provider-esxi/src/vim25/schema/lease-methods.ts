import type { MethodEntry } from './schema-entry.ts'

/** Leases. */
export const leaseMethods = {
  ExportVm: { on: 'VirtualMachine', parameters: {}, result: 'ref:HttpNfcLease' },
  ExportSnapshot: { on: 'VirtualMachineSnapshot', parameters: {}, result: 'ref:HttpNfcLease' },
  HttpNfcLeaseProgress: { on: 'HttpNfcLease', parameters: { percent: 'int' } },
  HttpNfcLeaseSetManifestChecksumType: { on: 'HttpNfcLease', parameters: { deviceUrlsToChecksumTypes: 'KeyValue[]' } },
  HttpNfcLeaseGetManifest: { on: 'HttpNfcLease', parameters: {}, result: 'HttpNfcLeaseManifestEntry[]' },
  HttpNfcLeaseComplete: { on: 'HttpNfcLease', parameters: {} },
  HttpNfcLeaseAbort: { on: 'HttpNfcLease', parameters: { fault: 'LocalizedMethodFault?' } },
} as const satisfies { readonly [name: string]: MethodEntry }
