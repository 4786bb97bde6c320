import { systemClock } from '@holdfast/core/spec'
import { type EsxiSimulator, type EsxiSimulatorOptions, startEsxiSimulator } from '@holdfast/testkit'
import { type Connection, type SharedConnection, shareConnection } from '../../src/connection.ts'
import { parseHostOptions } from '../../src/host-options.ts'

/** How a test logs in on a simulated host. */
export const loginOf = ({ host, port, thumbprint }: EsxiSimulator) => ({
  host,
  port,
  user: 'root',
  password: 'simulated',
  thumbprint: thumbprint(),
})

/** A simulated host, and the connection that all parts of a provider are given. */
export interface SimulatedConnection extends AsyncDisposable {
  readonly simulator: EsxiSimulator
  readonly shared: SharedConnection
  readonly connection: Connection
}

export async function simulatedConnection(options: EsxiSimulatorOptions = {}): Promise<SimulatedConnection> {
  const simulator = await startEsxiSimulator(options)
  const shared = shareConnection(parseHostOptions(loginOf(simulator)), options.clock ?? systemClock)
  return {
    simulator,
    shared,
    connection: await shared.open({ signal: new AbortController().signal }),
    async [Symbol.asyncDispose]() {
      await shared[Symbol.asyncDispose]()
      await simulator[Symbol.asyncDispose]()
    },
  }
}
