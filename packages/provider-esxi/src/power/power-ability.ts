import type { PowerAbility } from '@holdfast/core/spec'
import type { SharedConnection } from '../connection.ts'
import { findReference } from '../inventory/find-machine.ts'
import { fenceMachine } from './fence-machine.ts'
import { readSwitched } from './power-state.ts'
import { startMachine } from './start-machine.ts'
import { stopMachine } from './stop-machine.ts'

const states = { poweredOn: 'on', poweredOff: 'off', suspended: 'suspended' } as const

/** Power of machines by the ids of their workloads. See `startMachine`, `stopMachine` and `fenceMachine`. */
export function createPowerAbility(host: SharedConnection): PowerAbility {
  return {
    async state(workload, options) {
      const connection = await host.open(options)
      return states[(await readSwitched(connection, await findReference(connection, workload, options), options)).powerState]
    },
    async start(workload, options) {
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
