import { type CallOptions, formatBytes, HoldfastError } from '@holdfast/core/spec'
import type { Connection } from '../connection.ts'
import type { KnownNetwork } from '../inventory/network-cards.ts'
import { decodeName } from '../inventory/object-name.ts'
import { createPlaces, datastoreOf, type FoundDatastore } from '../inventory/places.ts'
import { retrieveAll, retrieveOne } from '../vim25/retrieve.ts'
import type { Session } from '../vim25/session.ts'
import type { Data, MoRef } from '../vim25/values.ts'
import { type Choice, chooseOne } from './choose-one.ts'
import type { RestoreOptions } from './restore-options.ts'

/** Where a machine is made. */
export interface ChosenPlaces {
  readonly pool: MoRef<'ResourcePool'>
  readonly host: MoRef<'HostSystem'> | undefined
  readonly folder: MoRef<'Folder'>
  readonly datastore: FoundDatastore
  /** Networks that can be reached from there. */
  readonly networks: readonly KnownNetwork[]
}

interface Found<Type extends string> extends Choice {
  readonly ref: MoRef<Type>
  readonly values: { readonly [path: string]: unknown }
}

async function all<Type extends string>(
  session: Session,
  type: Type,
  paths: readonly string[],
  options: CallOptions,
): Promise<Found<Type>[]> {
  const found: Found<Type>[] = []
  for await (const { ref, values } of retrieveAll(session, type, ['name', ...paths], options))
    found.push({ ref, values, names: [decodeName(String(values.name ?? ref.value)), ref.value] })
  return found
}

const isRef = (value: unknown): value is MoRef => typeof value === 'object' && value !== null && 'type' in value && 'value' in value
/** Undefined: the host does not say. */
const refsIn = (value: unknown): readonly MoRef[] | undefined => (Array.isArray(value) ? value.filter(isRef) : undefined)
const same = (one: unknown, other: unknown): boolean => isRef(one) && isRef(other) && one.value === other.value

/** Pools that hang on a host or a cluster itself are called `Resources` everywhere: people know them by what they hang on. */
async function poolsOf(session: Session, options: CallOptions): Promise<readonly Found<'ResourcePool'>[]> {
  const pools = await all(session, 'ResourcePool', ['owner', 'parent'], options)
  const owners = new Map<string, string>()
  for (const { values } of pools) {
    if (!isRef(values.owner) || owners.has(values.owner.value)) continue
    const owner = await retrieveOne(session, values.owner, ['name'], options)
    owners.set(values.owner.value, decodeName(String(owner.values.name ?? values.owner.value)))
  }
  return pools.map((pool) => {
    const owner = isRef(pool.values.owner) ? owners.get(pool.values.owner.value) : undefined
    const isTop = isRef(pool.values.parent) && pool.values.parent.type !== 'ResourcePool'
    return isTop && owner !== undefined ? { ...pool, names: [owner, ...pool.names] } : pool
  })
}

async function choosePool(session: Session, host: Found<'HostSystem'> | undefined, asked: string | undefined, options: CallOptions) {
  const pools = await poolsOf(session, options)
  if (asked === undefined && host !== undefined) {
    const own = pools.filter(({ values }) => same(values.owner, host.values.parent) && same(values.parent, values.owner))
    if (own.length === 1 && own[0] !== undefined) return own[0]
  }
  return chooseOne('resourcePool', 'resource pool', asked, pools)
}

/** From an object upwards to its datacenter. */
async function datacenterOf(session: Session, from: unknown, options: CallOptions): Promise<string | undefined> {
  let current = from
  while (isRef(current) && current.type !== 'Datacenter') current = (await retrieveOne(session, current, ['parent'], options)).values.parent
  return isRef(current) ? current.value : undefined
}

async function chooseFolder(
  session: Session,
  pool: Found<'ResourcePool'>,
  asked: string | undefined,
  options: CallOptions,
): Promise<MoRef<'Folder'>> {
  if (asked !== undefined) {
    const folders = await all(session, 'Folder', ['childType'], options)
    const forMachines = folders.filter(({ values }) => Array.isArray(values.childType) && values.childType.includes('VirtualMachine'))
    return chooseOne('folder', 'folder of machines', asked, forMachines).ref
  }
  const datacenters = await all(session, 'Datacenter', ['vmFolder'], options)
  const home = datacenters.length > 1 ? await datacenterOf(session, pool.values.owner, options) : undefined
  const datacenter = chooseOne(
    'folder',
    'datacenter',
    undefined,
    home === undefined ? datacenters : datacenters.filter(({ ref }) => ref.value === home),
  )
  const { vmFolder } = datacenter.values
  if (isRef(vmFolder)) return { type: 'Folder', value: vmFolder.value }
  throw new HoldfastError('PROVIDER_FAILED', `The datacenter ${datacenter.names[0]} has no folder of machines.`, { retryable: false })
}

