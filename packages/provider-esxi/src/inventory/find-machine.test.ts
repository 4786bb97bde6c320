import type { EsxiSimulator, EsxiSimulatorOptions, MachineOptions } from '@holdfast/testkit'
import { describe, expect, it } from 'vitest'
import { simulatedConnection } from '../../test/support/simulated-connection.ts'
import { call } from '../../test/support/simulated-host.ts'
import type { Connection } from '../connection.ts'
import { taskResult } from '../vim25/tasks.ts'
import { findMachine, findReference } from './find-machine.ts'
import type { FoundMachine } from './found-machine.ts'

const web = { name: 'web', uuid: '564d0000-0000-0000-0000-00000000abcd' }

async function withConnection(
  options: EsxiSimulatorOptions,
  test: (connection: Connection, simulator: EsxiSimulator) => Promise<void>,
): Promise<void> {
  const all = await simulatedConnection(options)
  try {
    await test(all.connection, all.simulator)
  } finally {
    await all[Symbol.asyncDispose]()
  }
}

async function found(machine: Partial<MachineOptions>, options: EsxiSimulatorOptions = {}): Promise<FoundMachine> {
  let result: FoundMachine | undefined
  await withConnection({ ...options, machines: [{ ...web, ...machine }] }, async (connection) => {
    result = await findMachine(connection, machine.instanceUuid ?? web.uuid, call)
  })
  if (result === undefined) throw new Error('nothing was found')
  return result
}

const stops = ({ obstacles }: FoundMachine) => obstacles.map(({ kind, stops }) => `${kind}${stops ? ' stops' : ''}`)

