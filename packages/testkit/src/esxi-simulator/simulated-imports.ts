import type { Host, SimulatedSession } from './calls/call.ts'
import type { CardOptions } from './simulated-devices.ts'
import type { DiskOptions } from './simulated-disk.ts'
import { newUuid } from './simulated-identity.ts'
import { createLease, type LeaseDevice, type SimulatedLease } from './simulated-lease.ts'
import { createMachine, type SimulatedMachine } from './simulated-machine.ts'
import { diskSink, fileSink, receiveUpload, type UploadSink } from './simulated-uploads.ts'
import { field, reference, type SimulatedFault } from './soap-answer.ts'
import { type RequestElement, textAt } from './soap-request.ts'
import { createSparseContent, type SparseContent } from './sparse-content.ts'

const childOf = (element: RequestElement | undefined, name: string): RequestElement | undefined =>
  element?.children.find((child) => child.name === name)

const typeOf = (element: RequestElement): string => (element.attributes['xsi:type'] ?? '').replace(/^.*:/, '')

function devicesIn(config: RequestElement): readonly RequestElement[] {
  return config.children.filter(({ name }) => name === 'deviceChange').flatMap((change) => childOf(change, 'device') ?? [])
}

/** Fields of the specification in the order of the schema: a host refuses another one. */
const order = [
  'name',
  'version',
  'uuid',
  'instanceUuid',
  'guestId',
  'annotation',
  'files',
  'numCPUs',
  'memoryMB',
  'deviceChange',
  'extraConfig',
  'bootOptions',
  'firmware',
]

/** What is wrong with a specification; undefined: nothing. */
export function refusedSpec(spec: RequestElement | undefined): string | undefined {
  const config = childOf(spec, 'configSpec')
  if (spec === undefined || typeOf(spec) !== 'VirtualMachineImportSpec' || config === undefined)
    return 'A specified parameter was not correct: spec'
  const places = config.children.map(({ name }) => order.indexOf(name))
  if (places.some((place) => place < 0)) return 'A specified parameter was not correct: spec.configSpec'
  return places.every((place, index) => index === 0 || place >= (places[index - 1] ?? 0)) ? undefined : 'Unexpected element in configSpec'
}

interface PlannedDisk {
  readonly slot: string
  readonly content: SparseContent
  readonly options: DiskOptions
}

function disksIn(config: RequestElement): readonly PlannedDisk[] {
  const devices = devicesIn(config)
  return devices
    .filter((device) => typeOf(device) === 'VirtualDisk')
    .map((disk) => {
      const controller = devices.find((one) => textAt(one, 'key') === textAt(disk, 'controllerKey'))
      const [type, bus] = [
        controller === undefined ? 'VirtualIDEController' : typeOf(controller),
        Number(textAt(controller, 'busNumber') ?? 0),
      ]
      const unit = Number(textAt(disk, 'unitNumber') ?? 0)
      const content = createSparseContent(Number(textAt(disk, 'capacityInKB') ?? 0) * 1024)
      const thin = textAt(childOf(disk, 'backing'), 'thinProvisioned') === 'true'
      return { slot: `${type}${bus}:${unit}`, content, options: { controller: type, bus, unit, content, thin } }
    })
}

function cardsIn(host: Host, config: RequestElement): readonly CardOptions[] {
  return devicesIn(config)
    .filter((device) => childOf(device, 'addressType') !== undefined)
    .map((card) => {
      const backing = childOf(card, 'backing')
      const key = textAt(backing, 'network') ?? textAt(childOf(backing, 'port'), 'portgroupKey') ?? textAt(backing, 'opaqueNetworkId')
      const network = host.places.networks.find((one) => one.value === key || one.key === key)?.name
      const mac = textAt(card, 'macAddress')
      const connectable = childOf(card, 'connectable')
      return {
        model: typeOf(card),
        connected: textAt(connectable, 'startConnected') !== 'false' || textAt(connectable, 'connected') !== 'false',
        ...(network !== undefined && { network }),
        ...(mac !== undefined && { mac }),
      }
    })
}

function isoIn(config: RequestElement): string | undefined {
  const drive = devicesIn(config).find((device) => typeOf(device) === 'VirtualCdrom')
  return drive && textAt(childOf(drive, 'backing'), 'fileName')
}

