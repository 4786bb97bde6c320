import type { SimulatedMachine } from '../simulated-machine.ts'
import type { OvfCard, OvfDisk, OvfFile, OvfPackage } from './ovf-package.ts'

/** A file of an export, as the caller of CreateDescriptor tells it. */
export interface ExportedFile {
  /** Key of the device in the lease. */
  readonly device: string
  readonly path: string
  readonly size: number
  readonly populatedSize?: number
}

/** What a descriptor is made with. */
export interface DescriptorWishes {
  readonly name: string
  readonly files: readonly ExportedFile[]
  /** `mac` and `uuid`, among others. */
  readonly options: readonly string[]
  /** What the machine was made of when it was exported. */
  readonly hardware: SimulatedMachine['hardware']
}

/** Keys of a lease end with the slot of a device, or `nvram`. */
const slotIn = (device: string): string => device.slice(device.lastIndexOf('/') + 1)

function diskOf(disk: SimulatedMachine['hardware']['disks'][number], file: ExportedFile | undefined, id: string | undefined): OvfDisk {
  const [, type = '', bus = '0'] = /^(.*?)(\d+):\d+$/.exec(disk.slot) ?? []
  return {
    capacity: disk.content.size,
    ...(file?.populatedSize !== undefined && { populatedSize: file.populatedSize }),
    ...(id !== undefined && { file: id }),
    controller: { type, bus: Number(bus) },
    unit: disk.unit,
  }
}

function cardOf({ model, network, mac }: SimulatedMachine['hardware']['cards'][number], options: readonly string[]): OvfCard {
  return { type: model, network, ...(options.includes('mac') && { mac }) }
}

/** A machine as its descriptor tells it. Files that belong to no device are told by `unknown`. */
export function describeMachine(
  machine: SimulatedMachine,
  wishes: DescriptorWishes,
): { readonly package: OvfPackage; readonly unknown: readonly string[] } {
  const { settings, conduct } = machine
  const { name, options, hardware } = wishes
  const files: readonly (OvfFile & ExportedFile)[] = wishes.files.map((file, index) => ({
    ...file,
    id: `file${index + 1}`,
    href: file.path,
  }))
  const bySlot = new Map(files.map((file) => [slotIn(file.device), file]))
  const drives = hardware.cdroms.map(({ key }) => {
    const controller = hardware.controllers.find((one) => one.type === 'VirtualIDEController' && one.bus === Math.floor((key - 3000) / 2))
    const file = bySlot.get(`VirtualIDEController${controller?.bus ?? 0}:${key % 2}`)
    return file === undefined ? {} : { file: file.id }
  })
  const known = new Set([
    ...hardware.disks.map(({ slot }) => bySlot.get(slot)?.id),
    ...drives.map(({ file }) => file),
    bySlot.get('nvram')?.id,
  ])
  const nvram = bySlot.get('nvram')?.id
  return {
    package: {
      name,
      guestId: settings.guestId,
      version: 'vmx-19',
      cpus: settings.cpus,
      memoryMb: settings.memory,
      firmware: settings.firmware,
      secureBoot: settings.secureBoot,
      ...(conduct.annotation !== '' && { annotation: conduct.annotation }),
      ...(options.includes('uuid') && { uuid: settings.uuid }),
      files: files.map(({ id, href, size }) => ({ id, href, size })),
      disks: hardware.disks.map((disk) => diskOf(disk, bySlot.get(disk.slot), bySlot.get(disk.slot)?.id)),
      cards: hardware.cards.map((card) => cardOf(card, options)),
      drives,
      ...(nvram !== undefined && { nvram }),
      networks: [...new Set(hardware.cards.map(({ network }) => network))],
    },
    unknown: files.filter(({ id }) => !known.has(id)).map(({ device }) => device),
  }
}
