import { type Clock, systemClock } from '@holdfast/core/spec'
import { type EsxiSimulator, type EsxiSimulatorOptions, startEsxiSimulator } from '@holdfast/testkit'
import { type Connection, shareConnection } from '../../src/connection.ts'
import { type HostOptions, parseHostOptions } from '../../src/host-options.ts'
import type { MoRef } from '../../src/vim25/values.ts'

export interface ExportHostOptions extends EsxiSimulatorOptions {
  /** Of the provider. Default: that of the host. */
  readonly ownClock?: Clock
  readonly settings?: Partial<HostOptions>
}

/** A simulated host that hands out machines, and a connection to it. */
export interface ExportHost extends AsyncDisposable {
  readonly simulator: EsxiSimulator
  readonly connection: Connection
  /** Logs out. */
  close(): Promise<void>
  /** How often a call came. */
  count(method: string): number
  /** The reference of a machine. */
  machine(name: string): MoRef<'VirtualMachine'>
}

const never = new AbortController().signal

export async function exportHost({ ownClock, settings, ...options }: ExportHostOptions = {}): Promise<ExportHost> {
  const simulator = await startEsxiSimulator(options)
  const { host, port, thumbprint } = simulator
  const shared = shareConnection(
    parseHostOptions({ host, port, user: 'root', password: 'simulated', thumbprint: thumbprint(), ...settings }),
    ownClock ?? options.clock ?? systemClock,
  )
  return {
    simulator,
    connection: await shared.open({ signal: never }),
    close: async () => shared[Symbol.asyncDispose](),
    count: (method) => simulator.calls.filter((name) => name === method).length,
    machine: (name) => ({ type: 'VirtualMachine', value: simulator.machine(name)?.value ?? '' }),
    async [Symbol.asyncDispose]() {
      await shared[Symbol.asyncDispose]()
      await simulator[Symbol.asyncDispose]()
    },
  }
}

/** Waits until something is so, for real time: what is under way over a connection has then come. */
export async function until(what: string, isSo: () => boolean): Promise<void> {
  for (const end = systemClock.monotonic() + 60_000; !isSo(); ) {
    if (systemClock.monotonic() > end) throw new Error(`it never came to be that ${what}`)
    await systemClock.sleep(2, { signal: never })
  }
}
