import type { CallOptions } from '@holdfast/core/spec'
import { type Retrieved, retrieveSome, type Wanted } from '../vim25/retrieve.ts'
import type { Session } from '../vim25/session.ts'
import type { Data, MoRef } from '../vim25/values.ts'
import type { KnownNetwork } from './network-cards.ts'
import { decodeName } from './object-name.ts'

/** A datastore that a machine has files on. */
export interface FoundDatastore {
  readonly ref: MoRef<'Datastore'>
  readonly name: string
  /** `VMFS`, `NFS`, `vsan` and so on. */
  readonly type: string
  readonly accessible: boolean
  readonly capacityBytes: number
  readonly freeBytes: number
  /** `normal`, or on its way into maintenance, or in it. */
  readonly maintenance: string
}

/** Datastores and networks by their references, each asked for once. */
export interface Places {
  datastores(refs: readonly MoRef[], options: CallOptions): Promise<readonly FoundDatastore[]>
  networks(refs: readonly MoRef[], options: CallOptions): Promise<readonly KnownNetwork[]>
}

/** What a host says of a datastore, as we say it. */
export function datastoreOf(ref: MoRef, summary: Data<'DatastoreSummary'>): FoundDatastore {
  return {
    ref: { type: 'Datastore', value: ref.value },
    name: decodeName(summary.name),
    type: summary.type,
    accessible: summary.accessible,
    capacityBytes: summary.capacity,
    freeBytes: summary.freeSpace,
    maintenance: summary.maintenanceMode ?? 'normal',
  }
}

const extraOf: { readonly [type: string]: string } = {
  DistributedVirtualPortgroup: 'key',
  OpaqueNetwork: 'summary',
}

function keyIn(extra: unknown): string | undefined {
  if (typeof extra === 'string') return extra
  const id = typeof extra === 'object' && extra !== null && 'opaqueNetworkId' in extra ? extra.opaqueNetworkId : undefined
  return typeof id === 'string' ? id : undefined
}

/** As a network is known; what has gone since a machine named it is like what the account may not see. */
function networkOf(ref: MoRef, values: Retrieved['values']): KnownNetwork {
  const extra = extraOf[ref.type]
  const key = extra === undefined ? undefined : keyIn(values[extra])
  return { ref, name: decodeName(String(values.name ?? ref.value)), ...(key !== undefined && { key }) }
}

/** Only of the types that there are: a host without a distributed switch need not know the others. */
const networkPaths = (refs: readonly MoRef[]): Wanted =>
  Object.fromEntries(refs.map(({ type }) => [type, ['name', ...(extraOf[type] === undefined ? [] : [extraOf[type]])]]))

export function createPlaces(session: Session): Places {
  const datastores = new Map<string, FoundDatastore>()
  const networks = new Map<string, KnownNetwork>()
  return {
    async datastores(refs, options) {
      const unknown = refs.filter(({ value }) => !datastores.has(value))
      for await (const { ref, values } of retrieveSome(session, unknown, { Datastore: ['summary'] }, options))
        if (values.summary !== undefined) datastores.set(ref.value, datastoreOf(ref, values.summary as Data<'DatastoreSummary'>))
      return refs.flatMap(({ value }) => datastores.get(value) ?? [])
    },
    async networks(refs, options) {
      const unknown = refs.filter(({ value }) => !networks.has(value))
      const found = new Map<string, Retrieved['values']>()
      for await (const { ref, values } of retrieveSome(session, unknown, networkPaths(unknown), options)) found.set(ref.value, values)
      for (const ref of unknown) networks.set(ref.value, networkOf(ref, found.get(ref.value) ?? {}))
      return refs.flatMap(({ value }) => networks.get(value) ?? [])
    },
  }
}
