import type { SimulatedCard, SimulatedCdrom, SimulatedController, SimulatedHardware } from './simulated-devices.ts'
import type { SimulatedBacking, SimulatedDisk } from './simulated-disk.ts'
import type { SimulatedPlaces } from './simulated-places.ts'
import { element, field, reference, type TypedValues, type XmlValue } from './soap-answer.ts'

const plain = (content: string): XmlValue => ({ attributes: '', content })
const label = (text: string): string => element('deviceInfo', plain(field('label', text) + field('summary', text)))
const plugged = (controller: number | undefined, unit: number | undefined): string =>
  (controller === undefined ? '' : field('controllerKey', controller)) + (unit === undefined ? '' : field('unitNumber', unit))
const connectable = (connected: boolean, startConnected = connected, guestControl = true): string =>
  element(
    'connectable',
    plain(field('startConnected', startConnected) + field('allowGuestControl', guestControl) + field('connected', connected)),
  )

const backings: { readonly [Kind in SimulatedBacking]: string } = {
  flat: 'VirtualDiskFlatVer2BackingInfo',
  sparse: 'VirtualDiskSparseVer2BackingInfo',
  seSparse: 'VirtualDiskSeSparseBackingInfo',
  rdmVirtual: 'VirtualDiskRawDiskMappingVer1BackingInfo',
  rdmPhysical: 'VirtualDiskRawDiskMappingVer1BackingInfo',
}

/** The files below, each in the one above it. */
function parentOf(disk: SimulatedDisk, [fileName, ...others]: readonly string[], values: TypedValues): string {
  if (fileName === undefined) return ''
  const own = field('fileName', fileName) + field('diskMode', disk.mode) + parentOf(disk, others, values)
  return element('parent', values.data(backings[disk.backing], own))
}

function backingOf(disk: SimulatedDisk, values: TypedValues, places: SimulatedPlaces): XmlValue {
  const raw = disk.backing.startsWith('rdm')
  const optional = (name: string, value: string | undefined) => (value === undefined ? '' : field(name, value))
  const datastore = places.datastores.find(({ name }) => name === disk.datastore)
  return values.data(
    backings[disk.backing],
    [
      field('fileName', disk.fileName),
      datastore === undefined ? '' : reference('datastore', 'Datastore', datastore.value),
      raw ? field('compatibilityMode', disk.backing === 'rdmPhysical' ? 'physicalMode' : 'virtualMode') : '',
      field('diskMode', disk.mode),
      disk.backing === 'flat' ? field('thinProvisioned', disk.thin) : '',
      optional('uuid', disk.uuid),
      optional('changeId', disk.changeId),
      raw ? '' : parentOf(disk, disk.parents, values),
      disk.backing === 'flat' || raw ? field('sharing', disk.multiWriter ? 'sharingMultiWriter' : 'sharingNone') : '',
      disk.encrypted && !raw ? element('keyId', plain(field('keyId', 'key-1'))) : '',
    ].join(''),
  )
}

const diskValue = (disk: SimulatedDisk, values: TypedValues, places: SimulatedPlaces): XmlValue =>
  values.data(
    'VirtualDisk',
    [
      field('key', disk.key),
      label(disk.label),
      element('backing', backingOf(disk, values, places)),
      plugged(disk.controllerKey, disk.unit),
      field('capacityInKB', disk.content.size / 1024),
      field('capacityInBytes', disk.content.size),
    ].join(''),
  )

function controllerValue({ key, type, bus, sharing }: SimulatedController, values: TypedValues): XmlValue {
  const shared = /SCSI|Lsi|Bus/.test(type) ? field('sharedBus', sharing) : ''
  return values.data(type, `${field('key', key)}${label(`${type} ${bus}`)}${field('busNumber', bus)}${shared}`)
}

function cardBacking({ network: name }: SimulatedCard, values: TypedValues, places: SimulatedPlaces): XmlValue {
  const network = places.networks.find((one) => one.name === name)
  if (network?.type === 'DistributedVirtualPortgroup')
    return values.data(
      'VirtualEthernetCardDistributedVirtualPortBackingInfo',
      element('port', plain(field('switchUuid', '50 1a') + field('portgroupKey', network.key))),
    )
  if (network?.type === 'OpaqueNetwork')
    return values.data(
      'VirtualEthernetCardOpaqueNetworkBackingInfo',
      field('opaqueNetworkId', network.key) + field('opaqueNetworkType', 'nsx.LogicalSwitch'),
    )
  const known = network === undefined ? '' : reference('network', 'Network', network.value)
  return values.data('VirtualEthernetCardNetworkBackingInfo', `${field('deviceName', name)}${field('useAutoDetect', false)}${known}`)
}

const cardValue = (card: SimulatedCard, values: TypedValues, places: SimulatedPlaces): XmlValue =>
  values.data(
    card.model,
    [
      field('key', card.key),
      label(card.label),
      element('backing', cardBacking(card, values, places)),
      connectable(card.connected, card.startConnected, card.guestControl),
      plugged(100, card.key - 4000 + 7),
      field('addressType', 'assigned'),
      field('macAddress', card.mac),
    ].join(''),
  )

function cdromValue({ key, label: name, iso }: SimulatedCdrom, values: TypedValues): XmlValue {
  const backing =
    iso === undefined
      ? values.data('VirtualCdromRemotePassthroughBackingInfo', field('deviceName', '') + field('exclusive', false))
      : values.data('VirtualCdromIsoBackingInfo', field('fileName', iso))
  return values.data('VirtualCdrom', field('key', key) + label(name) + element('backing', backing) + connectable(true) + plugged(201, 0))
}

/** Devices as a host lists them, among them some that are of no use to anybody here. */
export function deviceList(hardware: SimulatedHardware, values: TypedValues, places: SimulatedPlaces): XmlValue {
  const { controllers, disks, cards, cdroms, others } = hardware
  const devices = [
    values.data('VirtualPCIController', field('key', 100) + label('PCI controller 0') + field('busNumber', 0)),
    values.data('VirtualPS2Controller', field('key', 300) + label('PS2 controller 0') + field('busNumber', 0)),
    ...controllers.map((one) => controllerValue(one, values)),
    values.data('VirtualMachineVideoCard', field('key', 500) + label('Video card') + plugged(100, 0) + field('videoRamSizeInKB', 4096)),
    ...disks.map((one) => diskValue(one, values, places)),
    ...cdroms.map((one) => cdromValue(one, values)),
    ...cards.map((one) => cardValue(one, values, places)),
    ...others.map((type, index) => values.data(type, field('key', 11_000 + index) + label(type))),
  ]
  return values.data('ArrayOfVirtualDevice', devices.map((one) => element('VirtualDevice', one)).join(''))
}
