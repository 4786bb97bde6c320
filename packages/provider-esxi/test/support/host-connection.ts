import type { Clock } from '@holdfast/core/spec'
import { systemClock } from '@holdfast/core/spec'
import type { Connection, SharedConnection } from '../../src/connection.ts'
import { parseHostOptions } from '../../src/host-options.ts'
import type { MoRef } from '../../src/vim25/values.ts'
import type { Connected } from './simulated-host.ts'

/** A clock for which pauses of up to a minute pass at once; longer ones end only by their signal. `paused` are their seconds. */
export interface HurriedClock extends Clock {
  readonly paused: number[]
}

export function hurriedClock(): HurriedClock {
  const paused: number[] = []
  return {
    now: systemClock.now,
    monotonic: systemClock.monotonic,
    paused,
    async sleep(milliseconds, options) {
      if (milliseconds > 60_000) return systemClock.sleep(milliseconds, options)
      options.signal.throwIfAborted()
      paused.push(milliseconds / 1000)
    },
  }
}

/** What the parts of the provider are given. */
export function connectionOf({ session, updates, simulator }: Connected, clock: Clock = hurriedClock()): Connection {
  const { host, port } = simulator
  return { session, updates, clock, settings: parseHostOptions({ host, port, user: 'root', password: 'simulated' }) }
}

export const sharedOf = (connection: Connection): SharedConnection => ({
  open: async () => connection,
  async [Symbol.asyncDispose]() {},
})

/** A machine of the simulated host, and its reference. */
export function machineOf({ simulator }: Connected, name: string) {
  const machine = simulator.machine(name)
  if (machine === undefined) throw new Error(`there is no machine ${name}`)
  return { machine, vm: { type: 'VirtualMachine', value: machine.value } as MoRef<'VirtualMachine'> }
}
