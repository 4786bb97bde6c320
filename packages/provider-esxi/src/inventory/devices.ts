import type { DataTypeName } from '../vim25/data-types.ts'
import { isData } from '../vim25/decode.ts'
import type { Data } from '../vim25/values.ts'

export type Device = Data<'VirtualDevice'>

/** Whether a value is a data object of this type, or of one derived from it. */
export const isOf = <Name extends DataTypeName>(value: unknown, type: Name): value is Data<Name> => isData(value, type)

export const labelOf = (device: Device): string => device.deviceInfo?.label ?? `${device.$type ?? 'device'} ${device.key}`

/**
 * Where a device is plugged in, as keys of leases name it: `ParaVirtualSCSIController0:0` is the class of the controller, its bus and the unit. Undefined: it hangs on
 * no controller.
 */
export function slotOf(device: Device, devices: readonly Device[]): { readonly slot: string; readonly controller: Device } | undefined {
  const controller = devices.find(({ key }) => key === device.controllerKey)
  if (controller === undefined) return undefined
  // A controller of a type that we do not know was read without its bus number: hosts list those of one type in the order of their buses.
  const alike = devices.filter(({ $type }) => $type === controller.$type)
  const bus = isOf(controller, 'VirtualController') ? controller.busNumber : alike.indexOf(controller)
  return { slot: `${controller.$type ?? 'VirtualController'}${bus}:${device.unitNumber ?? 0}`, controller }
}
