import { createHash } from 'node:crypto'
import {
  type PlatformThing,
  type ProviderUnderTest,
  providerContract,
  readBlocks,
  type SimulatedMachine,
  startEsxiSimulator,
} from '@holdfast/testkit'
import { describe, it } from 'vitest'
import { loginOf } from '../test/support/simulated-connection.ts'
import { call } from '../test/support/simulated-host.ts'
import { esxi } from './esxi-provider.ts'
import { readMark } from './mark.ts'

/** Everything that somebody could miss or find too much of a machine: its name, its state, its disks, its snapshots. */
async function stateOf(machine: SimulatedMachine): Promise<string> {
  const hash = createHash('sha256').update(`${machine.name} ${machine.powerState}`)
  for (const { slot, content } of machine.hardware.disks) {
    const blocks = content.open()
    hash.update(slot).update(await readBlocks(blocks, call))
    await blocks[Symbol.asyncDispose]()
  }
  return hash.update(JSON.stringify(machine.snapshots.map(({ name }) => name))).digest('hex')
}

async function thingsOf(machine: SimulatedMachine): Promise<readonly PlatformThing[]> {
  const mark = readMark(machine.conduct.annotation)?.mark
  const own: PlatformThing = { id: `machine ${machine.value}`, ...(mark !== undefined && { mark }), state: await stateOf(machine) }
  const snapshots = machine.snapshots.map(({ value, description }) => {
    const marked = readMark(description)?.mark
    return { id: `snapshot ${value}`, ...(marked !== undefined && { mark: marked }), state: null }
  })
  return [own, ...snapshots]
}

const uuid = '564d0000-0000-0000-0000-00000000abcd'

for (const powerState of ['poweredOff', 'poweredOn'] as const)
  describe(`the provider contract on a simulated host, with a machine that is ${powerState}`, () => {
    const create = async (): Promise<ProviderUnderTest> => {
      const simulator = await startEsxiSimulator({ machines: [{ name: 'web', uuid, powerState, firmware: 'efi' }] })
      const provider = esxi(loginOf(simulator))
      return {
        provider,
        another: async () => esxi(loginOf(simulator)),
        workload: uuid,
        things: async () => (await Promise.all(simulator.machines().map(thingsOf))).flat(),
        [Symbol.asyncDispose]: () => simulator[Symbol.asyncDispose](),
      }
    }
    providerContract({ describe, it, create, secrets: ['simulated'], soonMs: 30_000 })
  })
