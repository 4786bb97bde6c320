import { field } from '../soap-answer.ts'
import { cardTypes, controllerTypes, type OvfController, type OvfPackage, resourceTypes } from './ovf-package.ts'

/** Properties of a resource come in the order of their names. */
function item(properties: { readonly [name: string]: string | number | undefined }): string {
  const given = Object.entries(properties).flatMap(([name, one]) => (one === undefined ? [] : [field(`rasd:${name}`, one)]))
  return `      <Item>${given.join('')}</Item>`
}

/** Instances: 1 the processors, 2 the memory, then the controllers, disks, cards, the controller of the drives and the drives. */
function createNumbers({ disks, cards }: OvfPackage) {
  const controllers = [...new Map(disks.map(({ controller }) => [`${controller.type}${controller.bus}`, controller])).values()]
  const first = 3 + controllers.length
  return {
    controllers,
    controller: ({ type, bus }: OvfController): number => 3 + controllers.findIndex((one) => one.type === type && one.bus === bus),
    disk: (index: number): number => first + index,
    card: (index: number): number => first + disks.length + index,
    driveController: first + disks.length + cards.length,
  }
}
type Numbers = ReturnType<typeof createNumbers>

function controllerItem({ type, bus }: OvfController, numbers: Numbers): string {
  const found = controllerTypes.find((one) => one.type === type)
  return item({
    Address: bus,
    ElementName: `${type} ${bus}`,
    InstanceID: numbers.controller({ type, bus }),
    ResourceSubType: found?.subtype || undefined,
    ResourceType: found?.resource ?? resourceTypes.scsi,
  })
}

function diskItem({ controller, unit }: OvfPackage['disks'][number], index: number, numbers: Numbers): string {
  return item({
    AddressOnParent: unit,
    ElementName: `Hard Disk ${index + 1}`,
    HostResource: `ovf:/disk/vmdisk${index + 1}`,
    InstanceID: numbers.disk(index),
    Parent: numbers.controller(controller),
    ResourceType: resourceTypes.disk,
  })
}

function cardItem({ type, network, mac }: OvfPackage['cards'][number], index: number, numbers: Numbers): string {
  return item({
    Address: mac,
    AddressOnParent: 7 + index,
    AutomaticAllocation: 'true',
    Connection: network,
    ElementName: `Ethernet ${index + 1}`,
    InstanceID: numbers.card(index),
    ResourceSubType: cardTypes.find((one) => one.type === type)?.subtype ?? 'E1000',
    ResourceType: resourceTypes.card,
  })
}

function driveItems(drives: OvfPackage['drives'], { driveController }: Numbers): readonly string[] {
  if (drives.length === 0) return []
  const ide = { Address: 0, ElementName: 'VirtualIDEController 0', InstanceID: driveController, ResourceType: resourceTypes.ide }
  return [
    item(ide),
    ...drives.map(({ file }, index) =>
      item({
        AddressOnParent: index,
        ElementName: `CD/DVD drive ${index + 1}`,
        HostResource: file === undefined ? undefined : `ovf:/file/${file}`,
        InstanceID: driveController + 1 + index,
        Parent: driveController,
        ResourceSubType: file === undefined ? 'vmware.cdrom.atapi' : 'vmware.cdrom.iso',
        ResourceType: resourceTypes.cd,
      }),
    ),
  ]
}

/** What a machine is made of, as resources of CIM. */
export function itemsOf(described: OvfPackage): readonly string[] {
  const { cpus, memoryMb, disks, cards, drives } = described
  const numbers = createNumbers(described)
  const processors = { AllocationUnits: 'hertz * 10^6', ElementName: `${cpus} virtual CPU(s)`, InstanceID: 1 }
  const memory = { AllocationUnits: 'byte * 2^20', ElementName: `${memoryMb}MB of memory`, InstanceID: 2 }
  return [
    item({ ...processors, ResourceType: resourceTypes.cpu, VirtualQuantity: cpus }),
    item({ ...memory, ResourceType: resourceTypes.memory, VirtualQuantity: memoryMb }),
    ...numbers.controllers.map((one) => controllerItem(one, numbers)),
    ...disks.map((disk, index) => diskItem(disk, index, numbers)),
    ...cards.map((card, index) => cardItem(card, index, numbers)),
    ...driveItems(drives, numbers),
  ]
}
