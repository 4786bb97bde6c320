import type { SimulatedObject, SimulatedWorld } from './simulated-world.ts'
import { field, reference, type TypedValues, type XmlValue } from './soap-answer.ts'

/** A datastore. Everything but its name has a default. */
export interface DatastoreOptions {
  readonly name: string
  /** Bytes. Default 1 TiB, half of it free. */
  readonly capacity?: number
  readonly free?: number
  /** Default true. */
  readonly accessible?: boolean
  /** Default `VMFS`. */
  readonly type?: string
  /** Default `normal`. */
  readonly maintenance?: string
}

/** A network of a simulated host. */
export interface NetworkOptions {
  readonly name: string
  /** Default `Network`: a port group of a standard switch. */
  readonly type?: 'Network' | 'DistributedVirtualPortgroup' | 'OpaqueNetwork'
}

/** A host of the inventory. Everything has a default. */
export interface HostSystemOptions {
  readonly name?: string
  /** Default `connected`. */
  readonly connectionState?: string
  /** Default false. */
  readonly maintenance?: boolean
  /** Address of the vCenter server that manages it. */
  readonly managedBy?: string
}

/** What there is on a simulated host besides machines. Everything has a default. */
export interface PlaceOptions {
  /** Default: `datastore1`. */
  readonly datastores?: readonly DatastoreOptions[]
  /** Default: `VM Network`. */
  readonly networks?: readonly NetworkOptions[]
  /** Default: one, of a vCenter two. */
  readonly hosts?: readonly HostSystemOptions[]
  /** The cluster of a vCenter chooses by itself which host a new machine goes to. Default true. */
  readonly choosesHosts?: boolean
}

/** A datastore; a test may change what is free. */
export interface SimulatedDatastore extends SimulatedObject {
  readonly name: string
  /** `VMFS`, `vsan` and so on. */
  readonly kind: string
  capacity: number
  free: number
  accessible: boolean
}

/** A network as the API shows it. */
export interface SimulatedNetwork extends SimulatedObject {
  readonly name: string
  /** Of a port group or an opaque network: what cards call it. */
  readonly key: string
}

/** Anything that has a place in the tree of the inventory. */
export interface SimulatedPlace extends SimulatedObject {
  readonly name: string
  readonly parent: SimulatedPlace | undefined
}

/** Where things are on a simulated host. */
export interface SimulatedPlaces {
  readonly rootFolder: SimulatedPlace
  readonly datacenter: SimulatedPlace
  /** Where machines are; of a vCenter a folder below that of the datacenter. */
  readonly machineFolder: SimulatedPlace
  readonly computeResource: SimulatedPlace
  readonly resourcePool: SimulatedPlace
  readonly hosts: readonly SimulatedPlace[]
  /** Nobody has to name the host that a new machine goes to. */
  readonly choosesHosts: boolean
  readonly datastores: SimulatedDatastore[]
  readonly networks: SimulatedNetwork[]
}

/** One for all hosts is enough here. */
export const autoStartManager = 'auto-start'

type Properties = (values: TypedValues) => { readonly [path: string]: XmlValue | undefined }

/** Names on the wire have no `%`, `/` and `\`. */
export const wireName = (name: string): string => name.replaceAll(/[%/\\]/g, (character) => `%${character.charCodeAt(0).toString(16)}`)

const tib = 2 ** 40

function createDatastore(world: SimulatedWorld, options: DatastoreOptions, parent: () => SimulatedPlace): SimulatedDatastore {
  const { name, capacity = tib, free = capacity / 2, accessible = true, type = 'VMFS', maintenance = 'normal' } = options
  const value = world.next('datastore')
  const datastore: SimulatedDatastore = {
    type: 'Datastore',
    value,
    name,
    kind: type,
    capacity,
    free,
    accessible,
    properties(values) {
      const summary = [
        reference('datastore', 'Datastore', value),
        field('name', wireName(name)),
        field('url', `ds:///vmfs/volumes/${value}/`),
        field('capacity', datastore.capacity),
        field('freeSpace', datastore.free),
        field('accessible', datastore.accessible),
        field('multipleHostAccess', false),
        field('type', type),
        field('maintenanceMode', maintenance),
      ]
      const parts = { name: values.text(wireName(name)), parent: values.reference('Folder', parent().value) }
      return { ...parts, summary: values.data('DatastoreSummary', summary.join('')) }
    },
  }
  world.add(datastore)
  return datastore
}

function createNetwork(world: SimulatedWorld, { name, type = 'Network' }: NetworkOptions): SimulatedNetwork {
  const value = world.next(type === 'DistributedVirtualPortgroup' ? 'dvportgroup' : 'network')
  const key = type === 'OpaqueNetwork' ? `opaque-of-${name}` : value
  const summary = `${field('name', name)}${field('opaqueNetworkId', key)}${field('opaqueNetworkType', 'nsx.LogicalSwitch')}`
  const network: SimulatedNetwork = {
    type,
    value,
    name,
    key,
    properties: (values) => ({
      name: values.text(wireName(name)),
      ...(type === 'DistributedVirtualPortgroup' && { key: values.text(key) }),
      ...(type === 'OpaqueNetwork' && { summary: values.data('OpaqueNetworkSummary', summary) }),
    }),
  }
  world.add(network)
  return network
}

interface PlaceParts {
  readonly type: string
  readonly value: string
  readonly name: string
  readonly parent?: SimulatedPlace
  readonly more?: Properties
}