describe('a machine of the inventory', () => {
  it('is found by its instance UUID, and on a host that has none by its UUID', async () => {
    const other = '50100000-0000-0000-0000-000000000001'
    expect(await found({ instanceUuid: other })).toMatchObject({ id: other, name: 'web', powerState: 'poweredOff', accessible: true })
    expect(await found({ instanceUuid: null })).toMatchObject({ id: web.uuid })
  })

  it('is asked for by its instance UUID, so that the others are not listed', async () => {
    await withConnection({ machines: [{ name: 'mail', uuid: web.uuid.replace('abcd', 'abce') }, web] }, async (connection, simulator) => {
      const before = simulator.calls.length
      expect(await findReference(connection, web.uuid, call)).toEqual({ type: 'VirtualMachine', value: simulator.machine('web')?.value })
      expect(simulator.calls.slice(before)).toEqual(['FindAllByUuid'])
    })
  })

  it.each(['MethodNotFound', 'NotSupported'])('is looked for in the list of a host whose search ends with %s', async (fault) => {
    await withConnection({ machines: [web] }, async (connection, simulator) => {
      simulator.refuse('FindAllByUuid', { fault, message: 'not here' })
      expect((await findReference(connection, web.uuid, call)).value).toBe(simulator.machine('web')?.value)
      simulator.refuse('FindAllByUuid', { fault: 'HostCommunication', message: 'no' })
      await expect(findReference(connection, web.uuid, call)).rejects.toMatchObject({ code: 'UNREACHABLE' })
    })
  })

  it('has its disks by UUID, with the slots that leases name, on controllers of any kind', async () => {
    const { disks, machine } = await found({
      disks: [
        {},
        { controller: 'VirtualLsiLogicSASController', bus: 1, unit: 3, uuid: null },
        { controller: 'VirtualAHCIController', label: 'data' },
        { controller: 'VirtualNVMEController' },
        { controller: 'VirtualIDEController', bus: 1, backing: 'seSparse' },
        { controller: 'VirtualFutureController', unit: 2, backing: 'sparse' },
      ],
    })
    expect(disks.map(({ slot, bus, backing, name }) => [slot, bus, backing, name])).toEqual([
      ['ParaVirtualSCSIController0:0', 'scsi', 'flat', 'Hard disk 1'],
      ['VirtualLsiLogicSASController1:3', 'scsi', 'flat', 'Hard disk 2'],
      ['VirtualAHCIController0:0', 'sata', 'flat', 'data'],
      ['VirtualNVMEController0:0', 'nvme', 'flat', 'Hard disk 4'],
      ['VirtualIDEController1:0', 'ide', 'seSparse', 'Hard disk 5'],
      ['VirtualFutureController0:2', 'scsi', 'sparse', 'Hard disk 6'],
    ])
    expect(disks[0]).toMatchObject({ key: disks[0]?.uuid, sizeBytes: 1048576, fileName: '[datastore1] web/web.vmdk', mode: 'persistent' })
    expect(disks[1]).toMatchObject({ key: 'VirtualLsiLogicSASController1:3', uuid: undefined })
    expect(machine.disks.map(({ key }) => key)).toEqual(disks.map(({ key }) => key))
  })

  it('tells disks with one UUID apart by their slots', async () => {
    const { disks } = await found({ disks: [{ uuid: 'same' }, { uuid: 'same' }, { uuid: 'other' }] })
    expect(disks.map(({ key }) => key)).toEqual(['same@ParaVirtualSCSIController0:0', 'same@ParaVirtualSCSIController0:1', 'other'])
  })

  it('is described for other platforms, in boot order', async () => {
    const { machine, firmware, secureBoot } = await found(
      {
        firmware: 'efi',
        secureBoot: true,
        guestId: 'windows2019srv_64Guest',
        cpus: 4,
        coresPerSocket: 2,
        memory: 3072,
        disks: [{ uuid: 'first' }, { uuid: 'second' }],
        bootOrder: [2001],
        cards: [{ mac: '00:50:56:AA:BB:CC' }, { network: 'blue', model: 'VirtualE1000e', connected: false }],
      },
      { kind: 'vcenter', networks: [{ name: 'VM Network' }, { name: 'blue', type: 'DistributedVirtualPortgroup' }] },
    )
    expect([firmware, secureBoot]).toEqual(['efi', true])
    expect(machine).toMatchObject({
      name: 'web',
      cpus: 4,
      coresPerSocket: 2,
      memoryBytes: 3072 * 1024 * 1024,
      firmware: 'efi',
      secureBoot: true,
      guest: { family: 'windows', id: 'windows2019srv_64Guest' },
      disks: [{ key: 'second' }, { key: 'first' }],
      networks: [
        { name: 'VM Network', mac: '00:50:56:aa:bb:cc', model: 'vmxnet3' },
        { name: 'blue', model: 'e1000e' },
      ],
    })
  })

  it('36: has its name and those of its networks and datastores without the escapes of the host', async () => {
    const { name, networks, datastores } = await found(
      { name: 'a/b\\c%d' },
      { networks: [{ name: 'VLAN 1/2' }], datastores: [{ name: 'fast/ssd', capacity: 1000, free: 400 }] },
    )
    expect([name, networks[0]?.name]).toEqual(['a/b\\c%d', 'VLAN 1/2'])
    expect(datastores).toMatchObject([{ name: 'fast/ssd', capacityBytes: 1000, freeBytes: 400, accessible: true, maintenance: 'normal' }])
  })

  it('is found in a nested folder of a vCenter server, with an opaque network', async () => {
    const { networks, ref } = await found({}, { kind: 'vcenter', networks: [{ name: 'segment', type: 'OpaqueNetwork' }] })
    expect(networks).toMatchObject([{ name: 'segment', ref: { type: 'OpaqueNetwork' }, connected: true }])
    expect(ref.type).toBe('VirtualMachine')
  })
})

