import { HoldfastError, type Machine } from '@holdfast/core/spec'
import { resourceTypes } from './parse-items.ts'

type Bus = Machine['disks'][number]['bus']

/** A controller as it is written. Addresses count the controllers of one kind. */
export interface PlacedController {
  readonly kind: 'ide' | 'scsi' | 'sata' | 'nvme'
  readonly type: number
  readonly subType?: string
  readonly title: string
  readonly address: number
}

export interface PlacedDisk {
  readonly key: string
  readonly controller: PlacedController
  /** Its place on the controller. */
  readonly unit: number
}

/** How many of a kind a machine may have, and which places each has. Source: "vSphere configuration maximums". */
const kinds = {
  ide: { most: 2, units: 2, type: resourceTypes.ideController, title: 'IDE Controller' },
  scsi: { most: 4, units: 16, type: resourceTypes.scsiController, title: 'SCSI Controller' },
  sata: { most: 4, units: 30, type: resourceTypes.otherStorage, title: 'SATA Controller' },
  nvme: { most: 4, units: 15, type: resourceTypes.otherStorage, title: 'NVME Controller' },
} as const
/** The controller itself is there. */
const scsiSelf = 7

/** Guests with drivers of virtio get the paravirtual controller of VMware, which is what theirs is elsewhere. Windows has a driver for LSI SAS, not for LSI. */
function wantedOf(bus: Bus, { family }: Machine['guest']): { readonly kind: keyof typeof kinds; readonly subType?: string } {
  switch (bus) {
    case 'virtio':
    case 'virtio-scsi':
      return { kind: 'scsi', subType: 'VirtualSCSI' }
    case 'scsi':
      return { kind: 'scsi', subType: family === 'windows' ? 'lsilogicsas' : 'lsilogic' }
    case 'sata':
      return { kind: 'sata', subType: 'vmware.sata.ahci' }
    case 'nvme':
      return { kind: 'nvme', subType: 'vmware.nvme.controller' }
    case 'ide':
      return { kind: 'ide' }
  }
}

/**
 * Gives each disk a controller and a place on it, in their order.
 * @throws UNSUPPORTED: more disks than a machine of VMware can have at such a bus.
 */
export function placeDisks({ name, disks, guest }: Pick<Machine, 'name' | 'disks' | 'guest'>): readonly PlacedDisk[] {
  const placed: PlacedDisk[] = []
  const controllers: PlacedController[] = []
  for (const { key, bus } of disks) {
    const { kind, subType } = wantedOf(bus, guest)
    const { most, units, type, title } = kinds[kind]
    const ofKind = controllers.filter((each) => each.kind === kind)
    let controller = ofKind.findLast((each) => each.subType === subType)
    let unit = controller === undefined ? 0 : nextUnit(placed, controller)
    if (controller === undefined || unit >= units) {
      if (ofKind.length === most)
        throw new HoldfastError(
          'UNSUPPORTED',
          `${name} has more disks at ${bus} than a machine of VMware can have: the ${most} controllers are full`,
        )
      const address = ofKind.length
      controller = { kind, type, ...(subType !== undefined && { subType }), title: `${title} ${address}`, address }
      controllers.push(controller)
      unit = 0
    }
    placed.push({ key, controller, unit })
  }
  return placed
}

function nextUnit(placed: readonly PlacedDisk[], controller: PlacedController): number {
  const last = placed.findLast((each) => each.controller === controller)?.unit ?? -1
  return controller.kind === 'scsi' && last + 1 === scsiSelf ? last + 2 : last + 1
}
