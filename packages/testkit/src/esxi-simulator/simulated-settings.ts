import { seededRandom } from '../random.ts'
import { deviceList } from './device-values.ts'
import type { SimulatedHardware } from './simulated-devices.ts'
import type { SimulatedPlaces } from './simulated-places.ts'
import { element, field, reference, type TypedValues, type XmlValue } from './soap-answer.ts'

/** What a machine is told to be, besides its devices. Everything has a default. */
export interface SettingsOptions {
  /** Default: the same as `uuid`. `null`: the host knows none. */
  readonly instanceUuid?: string | null
  /** Default `bios`. */
  readonly firmware?: 'bios' | 'efi'
  /** Default false. */
  readonly secureBoot?: boolean
  /** What the firmware remembers. Default: some bytes that are like no other machine's. */
  readonly nvram?: Uint8Array
  /** Default `ubuntu64Guest`. */
  readonly guestId?: string
  /** Default 2. */
  readonly cpus?: number
  /** Default 1. */
  readonly coresPerSocket?: number
  /** MiB. Default 1024. */
  readonly memory?: number
  /** Default false. */
  readonly template?: boolean
  /** Its files are encrypted. Default false. */
  readonly encrypted?: boolean
  /** Version of its hardware. Default 19. */
  readonly hardwareVersion?: number
  /** Changes of its disks are tracked. Default false. */
  readonly changeTracking?: boolean
  /** Keys of the disks that the firmware tries, in order. Default: it has no list. */
  readonly bootOrder?: readonly number[]
  /** Custom attributes, which only a vCenter server has. */
  readonly attributes?: { readonly [name: string]: string }
}

/** The settings of a machine; whoever reconfigures it changes them. */
export interface SimulatedSettings {
  uuid: string
  instanceUuid: string | undefined
  firmware: 'bios' | 'efi'
  secureBoot: boolean
  nvram: Uint8Array
  guestId: string
  cpus: number
  coresPerSocket: number
  memory: number
  template: boolean
  encrypted: boolean
  readonly hardwareVersion: number
  changeTracking: boolean
  bootOrder: readonly number[]
  readonly extraConfig: Map<string, string>
  readonly attributes: { readonly [name: string]: string }
}

export function createSettings(uuid: string, options: SettingsOptions): SimulatedSettings {
  const { instanceUuid, nvram, ...given } = options
  return {
    uuid,
    instanceUuid: instanceUuid === null ? undefined : (instanceUuid ?? uuid),
    nvram: nvram ?? seededRandom(2).fork(uuid).bytes(8684),
    firmware: given.firmware ?? 'bios',
    secureBoot: given.secureBoot ?? false,
    guestId: given.guestId ?? 'ubuntu64Guest',
    cpus: given.cpus ?? 2,
    coresPerSocket: given.coresPerSocket ?? 1,
    memory: given.memory ?? 1024,
    template: given.template ?? false,
    encrypted: given.encrypted ?? false,
    hardwareVersion: given.hardwareVersion ?? 19,
    changeTracking: given.changeTracking ?? false,
    bootOrder: given.bootOrder ?? [],
    extraConfig: new Map(),
    attributes: given.attributes ?? {},
  }
}

const plain = (content: string): XmlValue => ({ attributes: '', content })

function bootOptions({ secureBoot, bootOrder }: SimulatedSettings, values: TypedValues): XmlValue {
  const order = bootOrder.map((key) =>
    element('bootOrder', values.data('VirtualMachineBootOptionsBootableDiskDevice', field('deviceKey', key))),
  )
  return values.data('VirtualMachineBootOptions', field('efiSecureBootEnabled', secureBoot) + order.join(''))
}

function usage(hardware: SimulatedHardware, places: SimulatedPlaces, values: TypedValues): XmlValue {
  const used = places.datastores.flatMap(({ name, value }) => {
    const sizes = hardware.disks.filter(({ datastore }) => datastore === name).map(({ content }) => content.size)
    if (sizes.length === 0) return []
    const committed = sizes.reduce((sum, size) => sum + size, 0)
    const counted = field('committed', committed) + field('uncommitted', 0) + field('unshared', committed)
    return [element('VirtualMachineUsageOnDatastore', plain(reference('datastore', 'Datastore', value) + counted))]
  })
  return values.data('ArrayOfVirtualMachineUsageOnDatastore', used.join(''))
}

function references(objects: readonly { readonly type: string; readonly value: string }[], values: TypedValues): XmlValue {
  const each = objects.map(({ type, value }) => reference('ManagedObjectReference', type, value))
  return values.data('ArrayOfManagedObjectReference', each.join(''))
}

function customFields(attributes: SimulatedSettings['attributes'], values: TypedValues) {
  const all = Object.entries(attributes)
  const defined = all.map(([name], index) => element('CustomFieldDef', plain(field('key', 101 + index) + field('name', name))))
  const given = all.map(([, value], index) =>
    element('CustomFieldValue', values.data('CustomFieldStringValue', field('key', 101 + index) + field('value', value))),
  )
  return {
    availableField: values.data('ArrayOfCustomFieldDef', defined.join('')),
    customValue: values.data('ArrayOfCustomFieldValue', given.join('')),
  }
}

const optionValues = (options: ReadonlyMap<string, string>, values: TypedValues): XmlValue =>
  values.data(
    'ArrayOfOptionValue',
    [...options].map(([key, value]) => element('OptionValue', plain(field('key', key) + element('value', values.text(value))))).join(''),
  )

/** The properties of a machine that say what it is made of. */
export function settingsProperties(
  name: string,
  settings: SimulatedSettings,
  hardware: SimulatedHardware,
  places: SimulatedPlaces,
  values: TypedValues,
) {
  const { datastores, networks } = places
  const used = datastores.filter((store) => hardware.disks.some(({ datastore }) => datastore === store.name))
  const plugged = networks.filter((network) => hardware.cards.some((card) => card.network === network.name))
  const home = hardware.disks[0]?.datastore ?? datastores[0]?.name ?? 'datastore1'
  return {
    'config.uuid': values.text(settings.uuid),
    'config.instanceUuid': settings.instanceUuid === undefined ? undefined : values.text(settings.instanceUuid),
    'config.template': values.truth(settings.template),
    'config.version': values.text(`vmx-${String(settings.hardwareVersion).padStart(2, '0')}`),
    'config.guestId': values.text(settings.guestId),
    'config.firmware': values.text(settings.firmware),
    'config.bootOptions': bootOptions(settings, values),
    'config.changeTrackingEnabled': values.truth(settings.changeTracking),
    'config.keyId': settings.encrypted ? values.data('CryptoKeyId', field('keyId', 'key-1')) : undefined,
    'config.extraConfig': optionValues(settings.extraConfig, values),
    'config.files.vmPathName': values.text(`[${home}] ${name}/${name}.vmx`),
    'config.hardware.numCPU': values.int(settings.cpus),
    'config.hardware.numCoresPerSocket': values.int(settings.coresPerSocket),
    'config.hardware.memoryMB': values.int(settings.memory),
    'config.hardware.device': deviceList(hardware, values, places),
    'capability.changeTrackingSupported': values.truth(settings.hardwareVersion >= 7),
    'storage.perDatastoreUsage': usage(hardware, places, values),
    datastore: references(used, values),
    network: references(plugged, values),
    parent: values.reference(places.machineFolder.type, places.machineFolder.value),
    resourcePool: settings.template ? undefined : values.reference(places.resourcePool.type, places.resourcePool.value),
    'runtime.host': places.hosts[0] && values.reference('HostSystem', places.hosts[0].value),
    ...customFields(settings.attributes, values),
  }
}
