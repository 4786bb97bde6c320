import type { Data, MoRef } from '../vim25/values.ts'
import { type Device, isOf, labelOf } from './devices.ts'

/** A network card of a machine, and what it is plugged into. */
export interface FoundNetwork {
  /** What people call the card: `Network adapter 1`. */
  readonly label: string
  readonly deviceKey: number
  /** Name of the network; where that is not known, what the host has instead. */
  readonly name: string
  /** The network, a port group of a distributed switch, or an opaque network; undefined where the host does not say which. */
  readonly ref: MoRef | undefined
  /** `00:50:56:aa:bb:cc`. */
  readonly mac: string | undefined
  /** `manual`, `generated`, `assigned`. */
  readonly addressType: string | undefined
  /** `vmxnet3`, `e1000e`, and so on. */
  readonly model: string
  readonly connected: boolean
  readonly startConnected: boolean
}

/** A network as its name is looked up. */
export interface KnownNetwork {
  readonly ref: MoRef
  readonly name: string
  /** Of a port group: what cards call it. */
  readonly key?: string
}

function pluggedInto(card: Data<'VirtualEthernetCard'>, known: readonly KnownNetwork[]): { readonly name: string; readonly ref?: MoRef } {
  const { backing } = card
  if (isOf(backing, 'VirtualEthernetCardNetworkBackingInfo')) {
    const network = known.find(({ ref }) => ref.value === backing.network?.value)
    return { name: network?.name ?? backing.deviceName, ...(backing.network !== undefined && { ref: backing.network }) }
  }
  if (isOf(backing, 'VirtualEthernetCardDistributedVirtualPortBackingInfo')) {
    const { portgroupKey } = backing.port
    return known.find(({ key, ref }) => key === portgroupKey || ref.value === portgroupKey) ?? { name: portgroupKey ?? 'unknown' }
  }
  if (isOf(backing, 'VirtualEthernetCardOpaqueNetworkBackingInfo'))
    return known.find(({ key }) => key === backing.opaqueNetworkId) ?? { name: backing.opaqueNetworkId }
  return { name: 'none' }
}

/** All network cards of a machine, in the order of the host. */
export function networkCardsOf(devices: readonly Device[], known: readonly KnownNetwork[]): readonly FoundNetwork[] {
  return devices.flatMap((card) => {
    if (!isOf(card, 'VirtualEthernetCard')) return []
    const { name, ref } = pluggedInto(card, known)
    return [
      {
        label: labelOf(card),
        deviceKey: card.key,
        name,
        ref,
        mac: card.macAddress?.toLowerCase(),
        addressType: card.addressType?.toLowerCase(),
        model: (card.$type ?? 'unknown').replace(/^Virtual/, '').toLowerCase(),
        connected: card.connectable?.connected ?? false,
        startConnected: card.connectable?.startConnected ?? false,
      },
    ]
  })
}
