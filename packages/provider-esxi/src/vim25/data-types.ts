import { changeTypes } from './schema/change-types.ts'
import { faultTypes } from './schema/fault-types.ts'
import { hostTypes } from './schema/host-types.ts'
import { leaseTypes } from './schema/lease-types.ts'
import { machineTypes } from './schema/machine-types.ts'
import { ovfTypes } from './schema/ovf-types.ts'
import { propertyTypes } from './schema/property-types.ts'
import { serviceTypes } from './schema/service-types.ts'
import { snapshotTypes } from './schema/snapshot-types.ts'
import { taskTypes } from './schema/task-types.ts'

/**
 * The data objects of vim25 that we use. One table drives writing, reading and the TypeScript types; its parts say what they are about.
 *
 * Source: vSphere Web Services API, data object types, https://developer.broadcom.com/xapis/vsphere-web-services-api/latest/
 */
export const dataTypes = {
  ...serviceTypes,
  ...faultTypes,
  ...propertyTypes,
  ...taskTypes,
  ...machineTypes,
  ...snapshotTypes,
  ...hostTypes,
  ...leaseTypes,
  ...ovfTypes,
  ...changeTypes,
} as const

export type DataTypes = typeof dataTypes
export type DataTypeName = keyof DataTypes
