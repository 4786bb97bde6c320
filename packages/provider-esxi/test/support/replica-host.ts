import type { RestoreRequest, RestoreSource } from '@holdfast/core/spec'
import type { EsxiSimulatorOptions, SimulatedMachine } from '@holdfast/testkit'
import { readMark } from '../../src/mark.ts'
import { type RestoreHost, restoreHost } from './restore-host.ts'
import { restorePoint } from './restore-point.ts'

/** The machine that is replicated, on the same host: what a replica can do harm to. */
export const original = {
  name: 'web',
  uuid: '564d0000-0000-4000-8000-00000000beef',
  instanceUuid: '5000aaaa-0000-4000-8000-000000000001',
  powerState: 'poweredOn',
} as const
export const replicaName = 'web_replica'

/** Disks by the id of the point: each point has bytes of its own. */
export const diskOf = (point: string): Uint8Array => new Uint8Array(131_072).fill(point.charCodeAt(0))

export const pointOf = (point: string, options: Parameters<typeof restorePoint>[0] = {}): RestoreSource => ({
  ...restorePoint({ disks: [diskOf(point)], ...options }),
  point,
})

/** A simulated host with an original, and what is needed to keep a replica of it. */
export interface ReplicaHost extends RestoreHost {
  /** Makes a replica, or brings `target` to the point, by a run of its own. */
  replicate(point: RestoreSource | string, request?: Partial<RestoreRequest>, run?: ReturnType<RestoreHost['run']>): Promise<string>
  /** Machines besides the original, with what their marks say: `web_replica replica b`. */
  replicas(): readonly string[]
  machine(name?: string): SimulatedMachine
}

export async function replicaHost(options: EsxiSimulatorOptions = {}): Promise<ReplicaHost> {
  const host = await restoreHost({ machines: [original], ...options })
  let runs = 0
  const newRun = () => {
    runs += 1
    return host.run({ run: `000000000000000${runs}` })
  }
  return {
    ...host,
    async replicate(point, request, run = newRun()) {
      const source = typeof point === 'string' ? pointOf(point) : point
      const { workload } = await host.restore(source, run, { purpose: 'replica', name: replicaName, ...request })
      await run.undoOpen({ committed: true })
      return workload
    },
    replicas: () =>
      host.simulator
        .machines()
        .filter(({ name }) => name !== original.name)
        .map(({ name, conduct }) => {
          const marked = readMark(conduct.annotation)
          return [name, marked?.purpose ?? 'unmarked', ...(marked?.point === undefined ? [] : [marked.point])].join(' ')
        }),
    machine(name = replicaName) {
      const found = host.simulator.machine(name)
      if (found === undefined) throw new Error(`there is no machine ${name}`)
      return found
    },
  }
}
