import { describe, expect, it } from 'vitest'
import { retrieveOne } from '../../src/vim25/retrieve.ts'
import { referenceIn, taskResult } from '../../src/vim25/tasks.ts'
import type { MoRef } from '../../src/vim25/values.ts'
import { call, connectTo, type OpenedHost, openAndConnect } from './opened-host.ts'
import type { OpenTestedHost } from './tested-host.ts'

const disks = [new Uint8Array(1024 * 1024).fill(7)]
const web = { name: 'web', disks, poweredOn: true }

async function snapshot({ connection }: OpenedHost, vm: MoRef<'VirtualMachine'>, name: string): Promise<MoRef<'VirtualMachineSnapshot'>> {
  const { session, updates } = connection
  const parameters = { name, description: 'of a test', memory: false, quiesce: false }
  const task = await session.call('CreateSnapshot_Task', vm, parameters, call)
  const result = await taskResult(session, updates, task, { ...call, called: { method: 'CreateSnapshot_Task', self: vm } })
  return referenceIn(result, 'VirtualMachineSnapshot')
}

/** Sessions and what is read. */
export function sessionTests(open: OpenTestedHost): void {
  describe.each(['esxi', 'vcenter'] as const)('a session on %s', (kind) => {
    it('is opened with the version that both know, and ends with a logout', async () => {
      await using opened = await openAndConnect(open, { kind })
      const { session } = opened.connection
      expect(await session.client.version(call)).toMatch(/^\d+\.\d+/)
      expect(session.content.about.apiType).toBe(kind === 'esxi' ? 'HostAgent' : 'VirtualCenter')
      expect(await opened.host.sessions()).toBe(1)
      await opened.logOut()
      expect(await opened.host.sessions()).toBe(0)
    })
  })

  it('29: leaves no session behind when the password is wrong', async () => {
    await using host = await open()
    const wrong = { ...host, login: { ...host.login, password: 'canary-secret' } }
    const failed = await connectTo(wrong).catch((error) => error)
    expect(failed).toMatchObject({ code: 'ACCESS_DENIED', details: { fault: 'InvalidLogin' } })
    expect(`${failed.message} ${failed.stack} ${JSON.stringify(failed.details)}`).not.toContain('canary-secret')
    expect(await host.sessions()).toBe(0)
  })

  it('32: is not opened with a host that shows another certificate', async () => {
    await using host = await open()
    const wrong = { ...host, login: { ...host.login, thumbprint: 'AA:'.repeat(32).slice(0, -1) } }
    await expect(connectTo(wrong)).rejects.toMatchObject({ code: 'ACCESS_DENIED' })
    expect(await host.sessions()).toBe(0)
  })

  it('4: which the host has ended is opened again for what only reads, also where the host says so inside a good answer', async () => {
    await using opened = await openAndConnect(open, { machines: [web] })
    const { session } = opened.connection
    const vm = await opened.machine('web')
    await opened.host.endSessions()
    const all = await Promise.all(Array.from({ length: 5 }, () => retrieveOne(session, vm, ['name'], call)))
    expect(all.map(({ values }) => values.name)).toEqual(Array(5).fill('web'))
    expect([session.generation, await opened.host.sessions()]).toEqual([2, 1])
  })

  it('4: which the host has ended fails a call that changes something', async () => {
    await using opened = await openAndConnect(open, { machines: [web] })
    const vm = await opened.machine('web')
    await opened.host.endSessions()
    await expect(snapshot(opened, vm, 'one')).rejects.toMatchObject({ code: 'ACCESS_DENIED', retryable: true })
    expect((await retrieveOne(opened.connection.session, vm, ['snapshot'], call)).values.snapshot).toBeUndefined()
  })

  it('of many machines tells all, a page at a time', async () => {
    const machines = Array.from({ length: 120 }, (_, at) => ({ name: `machine-${at}`, disks: [] }))
    await using opened = await openAndConnect(open, { machines })
    expect(await opened.machines()).toEqual(machines.map(({ name }) => name).toSorted())
  })
}

/** Tasks, waits and snapshots. */
export function snapshotTests(open: OpenTestedHost): void {
  it('33: a snapshot is the reference that its task gives, one below the other, and can be removed', async () => {
    await using opened = await openAndConnect(open, { machines: [web] })
    const { session, updates } = opened.connection
    const vm = await opened.machine('web')
    const one = await snapshot(opened, vm, 'one')
    const two = await snapshot(opened, vm, 'two')
    const tree = async () => (await retrieveOne(session, vm, ['snapshot'], call)).values.snapshot
    expect(await tree()).toMatchObject({
      $type: 'VirtualMachineSnapshotInfo',
      currentSnapshot: two,
      rootSnapshotList: [{ snapshot: one, name: 'one', description: 'of a test', childSnapshotList: [{ snapshot: two, name: 'two' }] }],
    })
    for (const ref of [one, two]) {
      const task = await session.call('RemoveSnapshot_Task', ref, { removeChildren: false, consolidate: true }, call)
      await taskResult(session, updates, task, { ...call, called: { method: 'RemoveSnapshot_Task', self: ref } })
    }
    expect(await tree()).toBeUndefined()
  })

  it('the state of something is told to whoever begins to wait while others wait', async () => {
    await using opened = await openAndConnect(open, { machines: [web] })
    const { updates } = opened.connection
    const vm = await opened.machine('web')
    const nameOf = () => updates.until(vm, ['name'], ({ name }) => name, call)
    expect(await nameOf()).toBe('web')
    const stop = new AbortController()
    const long = updates.until(vm, ['name'], () => undefined, { signal: stop.signal }).catch((error) => error)
    expect(await Promise.all([nameOf(), nameOf(), nameOf()])).toEqual(['web', 'web', 'web'])
    stop.abort(new Error('enough'))
    expect(await long).toMatchObject({ message: 'enough' })
  })

  it('the state of something is told to all who are the first to wait, at the same moment', async () => {
    await using opened = await openAndConnect(open, { machines: [web] })
    const vm = await opened.machine('web')
    const nameOf = () => opened.connection.updates.until(vm, ['name'], ({ name }) => name, call)
    expect(await Promise.all([nameOf(), nameOf(), nameOf()])).toEqual(['web', 'web', 'web'])
  })

  it('a task that the host refuses fails with its fault', async () => {
    await using opened = await openAndConnect(open, { machines: [web] })
    const { session, updates } = opened.connection
    const vm = await opened.machine('web')
    const called = { method: 'PowerOnVM_Task', self: vm, name: 'web' }
    const powerOn = async () => taskResult(session, updates, await session.call('PowerOnVM_Task', vm, {}, call), { ...call, called })
    await expect(powerOn()).rejects.toMatchObject({ code: 'IN_USE', details: { fault: 'InvalidPowerState' } })
  })
}
