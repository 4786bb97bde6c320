import type { SimulatedNetwork } from '../simulated-places.ts'
import { element, field, reference, type TypedValues, type XmlValue } from '../soap-answer.ts'
import type { OvfCard, OvfController, OvfDisk, OvfPackage } from './ovf-package.ts'

/** What an import specification is made with. */
export interface SpecWishes {
  /** Of the new machine. */
  readonly name: string
  readonly datastore: string
  readonly provisioning: string
  readonly networkOf: (name: string) => SimulatedNetwork | undefined
}

const plain = (content: string): XmlValue => ({ attributes: '', content })
const added = (device: XmlValue, creates = false): string =>
  element('deviceChange', plain(field('operation', 'add') + (creates ? field('fileOperation', 'create') : '') + element('device', device)))

const slotOf = ({ controller, unit }: OvfDisk): string => `${controller.type}${controller.bus}:${unit}`

function controllersOf({ disks }: OvfPackage): readonly OvfController[] {
  return [...new Map(disks.map(({ controller }) => [`${controller.type}${controller.bus}`, controller])).values()]
}

function diskDevice(disk: OvfDisk, index: number, controllers: readonly OvfController[], wishes: SpecWishes, values: TypedValues): string {
  const backing = values.data(
    'VirtualDiskFlatVer2BackingInfo',
    field('fileName', '') +
      field('diskMode', 'persistent') +
      field('thinProvisioned', wishes.provisioning === 'thin') +
      field('eagerlyScrub', wishes.provisioning === 'eagerZeroedThick'),
  )
  const at = controllers.findIndex(({ type, bus }) => type === disk.controller.type && bus === disk.controller.bus)
  const device = [
    field('key', -100 - index),
    element('backing', backing),
    field('controllerKey', -200 - at),
    field('unitNumber', disk.unit),
    field('capacityInKB', Math.ceil(disk.capacity / 1024)),
  ]
  return added(values.data('VirtualDisk', device.join('')), true)
}

function cardBacking(network: SimulatedNetwork, values: TypedValues): XmlValue {
  if (network.type === 'DistributedVirtualPortgroup') {
    const port = field('switchUuid', '50 1a') + field('portgroupKey', network.key)
    return values.data('VirtualEthernetCardDistributedVirtualPortBackingInfo', element('port', plain(port)))
  }
  if (network.type === 'OpaqueNetwork') {
    const own = field('opaqueNetworkId', network.key) + field('opaqueNetworkType', 'nsx.LogicalSwitch')
    return values.data('VirtualEthernetCardOpaqueNetworkBackingInfo', own)
  }
  return values.data(
    'VirtualEthernetCardNetworkBackingInfo',
    field('deviceName', network.name) + reference('network', 'Network', network.value),
  )
}

function cardDevice({ type, network: name, mac }: OvfCard, index: number, { networkOf }: SpecWishes, values: TypedValues): string {
  const network = networkOf(name)
  const device = [
    field('key', -300 - index),
    network === undefined ? '' : element('backing', cardBacking(network, values)),
    element('connectable', plain(field('startConnected', true) + field('allowGuestControl', true) + field('connected', true))),
    field('addressType', mac === undefined ? 'generated' : 'manual'),
    mac === undefined ? '' : field('macAddress', mac),
  ]
  return added(values.data(type, device.join('')))
}

function driveDevice(file: string | undefined, index: number, values: TypedValues): string {
  const backing =
    file === undefined
      ? values.data('VirtualCdromRemotePassthroughBackingInfo', field('deviceName', '') + field('exclusive', false))
      : values.data('VirtualCdromIsoBackingInfo', field('fileName', file))
  return added(values.data('VirtualCdrom', field('key', -400 - index) + element('backing', backing)))
}

/** How a host would make a machine: its fields in the order of the schema. */
export function writeImportSpec(described: OvfPackage, wishes: SpecWishes, values: TypedValues): string {
  const { uuid, annotation, guestId, version, cpus, memoryMb, firmware, secureBoot, disks, cards, drives, files } = described
  const controllers = controllersOf(described)
  const hrefOf = (id: string | undefined) => files.find((file) => file.id === id)?.href
  const config = [
    field('name', wishes.name),
    field('version', version),
    uuid === undefined ? '' : field('uuid', uuid),
    field('guestId', guestId),
    annotation === undefined ? '' : field('annotation', annotation),
    element('files', plain(field('vmPathName', `[${wishes.datastore}]`))),
    field('numCPUs', cpus),
    field('memoryMB', memoryMb),
    ...controllers.map(({ type, bus }, index) => added(values.data(type, field('key', -200 - index) + field('busNumber', bus)))),
    ...disks.map((disk, index) => diskDevice(disk, index, controllers, wishes, values)),
    ...cards.map((card, index) => cardDevice(card, index, wishes, values)),
    ...drives.map(({ file }, index) => driveDevice(hrefOf(file), index, values)),
    element('bootOptions', plain(field('efiSecureBootEnabled', secureBoot))),
    field('firmware', firmware),
  ]
  return element('importSpec', values.data('VirtualMachineImportSpec', element('configSpec', plain(config.join('')))))
}

/** What the host wants to get, in this order: the disks, what is in the drives, what the firmware remembers. */
export function fileItems({ disks, drives, nvram, files }: OvfPackage, name: string): string {
  const item = (device: string, id: string, type: number, create: boolean): string => {
    const file = files.find((one) => one.id === id)
    if (file === undefined) return ''
    const { href, size, compression, chunkSize } = file
    const form =
      (compression === undefined ? '' : field('compressionMethod', compression)) +
      (chunkSize === undefined ? '' : field('chunkSize', chunkSize))
    const content = [
      field('deviceId', `/${name}/${device}`),
      field('path', href),
      form,
      size === undefined ? '' : field('size', size),
      field('cimType', type),
      field('create', create),
    ]
    return element('fileItem', plain(content.join('')))
  }
  return [
    ...disks.map((disk) => (disk.file === undefined ? '' : item(slotOf(disk), disk.file, 17, false))),
    ...drives.map(({ file }, index) => (file === undefined ? '' : item(`VirtualIDEController1:${index}`, file, 15, true))),
    nvram === undefined ? '' : item('nvram', nvram, 1, true),
  ].join('')
}