describe('what stands in the way of a backup', () => {
  it('31: is encryption, of the machine or of a disk, and a virtual TPM', async () => {
    expect(stops(await found({ encrypted: true }))).toEqual(['encrypted stops'])
    expect(stops(await found({ disks: [{}, { encrypted: true }] }))).toEqual(['encrypted stops'])
    const { obstacles, machine } = await found({ tpm: true })
    expect(obstacles).toMatchObject([{ kind: 'vtpm', stops: true }])
    expect(machine.tpm).toBe(true)
  })

  it('is a raw device in physical mode, and not one in virtual mode', async () => {
    const { obstacles, disks } = await found({ disks: [{ backing: 'rdmPhysical' }, { backing: 'rdmVirtual' }] })
    expect(obstacles).toMatchObject([{ kind: 'physical-rdm', stops: true }])
    expect(obstacles[0]?.message).toContain('Hard disk 1 (ParaVirtualSCSIController0:0)')
    expect(disks.map(({ backing }) => backing)).toEqual(['rdmPhysical', 'rdmVirtual'])
  })

  it('is a shared bus, a disk with several writers or a device of the host while the machine runs; off, they are only told', async () => {
    const shared = { busSharing: 'physicalSharing', disks: [{ multiWriter: true }], others: ['VirtualPCIPassthrough'] } as const
    const expected = ['device-passthrough', 'bus-sharing', 'bus-sharing']
    expect([...stops(await found(shared))].sort()).toEqual([...expected].sort())
    expect([...stops(await found({ ...shared, powerState: 'poweredOn' }))].sort()).toEqual(expected.map((one) => `${one} stops`).sort())
  })

  it('is a pending question, with its text and answers', async () => {
    const choices = [{ key: '0', label: 'button.cancel', summary: 'Cancel' }]
    const { obstacles, question } = await found({ conduct: { question: { id: '7', message: 'msg.x', text: 'Moved or copied?', choices } } })
    expect(obstacles).toMatchObject([{ kind: 'question', stops: true }])
    expect(obstacles[0]?.message).toMatch(/Moved or copied\?.*button\.cancel/)
    expect(question?.id).toBe('7')
  })

  it('24: is a snapshot that another backup program works with', async () => {
    await withConnection({ machines: [web] }, async (connection) => {
      const { ref } = await findMachine(connection, web.uuid, call)
      const parameters = { name: 'Consolidate Helper- 0', memory: false, quiesce: false }
      const task = await connection.session.call('CreateSnapshot_Task', ref, parameters, call)
      await taskResult(connection.session, connection.updates, task, { ...call, called: { method: 'CreateSnapshot_Task', self: ref } })
      expect((await findMachine(connection, web.uuid, call)).obstacles).toMatchObject([
        { kind: 'foreign-snapshot', stops: true, message: expect.stringContaining('"Consolidate Helper- 0"') },
      ])
    })
  })

  it('is not an independent disk, which is told', async () => {
    expect(stops(await found({ disks: [{ mode: 'independent_persistent' }, {}] }))).toEqual(['independent-disk'])
  })

  it('is nothing for a usual machine', async () => {
    expect(await found({ powerState: 'poweredOn' })).toMatchObject({ obstacles: [], toolsRunning: true, changeTracking: false })
  })
})

describe('a machine that is not found', () => {
  const machines = [web, { name: 'mail', uuid: '564d0000-0000-0000-0000-000000000002' }]

  it('is told with the id of the one that has this name, or a near one', async () => {
    await withConnection({ machines }, async (connection) => {
      await expect(findMachine(connection, 'web', call)).rejects.toMatchObject({
        code: 'NOT_FOUND',
        message: expect.stringContaining(`"web" is the name of the machine ${web.uuid}`),
      })
      await expect(findMachine(connection, 'mial', call)).rejects.toThrow(/"mail" is the name of/)
      await expect(findMachine(connection, 'nothing-like-it', call)).rejects.toThrow(/has the id "nothing-like-it"\.$/)
    })
  })

  it('22: may be one that the host cannot read, and these are named', async () => {
    await withConnection({ machines: [...machines, { name: 'lost', uuid: 'u', inaccessible: true }] }, async (connection) => {
      await expect(findMachine(connection, 'u', call)).rejects.toThrow(/1 of the machines cannot be read, and may be it: lost/)
    })
  })

  it('22: is UNREACHABLE when the host knows it but cannot read it', async () => {
    await withConnection({ machines: [{ name: 'lost', uuid: 'u', inaccessible: 'known' }] }, async (connection) => {
      await expect(findMachine(connection, 'u', call)).rejects.toMatchObject({
        code: 'UNREACHABLE',
        message: expect.stringContaining('[datastore1] lost/lost.vmx'),
      })
    })
  })

  it('is refused when two machines have the id', async () => {
    await withConnection({ machines: [web, { ...web, name: 'copy of web' }] }, async (connection) => {
      await expect(findMachine(connection, web.uuid, call)).rejects.toMatchObject({
        code: 'PROVIDER_FAILED',
        retryable: false,
        message: expect.stringMatching(/web \(.*\), copy of web \(/),
      })
    })
  })
})
