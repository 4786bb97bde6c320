import { type CallOptions, codeOf } from '@holdfast/core/spec'
import { type Retrieved, retrieveOne } from '../vim25/retrieve.ts'
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

/** What has gone since a machine named it is like what the account may not see. */
async function read(session: Session, ref: MoRef, paths: readonly string[], options: CallOptions): Promise<Retrieved['values']> {
  try {
    return (await retrieveOne(session, ref, paths, options)).values
  } catch (error) {
    if (codeOf(error) === 'NOT_FOUND') return {}
    throw error
  }
}

export function createPlaces(session: Session): Places {
  const datastores = new Map<string, FoundDatastore>()
  const networks = new Map<string, KnownNetwork>()
  return {
    async datastores(refs, options) {
      for (const ref of refs) {
        if (datastores.has(ref.value)) continue
        const { summary } = await read(session, ref, ['summary'], options)
        if (summary !== undefined) datastores.set(ref.value, datastoreOf(ref, summary as Data<'DatastoreSummary'>))
      }
      return refs.flatMap(({ value }) => datastores.get(value) ?? [])
    },
    async networks(refs, options) {
      for (const ref of refs) {
        if (networks.has(ref.value)) continue
        const extra = extraOf[ref.type]
        const values = await read(session, ref, ['name', ...(extra === undefined ? [] : [extra])], options)
        const key = extra === undefined ? undefined : keyIn(values[extra])
        networks.set(ref.value, { ref, name: decodeName(String(values.name ?? ref.value)), ...(key !== undefined && { key }) })
      }
      return refs.flatMap(({ value }) => networks.get(value) ?? [])
    },
  }
}