function createPlace(world: SimulatedWorld, { type, value, name, parent, more }: PlaceParts): SimulatedPlace {
  const place: SimulatedPlace = {
    type,
    value,
    name,
    parent,
    properties: (values) => ({
      name: values.text(wireName(name)),
      ...(parent !== undefined && { parent: values.reference(parent.type, parent.value) }),
      ...more?.(values),
    }),
  }
  world.add(place)
  return place
}

const mixed = (values: TypedValues, objects: readonly SimulatedObject[]): XmlValue =>
  values.data('ArrayOfManagedObjectReference', objects.map(({ type, value }) => reference('ManagedObjectReference', type, value)).join(''))

function createHosts(
  world: SimulatedWorld,
  parent: SimulatedPlace,
  options: readonly HostSystemOptions[],
  alone: boolean,
  members: Properties,
) {
  return options.map(({ name, connectionState = 'connected', maintenance = false, managedBy }, index) =>
    createPlace(world, {
      type: 'HostSystem',
      value: alone ? 'ha-host' : world.next('host'),
      name: name ?? (alone ? 'localhost.localdomain' : `esx${index + 1}.example`),
      parent,
      more: (values) => ({
        ...members(values),
        'runtime.connectionState': values.enumeration('HostSystemConnectionState', connectionState),
        'runtime.inMaintenanceMode': values.truth(maintenance),
        'configManager.autoStartManager': values.reference('HostAutoStartManager', autoStartManager),
        ...(managedBy !== undefined && { 'summary.managementServerIp': values.text(managedBy) }),
      }),
    }),
  )
}

/** What may lie in a folder besides folders, by the names of those that every datacenter has; all others are of machines. */
const childTypes: { readonly [name: string]: string } = {
  'ha-folder-root': 'Datacenter',
  Datacenters: 'Datacenter',
  Sites: 'Datacenter',
  datastore: 'Datastore',
  host: 'ComputeResource',
}

function createFolder(world: SimulatedWorld, value: string, name: string, parent?: SimulatedPlace): SimulatedPlace {
  const more: Properties = (values) => ({
    childType: values.data('ArrayOfString', `<string>Folder</string>${field('string', childTypes[name] ?? 'VirtualMachine')}`),
  })
  return createPlace(world, { type: 'Folder', value, name, more, ...(parent && { parent }) })
}

/** The tree as a host that stands alone has it, or a vCenter server with nested folders and a cluster. */
export function createSimulatedPlaces(world: SimulatedWorld, options: PlaceOptions, kind: 'esxi' | 'vcenter'): SimulatedPlaces {
  const alone = kind === 'esxi'
  const id = (own: string, prefix: string) => (alone ? own : world.next(prefix))
  const folder = (own: string, name: string, parent?: SimulatedPlace) => createFolder(world, own, name, parent)
  const rootFolder = folder('root-folder', alone ? 'ha-folder-root' : 'Datacenters')
  const above = alone ? rootFolder : folder(world.next('group-d'), 'Sites', rootFolder)
  const datastores: SimulatedDatastore[] = []
  const networks: SimulatedNetwork[] = []
  const [vmFolderId, hostFolderId] = [id('ha-folder-vm', 'group-v'), id('ha-folder-host', 'group-h')]
  const members: Properties = (values) => ({ datastore: mixed(values, datastores), network: mixed(values, networks) })
  const datacenter = createPlace(world, {
    type: 'Datacenter',
    value: id('ha-datacenter', 'datacenter'),
    name: alone ? 'ha-datacenter' : 'Main',
    parent: above,
    more: (values) => ({
      ...members(values),
      vmFolder: values.reference('Folder', vmFolderId),
      hostFolder: values.reference('Folder', hostFolderId),
    }),
  })
  const vmFolder = folder(vmFolderId, 'vm', datacenter)
  const hostFolder = folder(hostFolderId, 'host', datacenter)
  const datastoreFolder = folder(id('ha-folder-datastore', 'group-s'), 'datastore', datacenter)
  const resourcePoolId = id('ha-root-pool', 'resgroup')
  const hosts: SimulatedPlace[] = []
  const computeResource = createPlace(world, {
    type: alone ? 'ComputeResource' : 'ClusterComputeResource',
    value: id('ha-compute-res', 'domain-c'),
    name: alone ? 'localhost.localdomain' : 'Cluster',
    parent: hostFolder,
    more: (values) => ({ ...members(values), host: mixed(values, hosts), resourcePool: values.reference('ResourcePool', resourcePoolId) }),
  })
  hosts.push(...createHosts(world, computeResource, options.hosts ?? (alone ? [{}] : [{}, {}]), alone, members))
  for (const one of options.datastores ?? [{ name: 'datastore1' }]) datastores.push(createDatastore(world, one, () => datastoreFolder))
  for (const one of options.networks ?? [{ name: 'VM Network' }]) networks.push(createNetwork(world, one))
  return {
    rootFolder,
    datacenter,
    machineFolder: alone ? vmFolder : folder(world.next('group-v'), 'Production', vmFolder),
    computeResource,
    resourcePool: createPlace(world, {
      type: 'ResourcePool',
      value: resourcePoolId,
      name: 'Resources',
      parent: computeResource,
      more: (values) => ({ owner: values.reference(computeResource.type, computeResource.value) }),
    }),
    hosts,
    choosesHosts: hosts.length === 1 || (options.choosesHosts ?? true),
    datastores,
    networks,
  }
}
