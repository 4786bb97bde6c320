import { type CallOptions, formatBytes, HoldfastError } from '@holdfast/core/spec'
import type { Connection } from '../connection.ts'
import type { KnownNetwork } from '../inventory/network-cards.ts'
import { decodeName } from '../inventory/object-name.ts'
import { createPlaces, datastoreOf, type FoundDatastore } from '../inventory/places.ts'
import { nameOf } from '../vim25/host-requests.ts'
import { retrieveOne, retrieveSome, retrieveTypes } from '../vim25/retrieve.ts'
import type { Session } from '../vim25/session.ts'
import type { Data, MoRef } from '../vim25/values.ts'
import { type Choice, chooseOne } from './choose-one.ts'
import type { RestoreOptions } from './restore-options.ts'

/** Where a machine is made. */
export interface ChosenPlaces {
  /** The host or vCenter server as it was configured, for messages. */
  readonly at: string
  readonly pool: MoRef<'ResourcePool'>
  readonly host: MoRef<'HostSystem'> | undefined
  readonly folder: MoRef<'Folder'>
  readonly datastore: FoundDatastore
  /** Networks that can be reached from there. */
  readonly networks: readonly KnownNetwork[]
}

/** Where a machine is that the new one will take the place of: it is made there, unless options say otherwise. */
export interface Home {
  readonly pool?: MoRef<'ResourcePool'> | undefined
  readonly folder?: MoRef<'Folder'> | undefined
}

interface Found<Type extends string> extends Choice {
  readonly ref: MoRef<Type>
  readonly values: { readonly [path: string]: unknown }
}

/** A vApp is a pool too. */
const poolTypes: readonly string[] = ['ResourcePool', 'VirtualApp']

/** All that a machine can be made on or in: `Folder` where one is asked for by name, else `Datacenter`, each of which has one. */
interface Listed {
  readonly hosts: readonly Found<'HostSystem'>[]
  readonly pools: readonly Found<'ResourcePool'>[]
  readonly datastores: readonly Found<'Datastore'>[]
  readonly folders: readonly Found<'Folder'>[]
  readonly datacenters: readonly Found<'Datacenter'>[]
}

/** With one question: each costs the way to the host and back. */
async function listPlaces(session: Session, { folder }: RestoreOptions, options: CallOptions): Promise<Listed> {
  const found: Found<string>[] = []
  const wanted = {
    HostSystem: ['name', 'parent', 'datastore', 'network'],
    ResourcePool: ['name', 'owner', 'parent'],
    Datastore: ['name', 'summary'],
    ...(folder === undefined ? { Datacenter: ['name', 'vmFolder'] } : { Folder: ['name', 'childType'] }),
  }
  for await (const { ref, values } of retrieveTypes(session, wanted, options))
    found.push({ ref, values, names: [decodeName(String(values.name ?? ref.value)), ref.value] })
  const of = <Type extends string>(...types: readonly string[]) =>
    found.filter(({ ref }) => types.includes(ref.type)) as unknown as readonly Found<Type>[]
  return {
    hosts: of<'HostSystem'>('HostSystem'),
    pools: of<'ResourcePool'>(...poolTypes),
    datastores: of<'Datastore'>('Datastore'),
    folders: of<'Folder'>('Folder'),
    datacenters: of<'Datacenter'>('Datacenter'),
  }
}

const isRef = (value: unknown): value is MoRef => typeof value === 'object' && value !== null && 'type' in value && 'value' in value
/** Undefined: the host does not say. */
const refsIn = (value: unknown): readonly MoRef[] | undefined => (Array.isArray(value) ? value.filter(isRef) : undefined)
const same = (one: unknown, other: unknown): boolean => isRef(one) && isRef(other) && one.value === other.value

