import { startEsxiSimulator } from '@holdfast/testkit'
import { describe, expect, it } from 'vitest'
import { call, clientOf } from '../../test/support/simulated-host.ts'
import { createPinnedAgent, isThumbprint, readHostCertificate } from './pinned-agent.ts'
import { createSoapClient } from './soap-client.ts'

const serviceInstance = { type: 'ServiceInstance' as const, value: 'ServiceInstance' }

describe('a thumbprint', () => {
  it('of the certificate that a host shows lets it be talked to', async () => {
    await using simulator = await startEsxiSimulator()
    const { sha256, sha1, subject } = await readHostCertificate(simulator.host, simulator.port, call)
    expect([sha256, subject]).toEqual([simulator.thumbprint(), 'simulated host'])
    for (const thumbprint of [sha256, sha1, sha256.replaceAll(':', '').toLowerCase()]) {
      await using client = await clientOf(simulator, thumbprint)
      expect((await client.call('RetrieveServiceContent', serviceInstance, {}, call)).about.apiType).toBe('HostAgent')
    }
  })

  it('of another certificate keeps everything from the host, and tells which one it has', async () => {
    await using simulator = await startEsxiSimulator()
    await using client = await clientOf(simulator, 'AA'.repeat(32))
    await expect(client.call('RetrieveServiceContent', serviceInstance, {}, call)).rejects.toMatchObject({
      code: 'ACCESS_DENIED',
      message: expect.stringContaining(simulator.thumbprint()),
    })
    expect(simulator.calls).toEqual([])
  })

  it('32: is compared at each connection: a session of TLS is never resumed past it', async () => {
    await using simulator = await startEsxiSimulator()
    const thumbprint = simulator.thumbprint()
    for (let connection = 0; connection < 3; connection += 1) {
      await using client = await clientOf(simulator, thumbprint)
      await client.call('RetrieveServiceContent', serviceInstance, {}, call)
    }
    const agent = createPinnedAgent(thumbprint, { connectMs: 5000, answerMs: 5000, bodyMs: 5000 })
    const client = createSoapClient(simulator, agent)
    await client.call('RetrieveServiceContent', serviceInstance, {}, call)
    simulator.renewCertificate()
    simulator.closeConnections()
    const again = () => client.call('RetrieveServiceContent', serviceInstance, {}, call).catch((error) => error)
    let answer = await again()
    while (answer.code === 'UNREACHABLE') answer = await again() // the old connection, which is just being closed
    expect(answer).toMatchObject({ code: 'ACCESS_DENIED', message: expect.stringContaining(simulator.thumbprint()) })
    await agent.destroy()
  })

  it('is needed for a certificate that nobody has signed', async () => {
    await using simulator = await startEsxiSimulator()
    const agent = createPinnedAgent(undefined, { connectMs: 5000, answerMs: 5000, bodyMs: 5000 })
    const failed = createSoapClient(simulator, agent).call('RetrieveServiceContent', serviceInstance, {}, call)
    await expect(failed).rejects.toMatchObject({ code: 'ACCESS_DENIED', remedy: expect.stringContaining('thumbprint') })
    await agent.destroy()
  })

  it('is recognised in both lengths, with colons and without', () => {
    expect([`${'AB:'.repeat(19)}AB`, 'ab'.repeat(32), 'AB', 'zz'.repeat(32)].map(isThumbprint)).toEqual([true, true, false, false])
  })
})
