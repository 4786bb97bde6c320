import { describe, expect, it } from 'vitest'
import { simulatedConnection } from '../../test/support/simulated-connection.ts'
import { call } from '../../test/support/simulated-host.ts'
import { retrieveTypes } from '../vim25/retrieve.ts'
import type { MoRef } from '../vim25/values.ts'
import { createPlaces } from './places.ts'

const count = 250
const names = Array.from({ length: count }, (_, number) => `VLAN ${number}`)

describe('places of a host', () => {
  it('are asked for in pages, however many there are, and once', async () => {
    await using all = await simulatedConnection({ networks: names.map((name) => ({ name })) })
    const { session } = all.connection
    const refs: MoRef[] = []
    for await (const { ref } of retrieveTypes(session, { Network: ['name'] }, call)) refs.push(ref)
    const places = createPlaces(session)
    const before = all.simulator.calls.length
    expect((await places.networks(refs, call)).map(({ name }) => name)).toEqual(names)
    const [last = { type: 'Network', value: '' }] = refs.slice(-1)
    expect(await places.networks([last], call)).toMatchObject([{ name: `VLAN ${count - 1}` }])
    expect(all.simulator.calls.slice(before)).toEqual([
      'RetrievePropertiesEx',
      'ContinueRetrievePropertiesEx',
      'ContinueRetrievePropertiesEx',
    ])
  })

  it('that have gone since a machine named them are left out, and networks called by their reference', async () => {
    await using all = await simulatedConnection({ networks: [{ name: 'blue' }], datastores: [{ name: 'fast' }] })
    const { session } = all.connection
    const found: { [type: string]: MoRef } = {}
    for await (const { ref } of retrieveTypes(session, { Network: ['name'], Datastore: ['name'] }, call)) found[ref.type] = ref
    const { Network: blue, Datastore: fast } = found
    if (blue === undefined || fast === undefined) throw new Error('one of them was not listed')
    const places = createPlaces(session)
    const gone = (type: string): MoRef => ({ type, value: `gone ${type}` })
    const networks = await places.networks([gone('Network'), blue, gone('DistributedVirtualPortgroup')], call)
    expect(networks.map(({ name }) => name)).toEqual(['gone Network', 'blue', 'gone DistributedVirtualPortgroup'])
    expect((await places.datastores([gone('Datastore'), fast], call)).map(({ name }) => name)).toEqual(['fast'])
  })
})
