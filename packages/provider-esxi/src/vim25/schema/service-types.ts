import type { DataTypeEntry } from './schema-entry.ts'

/** The service and its sessions. */
export const serviceTypes = {
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
      searchIndex: 'ref:SearchIndex?',
      fileManager: 'ref:FileManager?',
      ovfManager: 'ref:OvfManager?',
    },
  },
  UserSession: { fields: { key: 'string', userName: 'string', loginTime: 'dateTime', lastActiveTime: 'dateTime' } },
} as const satisfies { readonly [name: string]: DataTypeEntry }
