import type { DataTypeName } from './data-types.ts'
import { changeMethods } from './schema/change-methods.ts'
import { hostMethods } from './schema/host-methods.ts'
import { leaseMethods } from './schema/lease-methods.ts'
import { ovfMethods } from './schema/ovf-methods.ts'
import { propertyMethods } from './schema/property-methods.ts'
import { serviceMethods } from './schema/service-methods.ts'
import { snapshotMethods } from './schema/snapshot-methods.ts'
import type { Data, FieldValues, ValueOf } from './values.ts'

/** Source: vSphere Web Services API, managed object types, https://developer.broadcom.com/xapis/vsphere-web-services-api/latest/ */
export const methods = {
  ...serviceMethods,
  ...propertyMethods,
  ...snapshotMethods,
  ...hostMethods,
  ...leaseMethods,
  ...ovfMethods,
  ...changeMethods,
} as const

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