function machineIn(host: Host, config: RequestElement, disks: readonly PlannedDisk[]): SimulatedMachine {
  const name = textAt(config, 'name') ?? ''
  const uuid = textAt(config, 'uuid')
  const instanceUuid = textAt(config, 'instanceUuid')
  const guestId = textAt(config, 'guestId')
  const iso = isoIn(config)
  const [, datastore] = /^\[(.+?)\]/.exec(textAt(childOf(config, 'files'), 'vmPathName') ?? '') ?? []
  return createMachine(host.world, host.places, {
    name: decodeURIComponent(name),
    uuid: uuid ?? newUuid(host),
    // On one host no two have the same.
    instanceUuid: instanceUuid ?? newUuid(host),
    firmware: textAt(config, 'firmware') === 'efi' ? 'efi' : 'bios',
    secureBoot: textAt(childOf(config, 'bootOptions'), 'efiSecureBootEnabled') === 'true',
    cpus: Number(textAt(config, 'numCPUs') ?? 1),
    memory: Number(textAt(config, 'memoryMB') ?? 4),
    ...(guestId !== undefined && { guestId }),
    disks: disks.map(({ options }) => ({ ...options, ...(datastore !== undefined && { datastore }) })),
    cards: cardsIn(host, config),
    ...(iso !== undefined && { cdrom: { iso: `[${host.places.datastores[0]?.name}] ${name}/${iso}` } }),
    conduct: { annotation: textAt(config, 'annotation') ?? '' },
  })
}

type Received = Pick<LeaseDevice, 'key' | 'importKey' | 'targetId' | 'disk' | 'capacity'> & { sink(): UploadSink }

/** What of the new machine is to be sent. The names of files are those of the host, whatever the descriptor calls them. */
function receivers(machine: SimulatedMachine, name: string, disks: readonly PlannedDisk[], keep: () => boolean): readonly Received[] {
  const { value, hardware, settings } = machine
  const device = (slot: string, targetId: string, disk: boolean, sink: () => UploadSink): Received => ({
    key: `/${value}/${slot}`,
    importKey: `/${name}/${slot}`,
    targetId,
    disk,
    sink,
  })
  return [
    ...disks.map(({ slot, content }, index) => ({
      ...device(slot, `disk-${index}.vmdk`, true, () => diskSink((index, bytes) => keep() && content.put(index, bytes))),
      capacity: content.size,
    })),
    ...hardware.cdroms.map((drive, index) =>
      device(`VirtualIDEController1:${index}`, `file-${index}.iso`, false, () =>
        fileSink((content) => void hardware.cdroms.splice(index, 1, { ...drive, content })),
      ),
    ),
    device('nvram', `${name.replaceAll(/[^\w.-]/g, '_')}.nvram`, false, () =>
      fileSink((bytes) => {
        settings.nvram = bytes
      }),
    ),
  ]
}

/** Files of an import that are asked for: disks always, NVRAM and images if the descriptor has them. */
function devicesOf(host: Host, machine: SimulatedMachine, name: string, disks: readonly PlannedDisk[]): readonly LeaseDevice[] {
  return receivers(machine, name, disks, () => host.leases.settings.keepUploads).map(({ sink, ...device }) => ({
    ...device,
    receive: (request, response, lease) => receiveUpload(host, lease, device, sink(), { request, response }),
  }))
}

/** Makes a machine that is there at once, and stays only if its lease is completed. */
export function startImport(host: Host, session: SimulatedSession, spec: RequestElement, onHost: boolean): SimulatedLease {
  const config = childOf(spec, 'configSpec') as RequestElement
  const name = textAt(config, 'name') ?? ''
  const disks = disksIn(config)
  const machine = machineIn(host, config, disks)
  const taken = host.machines.find((one) => one.name === machine.name)
  host.machines.push(machine)
  const initialize = (): SimulatedFault | undefined => {
    if (!onHost && !host.places.choosesHosts) return { fault: 'NotSupported', message: 'The operation is not supported on the object.' }
    if (taken === undefined) return undefined
    const fields = field('name', name) + reference('object', 'VirtualMachine', taken.value)
    return { fault: 'DuplicateName', message: `The name '${name}' already exists.`, fields }
  }
  return createLease(host, session, {
    entity: machine,
    devices: devicesOf(host, machine, name, disks),
    initialize,
    ended(how) {
      if (how === 'completed') return
      host.machines.splice(host.machines.indexOf(machine), 1)
      host.world.remove(machine)
    },
  })
}
