import type { Engine, RunOrder } from '@holdfast/core'
import { type CallHook, crashChildHook } from '@holdfast/testkit'
import { openEngine, runKey } from '../../../core/test/crash/world.ts'
import { esxi, type HostOptions } from '../../src/index.ts'
import { observeRequests } from './observe-requests.ts'

/** A world whose platform is a simulated host of another process. */
export interface KillWorld {
  readonly folder: string
  readonly login: HostOptions
}
export type KilledOperation = 'backup' | 'restore'

export const machineId = '564d0000-0000-0000-0000-000000000001'
export const workload = { provider: 'p', id: machineId }
export const restoredName = 'restored'

/** Also who is killed has a lease that a busy machine does not let run out: each call is encrypted. */
export const openKillEngine = ({ folder, login }: KillWorld, node: string, hook?: CallHook): Promise<Engine> =>
  openEngine(folder, node, esxi(login), hook, { leaseMs: 2000 })

/** What the child does. */
export async function performOnHost(world: KillWorld, operation: KilledOperation): Promise<void> {
  const hook = crashChildHook()
  observeRequests(hook)
  const engine = await openKillEngine(world, 'child', hook)
  await engine.start()
  const target = operation === 'restore' ? { name: restoredName } : {}
  const order = { key: runKey, operation, repository: 'main', workload, ...target } satisfies RunOrder
  await engine.run(order)
  await engine.idle()
  await engine.stop()
}
