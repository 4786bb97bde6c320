import type { Engine, RunOrder } from '@holdfast/core'
import type { Provider } from '@holdfast/core/spec'
import { type CallHook, crashChildHook } from '@holdfast/testkit'
import { openEngine, runKey } from '../../../core/test/crash/world.ts'
import { esxi, type HostOptions } from '../../src/index.ts'
import { effectsOnly } from './effects.ts'
import { observeRequests } from './observe-requests.ts'

/** A world whose platform is a simulated host of another process. */
export interface KillWorld {
  readonly folder: string
  readonly login: HostOptions
}

/** What is interrupted, and what there is more when it has been finished. */
export interface KilledCase {
  readonly order: Pick<RunOrder, 'operation'> & { readonly name?: string; readonly target?: string }
  readonly points: 0 | 1
  /** The machine that holds the newest point then. */
  readonly made?: string
  /** Requests that must be among the points, whatever library sends them. */
  readonly requests: readonly string[]
}
const restoredName = 'restored'
export const replica = { name: 'web_replica', id: '564d0000-0000-0000-0000-000000000002' }
export const killedCases = {
  backup: {
    order: { operation: 'backup' },
    points: 1,
    requests: ['CreateSnapshot_Task', 'ExportSnapshot', 'HttpNfcLeaseComplete', 'RemoveSnapshot_Task'],
  },
  restore: {
    order: { operation: 'restore', name: restoredName },
    points: 0,
    made: restoredName,
    requests: ['ImportVApp', 'POST disk-0.vmdk', 'HttpNfcLeaseComplete', 'ReconfigVM_Task'],
  },
  replica: {
    order: { operation: 'restore', target: replica.id },
    points: 0,
    made: replica.name,
    requests: ['ImportVApp', 'HttpNfcLeaseComplete', 'Destroy_Task', 'ReconfigVM_Task'],
  },
} as const satisfies { readonly [name: string]: KilledCase }
export type KilledOperation = keyof typeof killedCases

export const machineId = '564d0000-0000-0000-0000-000000000001'
export const workload = { provider: 'p', id: machineId }
/** Also points that have no effect of their own; see `effectsOnly`. */
const everyPoint = process.env.HOLDFAST_CRASH_EVERY === '1'

/** No run asks for replicas yet: a restore onto a target stands for it. */
function withReplicas(provider: Provider): Provider {
  const restore: Provider['restore'] = (request, source, run) =>
    provider.restore(request.target === undefined ? request : { ...request, purpose: 'replica' }, source, run)
  return { ...provider, restore }
}

/** Also who is killed has a lease that a busy machine does not let run out: each call is encrypted. */
export const openKillEngine = ({ folder, login }: KillWorld, node: string, hook?: CallHook): Promise<Engine> =>
  openEngine(folder, node, withReplicas(esxi(login)), hook, { leaseMs: 2000 })

/** What the child does. */
export async function performOnHost(world: KillWorld, operation: KilledOperation): Promise<void> {
  const hook = everyPoint ? crashChildHook() : effectsOnly(crashChildHook())
  observeRequests(hook)
  const engine = await openKillEngine(world, 'child', hook)
  await engine.start()
  await engine.run({ key: runKey, repository: 'main', workload, ...killedCases[operation].order } as RunOrder)
  await engine.idle()
  await engine.stop()
}
