import { contentOf, type DiskOptions, exampleContent, type SimulatedDisk } from './simulated-disk.ts'
import { createTracking } from './simulated-tracking.ts'

/** A network card. Everything has a default. */
export interface CardOptions {
  /** Name of the network. Default: the first one. */
  readonly network?: string
  /** Default: one that the host makes. */
  readonly mac?: string
  /** Default `VirtualVmxnet3`. */
  readonly model?: string
  /** Default true. */
  readonly connected?: boolean
}

/** A network card of a simulated machine; reconfiguring the machine changes it. */
export interface SimulatedCard {
  readonly key: number
  readonly label: string
  readonly model: string
  mac: string
  network: string
  connected: boolean
  startConnected: boolean
  /** The guest may connect it. */
  guestControl: boolean
}

/** A controller of disks and drives of a simulated machine. */
export interface SimulatedController {
  readonly key: number
  /** Its class. */
  readonly type: string
  readonly bus: number
  /** `noSharing`, `physicalSharing`, `virtualSharing`. */
  readonly sharing: string
}

/** A CD drive with an image in it. */
export interface SimulatedCdrom {
  readonly key: number
  readonly label: string
  /** `[datastore1] iso/tools.iso`; undefined: no disc. */
  readonly iso: string | undefined
  readonly content: Uint8Array
}

/** Which devices a machine has. Everything has a default. */
export interface DeviceOptions {
  /** Default: one. */
  readonly disks?: readonly DiskOptions[]
  /** Default: one. */
  readonly cards?: readonly CardOptions[]
  /** Default: none. */
  readonly cdrom?: { readonly iso?: string; readonly content?: Uint8Array }
  /** What the machines on the bus of a controller share, for all of them. Default `noSharing`. */
  readonly busSharing?: 'noSharing' | 'physicalSharing' | 'virtualSharing'
  /** Default false. */
  readonly tpm?: boolean
  /** Devices of other classes, for example `VirtualPCIPassthrough`. */
  readonly others?: readonly string[]
}

/** What a machine is made of. A copy of it is what a snapshot holds. */
export interface SimulatedHardware {
  readonly controllers: SimulatedController[]
  readonly disks: SimulatedDisk[]
  readonly cards: SimulatedCard[]
  readonly cdroms: SimulatedCdrom[]
  readonly others: string[]
}

/** How hosts number controllers and what hangs on them. */
const families: readonly { readonly classes: RegExp; readonly first: number; readonly device: number; readonly units: number }[] = [
  { classes: /IDE/, first: 200, device: 3000, units: 2 },
  { classes: /AHCI|SATA/, first: 15_000, device: 16_000, units: 30 },
  { classes: /NVME/, first: 31_000, device: 32_000, units: 64 },
  { classes: /SCSI|Lsi|Bus/, first: 1000, device: 2000, units: 16 },
]
const unknownFamily = { first: 50_000, device: 51_000, units: 16 }
const familyOf = (type: string) => families.find(({ classes }) => classes.test(type)) ?? unknownFamily

/** Where a machine lives: for the names of its files and their defaults. */
export interface MachineHome {
  readonly name: string
  readonly uuid: string
  readonly datastore: string
  readonly network: string
}

function controllerFor(hardware: SimulatedHardware, type: string, bus: number, sharing: string): SimulatedController {
  const found = hardware.controllers.find((one) => one.type === type && one.bus === bus)
  if (found !== undefined) return found
  const controller = { key: familyOf(type).first + bus, type, bus, sharing }
  hardware.controllers.push(controller)
  return controller
}

function freeUnit(hardware: SimulatedHardware, { key, type }: SimulatedController): number {
  const taken = hardware.disks.filter(({ controllerKey }) => controllerKey === key).map(({ unit }) => unit)
  const free = (unit: number) => !taken.includes(unit) && !(unit === 7 && /SCSI|Lsi|Bus/.test(type)) // 7 is the controller itself
  return Array.from({ length: 64 }, (_, unit) => unit).find(free) ?? 0
}

/** Plugs a disk in. */
export function addDisk(hardware: SimulatedHardware, home: MachineHome, options: DiskOptions = {}, sharing = 'noSharing'): SimulatedDisk {
  const { controller: type = 'ParaVirtualSCSIController', bus = 0, backing = 'flat', mode = 'persistent', thin = true } = options
  const controller = controllerFor(hardware, type, bus, sharing)
  const { unit = freeUnit(hardware, controller), datastore = home.datastore } = options
  const index = hardware.disks.length
  const { device, units } = familyOf(type)
  const { content } = options
  const disk: SimulatedDisk = {
    key: device + bus * units + unit,
    controllerKey: controller.key,
    unit,
    slot: `${type}${bus}:${unit}`,
    label: options.label ?? `Hard disk ${index + 1}`,
    uuid: options.uuid === null ? undefined : (options.uuid ?? `6000C29${index}-${home.uuid.slice(9)}`),
    backing,
    mode,
    thin,
    encrypted: options.encrypted ?? false,
    multiWriter: options.multiWriter ?? false,
    datastore,
    fileName: `[${datastore}] ${home.name}/${home.name}${index === 0 ? '' : `_${index}`}.vmdk`,
    parents: [],
    changeId: undefined,
    tracking: createTracking(`${home.uuid}/${index}`),
    content: content === undefined ? exampleContent(`${home.uuid}/${index}`) : content instanceof Uint8Array ? contentOf(content) : content,
  }
  hardware.disks.push(disk)
  return disk
}

const hexadecimal = (number: number): string => number.toString(16).padStart(2, '0')

/** Plugs a network card in. */
export function addCard(hardware: SimulatedHardware, home: MachineHome, options: CardOptions = {}): SimulatedCard {
  const index = hardware.cards.length
  const tail = [home.uuid.slice(-4, -2), home.uuid.slice(-2), hexadecimal(index)].join(':')
  const card = {
    key: 4000 + index,
    label: `Network adapter ${index + 1}`,
    model: options.model ?? 'VirtualVmxnet3',
    mac: options.mac ?? `00:50:56:${tail}`,
    network: options.network ?? home.network,
    connected: options.connected ?? true,
    startConnected: options.connected ?? true,
    guestControl: true,
  }
  hardware.cards.push(card)
  return card
}

export function createHardware(home: MachineHome, options: DeviceOptions): SimulatedHardware {
  const others = [...(options.tpm === true ? ['VirtualTPM'] : []), ...(options.others ?? [])]
  const hardware: SimulatedHardware = { controllers: [], disks: [], cards: [], cdroms: [], others }
  for (const disk of options.disks ?? [{}]) addDisk(hardware, home, disk, options.busSharing)
  for (const card of options.cards ?? [{}]) addCard(hardware, home, card)
  if (options.cdrom !== undefined) {
    controllerFor(hardware, 'VirtualIDEController', 1, 'noSharing')
    const { iso, content = new Uint8Array(4096).fill(7) } = options.cdrom
    hardware.cdroms.push({ key: 3002, label: 'CD/DVD drive 1', iso, content })
  }
  return hardware
}

/** The hardware as it is now, for a snapshot: what is written later is not in it. */
export const frozen = ({ controllers, disks, cards, cdroms, others }: SimulatedHardware): SimulatedHardware => ({
  controllers: [...controllers],
  disks: disks.map((disk) => ({ ...disk })),
  cards: cards.map((card) => ({ ...card })),
  cdroms: [...cdroms],
  others: [...others],
})
