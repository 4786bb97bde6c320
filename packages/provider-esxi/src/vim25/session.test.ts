import { systemClock } from '@holdfast/core/spec'
import { type EsxiSimulator, fakeClock, startEsxiSimulator } from '@holdfast/testkit'
import { describe, expect, it } from 'vitest'
import { until } from '../../test/support/export-host.ts'
import { call, clientOf, connected, never } from '../../test/support/simulated-host.ts'
import { retrieveAll, retrieveOne } from './retrieve.ts'
import { openSession } from './session.ts'
import { referenceIn, taskResult } from './tasks.ts'

async function allOf<Item>(items: AsyncIterable<Item>): Promise<readonly Item[]> {
  const all: Item[] = []
  for await (const item of items) all.push(item)
  return all
}

const machines = [{ name: 'web', uuid: 'aaaa', powerState: 'poweredOn' as const }]
const snapshotOf = { name: 'one', description: '', memory: false, quiesce: false }

describe('a session', () => {
  it('is ended on the host when it is closed, also a second time', async () => {
    await using host = await connected({ machines })
    expect(host.simulator.sessions()).toBe(1)
    await host.session[Symbol.asyncDispose]()
    await host.session[Symbol.asyncDispose]()
    expect([host.simulator.sessions(), host.simulator.calls.filter((name) => name === 'Logout')]).toEqual([0, ['Logout']])
    await expect(host.session.call('CurrentTime', { type: 'ServiceInstance', value: 'ServiceInstance' }, {}, call)).rejects.toMatchObject({
      code: 'ABORTED',
    })
  })

  it('tells of a wrong password what it is, tries it once, and shows no password', async () => {
    await using simulator = await startEsxiSimulator()
    await using client = await clientOf(simulator)
    const failed = await openSession(client, { user: 'root', password: 'canary-secret' }, { clock: systemClock, signal: never }).catch(
      (error) => error,
    )
    expect(failed).toMatchObject({ code: 'ACCESS_DENIED', retryable: false, details: { fault: 'InvalidLogin', method: 'Login' } })
    expect(`${failed.message} ${failed.remedy} ${JSON.stringify(failed.details)} ${failed.stack}`).not.toContain('canary-secret')
    expect(simulator.calls.filter((name) => name === 'Login')).toHaveLength(1)
  })

  it('4: which the host has ended is opened again once, however many calls find it so, and what only reads is called again', async () => {
    await using host = await connected({ machines })
    const [web] = await allOf(retrieveAll(host.session, 'VirtualMachine', ['name'], call))
    const ref = web?.ref ?? { type: 'VirtualMachine' as const, value: '' }
    host.simulator.endSessions()
    const all = await Promise.all(Array.from({ length: 5 }, () => retrieveOne(host.session, ref, ['name'], call)))
    expect(all.map(({ values }) => values.name)).toEqual(Array(5).fill('web'))
    expect(host.simulator.calls.filter((name) => name === 'Login')).toHaveLength(2)
    expect([host.session.generation, host.simulator.sessions()]).toEqual([2, 1])
  })

  const account = { user: 'root', password: 'simulated' }

  const logins = ({ calls }: EsxiSimulator) => calls.filter((name) => name === 'Login').length

  it('29: that is closed while it is opened again is ended on the host', async () => {
    await using host = await connected({ machines })
    host.simulator.endSessions()
    host.simulator.sessionSettings.loginAnswerMs = 50
    const asked = host.session.call('CurrentTime', { type: 'ServiceInstance', value: 'ServiceInstance' }, {}, call).catch((error) => error)
    await until('it logs in again', () => logins(host.simulator) === 2)
    await host.session[Symbol.asyncDispose]()
    expect(await asked).toMatchObject({ code: 'ABORTED' })
    expect([logins(host.simulator), host.simulator.sessions()]).toEqual([2, 0])
  })

  it('29: whose opening is aborted is ended on the host', async () => {
    await using simulator = await startEsxiSimulator({ machines })
    await using client = await clientOf(simulator)
    simulator.sessionSettings.loginAnswerMs = 50
    const stop = new AbortController()
    const opening = openSession(client, account, { clock: systemClock, signal: stop.signal }).catch((error) => error)
    await until('it logs in', () => logins(simulator) === 1)
    stop.abort(new Error('enough'))
    expect(await opening).toMatchObject({ message: 'enough' })
    expect(simulator.sessions()).toBe(0)
  })

  it('29: is not opened again once it is closed', async () => {
    await using host = await connected({ machines })
    host.simulator.endSessions()
    const asked = host.session.call('CurrentTime', { type: 'ServiceInstance', value: 'ServiceInstance' }, {}, call).catch((error) => error)
    await host.session[Symbol.asyncDispose]()
    await asked
    expect(host.simulator.sessions()).toBe(0)
  })

  it('4: of which nothing is heard for half an hour is ended by the host; a living one asks for the time before', async () => {
    const clock = fakeClock()
    await using simulator = await startEsxiSimulator({ clock })
    await using client = await clientOf(simulator)
    await using deadClient = await clientOf(simulator)
    await using session = await openSession(client, account, { clock, signal: never })
    await using _dead = await openSession(deadClient, account, { clock, signal: never, keepAliveMs: 10 * 86_400_000 })
    expect(simulator.sessions()).toBe(2)
    const sleepers = clock.sleepers
    for (let asked = 1; asked <= 7; asked += 1) {
      await clock.advance(300_000)
      const answered = () => simulator.calls.filter((name) => name === 'CurrentTime').length === asked && clock.sleepers === sleepers
      await until('it has asked for the time', answered)
    }
    expect([simulator.sessions(), session.generation]).toEqual([1, 1])
    await session.call('CurrentTime', { type: 'ServiceInstance', value: 'ServiceInstance' }, {}, call)
    expect(session.generation).toBe(1)
  })

  it('4: which the host has ended fails a call that changes something, so that whoever made it looks again', async () => {
    await using host = await connected({ machines })
    const machine = host.simulator.machine('web')
    host.simulator.endSessions()
    const ref = { type: 'VirtualMachine' as const, value: machine?.value ?? '' }
    await expect(host.session.call('CreateSnapshot_Task', ref, snapshotOf, call)).rejects.toMatchObject({
      code: 'ACCESS_DENIED',
      retryable: true,
      details: { fault: 'NotAuthenticated' },
    })
    expect([host.session.generation, machine?.snapshots]).toEqual([2, []])
  })
})

