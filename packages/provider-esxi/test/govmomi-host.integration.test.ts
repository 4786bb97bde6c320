import { request } from 'node:https'
import { expect, it } from 'vitest'
import { describeWithPeer } from '../../../scripts/peers/test-peers.ts'
import { openLease } from '../src/lease/lease.ts'
import { openGovmomiHost } from './support/govmomi-host.ts'
import { call, openAndConnect } from './support/opened-host.ts'
import { machineWith } from './support/transfer-tests.ts'

const one = machineWith('one', 1)

/** Status of an answer, whose body is thrown away. */
function statusOf(port: number, method: string, path: string, cookie?: string): Promise<number> {
  return new Promise((resolve, reject) => {
    const headers = cookie === undefined ? {} : { cookie }
    const sent = request({ host: '127.0.0.1', port, method, path, headers, rejectUnauthorized: false, agent: false }, (response) => {
      response.resume().on('end', () => resolve(response.statusCode ?? 0))
    })
    sent.on('error', reject).end(method === 'POST' || method === 'PUT' ? 'KDMV' : undefined)
  })
}

describeWithPeer('govmomi', 'our extension of the simulator of govmomi', (facts) => {
  const open = () => openAndConnect((options) => openGovmomiHost(facts, options), { machines: [one] })

  it('answers HEAD for a device, and lets nobody write what is exported', async () => {
    await using opened = await open()
    const { connection, host } = opened
    const port = host.login.port ?? 0
    const ref = await connection.session.call('ExportVm', await opened.machine(one.name), {}, call)
    await using lease = await openLease(connection, ref, { name: one.name, ...call })
    const path = lease.urls.find(({ disk }) => disk)?.path ?? ''
    const statuses = await Promise.all(['HEAD', 'GET', 'POST', 'PUT'].map((method) => statusOf(port, method, path)))
    expect(statuses).toEqual([200, 200, 405, 405])
    expect(await statusOf(port, 'GET', `${path}.other`)).toBe(404)
  })

  it('refuses to switch on a machine while a lease holds it', async () => {
    await using opened = await open()
    const { session } = opened.connection
    const vm = await opened.machine(one.name)
    await using _lease = await openLease(opened.connection, await session.call('ExportVm', vm, {}, call), { name: one.name, ...call })
    await expect(session.call('PowerOnVM_Task', vm, {}, call)).rejects.toMatchObject({ details: { fault: 'InvalidState' } })
  })

  it('serves files of datastores after a login only', async () => {
    await using opened = await open()
    const { client } = opened.connection.session
    const port = opened.host.login.port ?? 0
    const path = `/folder/${one.name}/${one.name}_0.vmdk`
    const cookie = client.sessionCookie(client.address)
    expect(await statusOf(port, 'GET', path)).toBe(401)
    expect([await statusOf(port, 'GET', path, cookie), await statusOf(port, 'HEAD', path, cookie)]).toEqual([200, 200])
  })
})