/** Pools that hang on a host or a cluster itself are called `Resources` everywhere: people know them by what they hang on. */
async function withOwners(
  session: Session,
  pools: readonly Found<'ResourcePool'>[],
  options: CallOptions,
): Promise<readonly Found<'ResourcePool'>[]> {
  const owners = new Map(pools.flatMap(({ values: { owner } }) => (isRef(owner) ? [[owner.value, owner]] : [])))
  const names = new Map<string, string>()
  for await (const { ref, values } of retrieveSome(session, [...owners.values()], { ComputeResource: ['name'] }, options))
    names.set(ref.value, decodeName(String(values.name ?? ref.value)))
  return pools.map((pool) => {
    const owner = isRef(pool.values.owner) ? (names.get(pool.values.owner.value) ?? pool.values.owner.value) : undefined
    const isTop = isRef(pool.values.parent) && !poolTypes.includes(pool.values.parent.type)
    return isTop && owner !== undefined ? { ...pool, names: [owner, ...pool.names] } : pool
  })
}

async function choosePool(
  { session, settings }: Connection,
  listed: Listed,
  host: Found<'HostSystem'> | undefined,
  { asked, home }: { readonly asked: string | undefined; readonly home: MoRef | undefined },
  options: CallOptions,
) {
  const pools = await withOwners(session, listed.pools, options)
  const before = asked === undefined ? pools.find(({ ref }) => ref.value === home?.value) : undefined
  if (before !== undefined) return before
  if (asked === undefined && host !== undefined) {
    const own = pools.filter(({ values }) => same(values.owner, host.values.parent) && same(values.parent, values.owner))
    if (own.length === 1 && own[0] !== undefined) return own[0]
  }
  return chooseOne({ option: 'resourcePool', what: 'resource pool', at: nameOf(settings) }, asked, pools)
}

/** From an object upwards to its datacenter. */
async function datacenterOf(session: Session, from: unknown, options: CallOptions): Promise<string | undefined> {
  let current = from
  while (isRef(current) && current.type !== 'Datacenter') current = (await retrieveOne(session, current, ['parent'], options)).values.parent
  return isRef(current) ? current.value : undefined
}

async function chooseFolder(
  { session, settings }: Connection,
  { folders, datacenters }: Listed,
  pool: Found<'ResourcePool'>,
  asked: string | undefined,
  options: CallOptions,
): Promise<MoRef<'Folder'>> {
  const at = nameOf(settings)
  if (asked !== undefined) {
    const forMachines = folders.filter(({ values }) => Array.isArray(values.childType) && values.childType.includes('VirtualMachine'))
    return chooseOne({ option: 'folder', what: 'folder of machines', at }, asked, forMachines).ref
  }
  const home = datacenters.length > 1 ? await datacenterOf(session, pool.values.owner, options) : undefined
  const datacenter = chooseOne(
    { option: 'folder', what: 'datacenter', at },
    undefined,
    home === undefined ? datacenters : datacenters.filter(({ ref }) => ref.value === home),
  )
  const { vmFolder } = datacenter.values
  if (isRef(vmFolder)) return { type: 'Folder', value: vmFolder.value }
  throw new HoldfastError('PROVIDER_FAILED', `The datacenter ${datacenter.names[0]} on ${at} has no folder of machines.`, {
    retryable: false,
  })
}

/** What keeps a datastore from taking a machine; undefined: nothing. */
function trouble({ accessible, maintenance }: FoundDatastore): string | undefined {
  if (!accessible) return 'it cannot be reached'
  return maintenance === 'normal' ? undefined : `it is in maintenance (${maintenance})`
}

function noneUsable(stores: readonly FoundDatastore[], at: string): HoldfastError {
  const each = stores.map((store) => `${store.name}: ${trouble(store)}`).join('; ')
  return new HoldfastError('UNREACHABLE', `No datastore on ${at} takes a machine now. ${each}.`, {
    remedy: 'Bring one of the datastores back.',
    details: { datastores: stores.map(({ name }) => name) },
  })
}

