import { invalidOptions, nearest, type PowerAbility, showValue } from '@holdfast/core/spec'
import type { SharedConnection } from '../connection.ts'
import { findReference } from '../inventory/find-machine.ts'
import { fenceMachine } from './fence-machine.ts'
import { readSwitched } from './power-state.ts'
import { startMachine } from './start-machine.ts'
import { stopMachine } from './stop-machine.ts'

const states = { poweredOn: 'on', poweredOff: 'off', suspended: 'suspended' } as const

const networks = ['as-configured', 'connected', 'disconnected'] as const

/** A misspelt word would be taken for one of the others. */
function requireNetwork(network: string): void {
  if ((networks as readonly string[]).includes(network)) return
  const meant = nearest(String(network), networks)
  throw invalidOptions('options of power.start', [
    { path: 'network', problem: `is ${showValue(network)}; expected one of ${networks.join(', ')}`, ...(meant !== undefined && { meant }) },
  ])
}

/** Power of machines by the ids of their workloads. See `startMachine`, `stopMachine` and `fenceMachine`. */
export function createPowerAbility(host: SharedConnection): PowerAbility {
  return {
    async state(workload, options) {
      const connection = await host.open(options)
      return states[(await readSwitched(connection, await findReference(connection, workload, options), options)).powerState]
    },
    async start(workload, options) {
      requireNetwork(options.network)
      const connection = await host.open(options)
      await startMachine(connection, await findReference(connection, workload, options), options)
    },
    async stop(workload, options) {
      const connection = await host.open(options)
      await stopMachine(connection, await findReference(connection, workload, options), options)
    },
    async fence(workload, run) {
      const connection = await host.open(run)
      return fenceMachine(connection, await findReference(connection, workload, run), run)
    },
  }
}