describe('properties', () => {
  it('of many objects come a page at a time, each once, and leave no view behind', async () => {
    const many = Array.from({ length: 250 }, (_, at) => ({ name: `machine ${at}`, uuid: `uuid-${at}` }))
    await using host = await connected({ machines: many })
    const names = (await allOf(retrieveAll(host.session, 'VirtualMachine', ['name'], call))).map(({ values }) => values.name)
    expect(names).toEqual(many.map(({ name }) => name))
    expect(host.simulator.calls.filter((name) => /Retrieve.*PropertiesEx|View/.test(name))).toEqual([
      'CreateContainerView',
      'RetrievePropertiesEx',
      'ContinueRetrievePropertiesEx',
      'ContinueRetrievePropertiesEx',
      'DestroyView',
    ])
  })

  it('22: of a machine that is not accessible are those there are', async () => {
    await using host = await connected({ machines: [{ name: 'lost', uuid: 'x', inaccessible: true }] })
    const [lost] = await allOf(retrieveAll(host.session, 'VirtualMachine', ['name', 'config.uuid', 'snapshot'], call))
    expect(lost?.values).toEqual({ name: 'lost' })
  })

  it.each(['xsi', 'XMLSchema-instance', '_XMLSchema-instance'])('33: are the same with %s for a prefix', async (xsi) => {
    await using host = await connected({ machines, prefixes: { xsi, xsd: 'q1' } })
    const [web] = await allOf(retrieveAll(host.session, 'VirtualMachine', ['name', 'config.template', 'runtime.powerState'], call))
    expect(web?.values).toEqual({ name: 'web', 'config.template': false, 'runtime.powerState': 'poweredOn' })
  })
})

describe('tasks', () => {
  it.each(['xsi', '_XMLSchema-instance'])('give the reference they result in, with %s for a prefix', async (xsi) => {
    await using host = await connected({ machines, prefixes: { xsi, xsd: 'xsd' } })
    const machine = host.simulator.machine('web')
    const ref = { type: 'VirtualMachine' as const, value: machine?.value ?? '' }
    const called = { method: 'CreateSnapshot_Task', self: ref, name: 'web' }
    const results = await Promise.all(
      ['one', 'two', 'three'].map(async (name) => {
        const task = await host.session.call('CreateSnapshot_Task', ref, { ...snapshotOf, name }, call)
        return referenceIn(await taskResult(host.session, host.updates, task, { ...call, called }), 'VirtualMachineSnapshot')
      }),
    )
    expect(new Set(results.map(({ value }) => value)).size).toBe(3)
    const { values } = await retrieveOne(host.session, ref, ['snapshot'], call)
    expect(values.snapshot).toMatchObject({
      $type: 'VirtualMachineSnapshotInfo',
      rootSnapshotList: [{ childSnapshotList: [{ childSnapshotList: [{}] }] }],
    })
  })

  it('that the host does not know any more are not waited for', async () => {
    await using host = await connected({ machines })
    const called = { method: 'CreateSnapshot_Task', self: { type: 'VirtualMachine', value: 'vm-1' } }
    const waiting = taskResult(host.session, host.updates, { type: 'Task', value: 'task-gone' }, { ...call, called })
    await expect(waiting).rejects.toMatchObject({ code: 'NOT_FOUND' })
  })

  it('that are waited for end with the session', async () => {
    await using host = await connected({ machines })
    const waiting = host.updates.until(
      { type: 'VirtualMachine', value: host.simulator.machine('web')?.value ?? '' },
      ['name'],
      () => undefined,
      call,
    )
    const settled = waiting.catch((error) => error)
    while (!host.simulator.calls.includes('WaitForUpdatesEx')) await new Promise((resolve) => setTimeout(resolve, 5))
    host.simulator.endSessions()
    expect(await settled).toMatchObject({ code: 'ACCESS_DENIED', retryable: true })
  })

  it('an abort ends the wait at once', async () => {
    await using host = await connected({ machines })
    const stop = new AbortController()
    const ref = { type: 'VirtualMachine', value: host.simulator.machine('web')?.value ?? '' }
    const waiting = host.updates.until(ref, ['name'], () => undefined, { signal: stop.signal }).catch((error) => error)
    while (!host.simulator.calls.includes('WaitForUpdatesEx')) await new Promise((resolve) => setTimeout(resolve, 5))
    stop.abort(new Error('enough'))
    expect(await waiting).toMatchObject({ message: 'enough' })
  })
})