/** What keeps a datastore from taking a machine; undefined: nothing. */
function trouble({ accessible, maintenance }: FoundDatastore): string | undefined {
  if (!accessible) return 'it cannot be reached'
  return maintenance === 'normal' ? undefined : `it is in maintenance (${maintenance})`
}

async function chooseDatastore(
  session: Session,
  host: Found<'HostSystem'> | undefined,
  asked: string | undefined,
  options: CallOptions,
): Promise<FoundDatastore> {
  const found = await all(session, 'Datastore', ['summary'], options)
  const own = refsIn(host?.values.datastore)
  const reachable = own === undefined ? found : found.filter(({ ref }) => own.some((one) => same(one, ref)))
  const stores = reachable.flatMap(({ ref, names, values }) => {
    const { summary } = values
    return summary === undefined ? [] : [{ names, store: datastoreOf(ref, summary as Data<'DatastoreSummary'>) }]
  })
  const usable = stores.filter(({ store }) => trouble(store) === undefined)
  const { store } = chooseOne('datastore', 'datastore', asked, asked === undefined ? usable : stores)
  const problem = trouble(store)
  if (problem === undefined) return store
  throw new HoldfastError('UNREACHABLE', `The datastore ${store.name} takes no machine now: ${problem}.`, {
    remedy: 'Bring the datastore back, or choose another one with options.datastore.',
    details: { datastore: store.name },
  })
}

const networkTypes = ['Network', 'DistributedVirtualPortgroup', 'OpaqueNetwork']

async function networksOf(session: Session, host: Found<'HostSystem'> | undefined, options: CallOptions): Promise<readonly KnownNetwork[]> {
  const refs = new Map<string, MoRef>()
  const own = refsIn(host?.values.network)
  if (own !== undefined) for (const ref of own) refs.set(ref.value, ref)
  else for (const type of networkTypes) for await (const { ref } of retrieveAll(session, type, ['name'], options)) refs.set(ref.value, ref)
  return createPlaces(session).networks([...refs.values()], options)
}

/** A host that is asked for, or the only one there is; of several the cluster chooses. */
async function chooseHost(session: Session, asked: string | undefined, options: CallOptions): Promise<Found<'HostSystem'> | undefined> {
  const hosts = await all(session, 'HostSystem', ['parent', 'datastore', 'network'], options)
  return asked !== undefined || hosts.length === 1 ? chooseOne('host', 'host', asked, hosts) : undefined
}

/**
 * Resolves where a machine is made, from options and from what there is. Reads only.
 * @throws INVALID_OPTIONS: nothing of this name, or several choices and no option. UNREACHABLE: the datastore cannot be used now.
 */
export async function choosePlaces({ session }: Connection, asked: RestoreOptions, options: CallOptions): Promise<ChosenPlaces> {
  const host = await chooseHost(session, asked.host, options)
  const pool = await choosePool(session, host, asked.resourcePool, options)
  return {
    pool: pool.ref,
    host: host?.ref,
    folder: await chooseFolder(session, pool, asked.folder, options),
    datastore: await chooseDatastore(session, host, asked.datastore, options),
    networks: await networksOf(session, host, options),
  }
}

/** @throws DISK_FULL: the datastore has less than what the machine needs at once. */
export function requireSpace({ name, freeBytes }: FoundDatastore, neededBytes: number): void {
  if (freeBytes >= neededBytes) return
  throw new HoldfastError(
    'DISK_FULL',
    `The datastore ${name} has ${formatBytes(freeBytes)} left; the machine needs ${formatBytes(neededBytes)}.`,
    {
      remedy: 'Free space on the datastore, choose another one with options.datastore, or options.diskProvisioning: "thin".',
      details: { datastore: name, freeBytes, neededBytes },
    },
  )
}