function chooseDatastore(
  { settings }: Connection,
  { datastores }: Listed,
  host: Found<'HostSystem'> | undefined,
  asked: string | undefined,
): FoundDatastore {
  const own = refsIn(host?.values.datastore)
  const reachable = own === undefined ? datastores : datastores.filter(({ ref }) => own.some((one) => same(one, ref)))
  const stores = reachable.flatMap(({ ref, names, values }) => {
    const { summary } = values
    return summary === undefined ? [] : [{ names, store: datastoreOf(ref, summary as Data<'DatastoreSummary'>) }]
  })
  const at = nameOf(settings)
  const usable = stores.filter(({ store }) => trouble(store) === undefined)
  if (asked === undefined && usable.length === 0 && stores.length > 0)
    throw noneUsable(
      stores.map(({ store }) => store),
      at,
    )
  const { store } = chooseOne({ option: 'datastore', what: 'datastore', at }, asked, asked === undefined ? usable : stores)
  const problem = trouble(store)
  if (problem === undefined) return store
  throw new HoldfastError('UNREACHABLE', `The datastore ${store.name} on ${at} takes no machine now: ${problem}.`, {
    remedy: 'Bring the datastore back, or choose another one with options.datastore.',
    details: { datastore: store.name },
  })
}

const anyNetwork = { Network: ['name'], DistributedVirtualPortgroup: ['name'], OpaqueNetwork: ['name'] }

async function networksOf(session: Session, host: Found<'HostSystem'> | undefined, options: CallOptions): Promise<readonly KnownNetwork[]> {
  const refs = new Map<string, MoRef>()
  const own = refsIn(host?.values.network)
  if (own !== undefined) for (const ref of own) refs.set(ref.value, ref)
  else for await (const { ref } of retrieveTypes(session, anyNetwork, options)) refs.set(ref.value, ref)
  return createPlaces(session).networks([...refs.values()], options)
}

/** A host that is asked for, or the only one there is; of several the cluster chooses. */
function chooseHost({ settings }: Connection, { hosts }: Listed, asked: string | undefined): Found<'HostSystem'> | undefined {
  return asked !== undefined || hosts.length === 1
    ? chooseOne({ option: 'host', what: 'host', at: nameOf(settings) }, asked, hosts)
    : undefined
}

/**
 * Resolves where a machine is made, from options and from what there is. Reads only.
 * @throws INVALID_OPTIONS: nothing of this name, or several choices and no option. UNREACHABLE: the datastore cannot be used now.
 */
export async function choosePlaces(
  connection: Connection,
  asked: RestoreOptions,
  options: CallOptions,
  home: Home = {},
): Promise<ChosenPlaces> {
  const { session, settings } = connection
  const listed = await listPlaces(session, asked, options)
  const host = chooseHost(connection, listed, asked.host)
  const pool = await choosePool(
    connection,
    listed,
    host,
    // A host that is asked for has pools of its own.
    { asked: asked.resourcePool, home: asked.host === undefined ? home.pool : undefined },
    options,
  )
  return {
    at: nameOf(settings),
    pool: pool.ref,
    host: host?.ref,
    folder: asked.folder === undefined && home.folder ? home.folder : await chooseFolder(connection, listed, pool, asked.folder, options),
    datastore: chooseDatastore(connection, listed, host, asked.datastore),
    networks: await networksOf(session, host, options),
  }
}

/** @throws DISK_FULL: the datastore has less than what the machine needs at once. */
export function requireSpace(
  { datastore: { name, freeBytes }, at }: Pick<ChosenPlaces, 'at' | 'datastore'>,
  neededBytes: number,
  { diskProvisioning }: Pick<RestoreOptions, 'diskProvisioning'>,
): void {
  if (freeBytes >= neededBytes) return
  throw new HoldfastError(
    'DISK_FULL',
    `The datastore ${name} on ${at} has ${formatBytes(freeBytes)} left; the machine needs ${formatBytes(neededBytes)}.`,
    {
      remedy: `Free space on the datastore, or choose another one with options.datastore${diskProvisioning === 'thin' ? '.' : ', or options.diskProvisioning: "thin".'}`,
      details: { datastore: name, freeBytes, neededBytes },
    },
  )
}
