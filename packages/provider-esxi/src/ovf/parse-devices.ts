import { showValue } from '@holdfast/core/spec'
import type { OvfDocument } from './ovf-document.ts'
import type { OvfAdapter, OvfController, OvfDisk, OvfDrive, OvfFile, OvfNetwork, OvfRemovable } from './ovf-types.ts'
import { type HardwareItem, resourceTypes } from './parse-items.ts'

/** What of the package devices may name. */
export interface Named {
  readonly files: readonly OvfFile[]
  readonly disks: readonly OvfDisk[]
  readonly networks: readonly OvfNetwork[]
}

function busOf({ type, text }: HardwareItem): OvfController['bus'] | undefined {
  const subType = text('ResourceSubType') ?? ''
  if (type === resourceTypes.ideController) return 'ide'
  if (type === resourceTypes.scsiController) return /^(virtualscsi|virtio)/i.test(subType) ? 'virtio-scsi' : 'scsi'
  if (type !== resourceTypes.otherStorage) return undefined
  if (/nvme/i.test(subType)) return 'nvme'
  return /sata|ahci/i.test(subType) ? 'sata' : undefined
}

export function controllersOf(items: readonly HardwareItem[]): readonly OvfController[] {
  return items.flatMap((item) => {
    const bus = busOf(item)
    const [subType, address] = [item.text('ResourceSubType'), item.text('Address')]
    if (bus === undefined) return []
    return [{ instance: item.instance, bus, ...(subType !== undefined && { subType }), ...(address !== undefined && { address }) }]
  })
}

/** `ovf:/disk/vmdisk1`, `/disk/vmdisk1`, and with two slashes as older writers have it. */
function resourceOf(item: HardwareItem): { readonly kind: string; readonly id: string } | undefined {
  const [, kind, id] = /^(?:ovf:)?\/{1,2}(disk|file)\/(.+)$/.exec(item.text('HostResource') ?? '') ?? []
  return kind === undefined || id === undefined ? undefined : { kind, id }
}

function driveOf(document: OvfDocument, item: HardwareItem, { disks }: Named, controllers: readonly OvfController[]): OvfDrive {
  const resource = resourceOf(item)
  if (resource?.kind !== 'disk')
    throw document.fault(
      item.element,
      `the disk device ${showValue(item.instance)} names no disk of the package: ${showValue(item.text('HostResource') ?? '')}`,
    )
  if (!disks.some(({ id }) => id === resource.id))
    throw document.fault(
      item.element,
      `the disk device ${showValue(item.instance)} names the disk ${showValue(resource.id)}, which DiskSection does not have`,
    )
  const parent = item.text('Parent')
  const controller = controllers.find(({ instance }) => instance === parent)
  const addressOnParent = item.text('AddressOnParent')
  return { diskId: resource.id, ...(controller !== undefined && { controller }), ...(addressOnParent !== undefined && { addressOnParent }) }
}

export function drivesOf(
  document: OvfDocument,
  items: readonly HardwareItem[],
  named: Named,
  controllers: readonly OvfController[],
): readonly OvfDrive[] {
  const own = items.filter(({ type }) => type === resourceTypes.disk)
  const drives = own.map((item) => driveOf(document, item, named, controllers))
  for (const [index, { diskId }] of drives.entries())
    if (drives.findIndex((drive) => drive.diskId === diskId) !== index)
      throw document.fault((own[index] as HardwareItem).element, `the disk ${showValue(diskId)} is in the machine twice`)
  return drives
}

export function removablesOf(document: OvfDocument, items: readonly HardwareItem[], { files }: Named): readonly OvfRemovable[] {
  const { floppy, cdDrive, dvdDrive } = resourceTypes
  return items.flatMap((item) => {
    if (item.type !== floppy && item.type !== cdDrive && item.type !== dvdDrive) return []
    const resource = resourceOf(item)
    const fileRef = resource?.kind === 'file' ? resource.id : undefined
    if (fileRef !== undefined && !files.some(({ id }) => id === fileRef))
      throw document.fault(
        item.element,
        `the drive ${showValue(item.instance)} names the file ${showValue(fileRef)}, which References does not have`,
      )
    return [{ kind: item.type === floppy ? 'floppy' : 'cd', ...(fileRef !== undefined && { fileRef }) } as const]
  })
}

/** With or without separators, in any case. */
function macOf(document: OvfDocument, { element, text }: HardwareItem): string | undefined {
  const address = text('Address')
  if (address === undefined) return undefined
  const digits = address.replaceAll(/[:.-]/g, '').toLowerCase()
  if (/^[0-9a-f]{12}$/.test(digits)) return (digits.match(/../g) as string[]).join(':')
  // Some writers give the place on the bus there.
  if (/^\d{1,3}$/.test(address)) return undefined
  throw document.fault(element, `the address ${showValue(address)} of a network adapter is no MAC address`)
}

export function adaptersOf(document: OvfDocument, items: readonly HardwareItem[], { networks }: Named): readonly OvfAdapter[] {
  return items
    .filter(({ type }) => type === resourceTypes.ethernet)
    .map((item) => {
      const network = item.text('Connection')
      if (network === undefined) throw document.fault(item.element, `the network adapter ${showValue(item.instance)} has no Connection`)
      // Blanks around a name are part of the attribute there, and none of the text here.
      const known = networks.find(({ name }) => name.trim() === network)?.name
      if (known === undefined)
        throw document.fault(
          item.element,
          `the network adapter ${showValue(item.instance)} is on ${showValue(network)}, which NetworkSection does not have`,
        )
      const [mac, model] = [macOf(document, item), item.text('ResourceSubType')]
      const connected = item.text('AutomaticAllocation')?.toLowerCase() !== 'false'
      return { network: known, ...(mac !== undefined && { mac }), ...(model !== undefined && { model }), connected }
    })
}
