import type { Workload } from '@holdfast/core/spec'
import type { EsxiSimulatorOptions } from '@holdfast/testkit'
import { describe, expect, it } from 'vitest'
import { simulatedConnection } from '../../test/support/simulated-connection.ts'
import { call } from '../../test/support/simulated-host.ts'
import { listWorkloads } from './workloads.ts'

interface Listed {
  readonly workloads: readonly Workload[]
  readonly calls: readonly string[]
}

async function listed(options: EsxiSimulatorOptions, id?: string): Promise<Listed> {
  const all = await simulatedConnection(options)
  try {
    const workloads: Workload[] = []
    for await (const one of listWorkloads(all.connection, { ...call, ...(id !== undefined && { id }) })) workloads.push(one)
    return { workloads, calls: all.simulator.calls }
  } finally {
    await all[Symbol.asyncDispose]()
  }
}

const web = { name: 'web', uuid: 'uuid-of-web' }

describe('the machines of a host', () => {
  it('are listed with what people want to know of them, templates too', async () => {
    const { workloads } = await listed({
      machines: [
        { ...web, powerState: 'poweredOn', changeTracking: true, attributes: { owner: 'shop', empty: '' } },
        { name: 'golden', uuid: 'uuid-of-golden', template: true, disks: [{}, { backing: 'rdmPhysical' }] },
      ],
    })
    expect(workloads).toMatchObject([
      {
        id: 'uuid-of-web',
        name: 'web',
        kind: 'machine',
        usedBytes: 1048576,
        labels: { owner: 'shop' },
        details: {
          power: 'poweredOn',
          template: false,
          toolsRunning: true,
          changeTracking: true,
          consolidationNeeded: false,
          snapshots: 0,
          disks: [{ name: 'Hard disk 1', sizeBytes: 1048576, backing: 'flat', fileName: '[datastore1] web/web.vmdk' }],
          networks: [{ name: 'VM Network', connected: true }],
          datastores: ['datastore1'],
          obstacles: [],
        },
      },
      { name: 'golden', details: { template: true, obstacles: [{ kind: 'physical-rdm', stops: true }] } },
    ])
    expect(workloads[0]?.labels).toEqual({ owner: 'shop' })
    expect(workloads[1]?.labels).toBeUndefined()
  })

  it('22: that cannot be read are listed with what is known, and stop no other', async () => {
    const { workloads } = await listed({
      machines: [{ name: 'lost', uuid: 'u', inaccessible: true }, { name: 'dark', uuid: 'uuid-of-dark', inaccessible: 'known' }, web],
    })
    expect(workloads.map(({ name }) => name)).toEqual(['lost', 'dark', 'web'])
    expect(workloads[0]).toMatchObject({ id: expect.stringMatching(/^unread-/), details: { inaccessible: true } })
    expect(workloads[1]).toMatchObject({
      id: 'uuid-of-dark',
      details: { file: '[datastore1] dark/dark.vmx', obstacles: [{ kind: 'inaccessible', stops: true }] },
    })
  })

  it('36: have names without the escapes of the host', async () => {
    const { workloads } = await listed({ machines: [{ name: 'a/b\\c%2fd', uuid: 'u' }] })
    expect(workloads.map(({ name }) => name)).toEqual(['a/b\\c%2fd'])
  })

  it('are read a page at a time, and leave nothing on the host', async () => {
    const machines = Array.from({ length: 230 }, (_, index) => ({ name: `vm${index}`, uuid: `uuid-${index}`, cards: [] }))
    const { workloads, calls } = await listed({ machines })
    expect(new Set(workloads.map(({ id }) => id)).size).toBe(230)
    // Once for their names, once for all the rest.
    expect(calls.filter((name) => name === 'ContinueRetrievePropertiesEx')).toHaveLength(4)
    expect(calls.filter((name) => name === 'CreateContainerView')).toHaveLength(calls.filter((name) => name === 'DestroyView').length)
  })

  it('that share an id are one workload, which says so', async () => {
    const { workloads } = await listed({ machines: [web, { ...web, name: 'copy of web' }] })
    expect(workloads).toHaveLength(1)
    expect(workloads[0]?.details).toMatchObject({
      obstacles: [{ kind: 'same-id', stops: true, message: expect.stringContaining('web, copy of web') }],
    })
  })

  it('are one by its id, and none for an id that nobody has', async () => {
    const options = { machines: [web, { name: 'mail', uuid: 'uuid-of-mail' }, { name: 'lost', uuid: 'u', inaccessible: true }] }
    expect((await listed(options, 'uuid-of-mail')).workloads.map(({ name }) => name)).toEqual(['mail'])
    expect((await listed(options, 'mail')).workloads).toEqual([])
    const lost = (await listed(options)).workloads.find(({ name }) => name === 'lost')
    expect((await listed(options, lost?.id)).workloads.map(({ name }) => name)).toEqual(['lost'])
  })

  it('are not listed for the one that the index of the host knows', async () => {
    const uuid = '564d0000-0000-0000-0000-00000000abcd'
    const machines = [
      { ...web, uuid },
      { name: 'mail', uuid: 'uuid-of-mail' },
    ]
    const { workloads, calls } = await listed({ machines }, uuid)
    expect(workloads).toEqual((await listed({ machines })).workloads.filter(({ id }) => id === uuid))
    expect(workloads.map(({ name }) => name)).toEqual(['web'])
    expect(calls).toContain('FindAllByUuid')
    expect(calls).not.toContain('CreateContainerView')
  })

  it('that share the id that was asked for are one workload, which says so', async () => {
    const uuid = '564d0000-0000-0000-0000-00000000abcd'
    const machines = [
      { ...web, uuid },
      { name: 'copy of web', uuid },
    ]
    const { workloads } = await listed({ machines }, uuid)
    expect(workloads).toEqual((await listed({ machines })).workloads)
    expect(workloads[0]?.details).toMatchObject({ obstacles: [{ kind: 'same-id', stops: true }] })
  })
})
