import { memoryRunContext, sourceFrom } from '@holdfast/testkit'
import { describe, expect, it } from 'vitest'
import { findMachine } from '../../src/inventory/find-machine.ts'
import { readMark } from '../../src/mark.ts'
import { restoreMachine } from '../../src/restore/restore-machine.ts'
import { retrieveOne } from '../../src/vim25/retrieve.ts'
import { call, type OpenedHost, openAndConnect } from './opened-host.ts'
import type { OpenTestedHost } from './tested-host.ts'
import { backUp, machineWith, sourceOf } from './transfer-tests.ts'
import { undoOn } from './undo-intents.ts'

const [first, second] = [machineWith('first', 1), machineWith('second', 1)]

/** A replica of what a machine is now, by a run of its own. */
async function replicate(opened: OpenedHost, machine: string, point: string, target?: string): Promise<string> {
  const { result, items, workload } = await backUp(opened, machine)
  const source = { ...sourceFrom(items, { ...sourceOf(machine, workload), result }), point }
  const mark = { system: 'testkit', plan: 'replicas', run: `run-${point}`, attempt: 1 }
  const memory = memoryRunContext({ provider: undoOn(opened.connection), mark })
  const request = { purpose: 'replica', name: 'replica', start: false, options: {}, ...(target !== undefined && { target }) } as const
  const replica = await restoreMachine(opened.connection, request, source, memory.run)
  await memory.undoOpen({ committed: true })
  return replica.workload
}

async function markOf({ connection, machine }: OpenedHost, name: string) {
  const { values } = await retrieveOne(connection.session, await machine(name), ['config.annotation', 'runtime.powerState'], call)
  const marked = readMark(String(values['config.annotation']))
  return [marked?.purpose, marked?.point, values['runtime.powerState']]
}

/** Replicas. */
export function replicaTests(open: OpenTestedHost): void {
  describe.each(['esxi', 'vcenter'] as const)('a replica on %s', (kind) => {
    it('is made beside the original, and brought to another point under the same id and name', async () => {
      await using opened = await openAndConnect(open, { kind, machines: [first, second] })
      const id = await replicate(opened, first.name, 'a')
      expect(await markOf(opened, 'replica')).toEqual(['replica', 'a', 'poweredOff'])
      const { networks } = await findMachine(opened.connection, id, call)
      expect(networks.filter(({ startConnected }) => startConnected)).toEqual([])
      // Another machine stands for the next state of the first one.
      expect(await replicate(opened, second.name, 'b', id)).toBe(id)
      expect([await markOf(opened, 'replica'), await opened.machines()]).toEqual([
        ['replica', 'b', 'poweredOff'],
        [first.name, 'replica', second.name],
      ])
      expect((await findMachine(opened.connection, id, call)).name).toBe('replica')
      const [disk] = await opened.host.disksOf('replica')
      expect(Buffer.compare(disk ?? new Uint8Array(), second.disks[0] ?? new Uint8Array())).toBe(0)
      const [untouched] = await opened.host.disksOf(first.name)
      expect(Buffer.compare(untouched ?? new Uint8Array(), first.disks[0] ?? new Uint8Array())).toBe(0)
      expect(await opened.host.leases()).toBe(0)
    })
  })

  it('a machine that is no replica is not replaced', async () => {
    await using opened = await openAndConnect(open, { machines: [first] })
    const { workload } = await backUp(opened, first.name)
    await expect(replicate(opened, first.name, 'a', workload)).rejects.toMatchObject({ code: 'UNSUPPORTED' })
    expect(await opened.machines()).toEqual([first.name])
  })
}
