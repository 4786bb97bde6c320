import { type Intent, type Json, systemClock } from '@holdfast/core/spec'
import { type EsxiSimulator, fakeClock, startEsxiSimulator } from '@holdfast/testkit'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { loginOf } from '../test/support/simulated-connection.ts'
import { call } from '../test/support/simulated-host.ts'
import { esxi } from './esxi-provider.ts'

let simulator: EsxiSimulator

beforeEach(async () => {
  simulator = await startEsxiSimulator({ machines: [{ name: 'web', uuid: 'uuid-of-web' }] })
})
afterEach(() => simulator[Symbol.asyncDispose]())

const intentOf = (kind: string, data: Json): Intent => ({
  id: 'intent-1',
  provider: 'esxi',
  kind,
  data,
  mark: { system: 's', plan: 'p', run: '0123456789abcdef', attempt: 1 },
  kept: false,
})

describe('the provider of a simulated host', () => {
  it('29: has one session for all its calls, and none after it was disposed', async () => {
    const provider = esxi(loginOf(simulator), { clock: systemClock })
    expect(simulator.sessions()).toBe(0)
    for await (const { name } of provider.workloads(call)) expect(name).toBe('web')
    await Promise.all([provider.check(call), provider.power?.state('uuid-of-web', call), provider.snapshots?.list('uuid-of-web', call)])
    expect(simulator.sessions()).toBe(1)
    await provider[Symbol.asyncDispose]()
    expect(simulator.sessions()).toBe(0)
    await expect(provider.power?.state('uuid-of-web', call)).rejects.toMatchObject({ code: 'ABORTED' })
    expect(simulator.sessions()).toBe(0)
  })

  it('29: has no session left after calls that failed', async () => {
    const provider = esxi(loginOf(simulator))
    await expect(provider.power?.state('nobody', call)).rejects.toMatchObject({ code: 'NOT_FOUND' })
    simulator.refuse('CreateContainerView', { fault: 'HostCommunication', message: 'no' })
    await expect(provider.workloads(call)[Symbol.asyncIterator]().next()).rejects.toMatchObject({ code: 'UNREACHABLE' })
    await provider[Symbol.asyncDispose]()
    expect(simulator.sessions()).toBe(0)
  })

  it('tries a password that was refused once, however often it is asked, and again when a locked account is open', async () => {
    const clock = fakeClock()
    const provider = esxi({ ...loginOf(simulator), password: 'wrong' }, { clock })
    const logins = () => simulator.calls.filter((name) => name === 'Login').length
    const ask = () => expect(provider.workloads(call)[Symbol.asyncIterator]().next()).rejects.toMatchObject({ code: 'ACCESS_DENIED' })
    for (let times = 0; times < 4; times += 1) await ask()
    expect(logins()).toBe(1)
    await clock.advance(16 * 60 * 1000)
    await ask()
    expect(logins()).toBe(2)
    await provider[Symbol.asyncDispose]()
  })

  it('refuses options that are wrong when it is made', () => {
    expect(() => esxi({ host: 'https://esx', user: 'root', password: 'p' })).toThrow(/host/)
  })

  it('keeps an intent that a newer version wrote, and one that names nothing', async () => {
    const provider = esxi(loginOf(simulator))
    await expect(provider.undo(intentOf('remove-moon', {}), call)).rejects.toMatchObject({
      code: 'UNSUPPORTED',
      message: expect.stringContaining('"remove-moon"'),
    })
    await expect(provider.undo(intentOf('toString', {}), call)).rejects.toMatchObject({ code: 'UNSUPPORTED' })
    await expect(provider.undo(intentOf('remove-machine', {}), call)).rejects.toMatchObject({ code: 'INTERNAL' })
    await expect(provider.undo(intentOf('remove-snapshot', null), call)).rejects.toMatchObject({ code: 'INTERNAL' })
    await provider[Symbol.asyncDispose]()
  })

  it('takes no port in the name of the host, and an address of IPv6 as it is', () => {
    expect(() => esxi({ ...loginOf(simulator), host: '127.0.0.1:443' })).toThrow(/"port"/)
    expect(() => esxi({ ...loginOf(simulator), host: '::1' })).not.toThrow()
  })

  it('fills in defaults of options, and names what is misspelt', () => {
    const { parseOptions } = esxi(loginOf(simulator))
    expect(parseOptions?.('backup', {})).toMatchObject({ quiesce: 'try' })
    expect(parseOptions?.('restore', {})).toMatchObject({ diskProvisioning: 'thin', networks: {} })
    expect(() => parseOptions?.('restore', { datastor: 'x' })).toThrow(/datastor/)
    expect(() => parseOptions?.('probe', {})).toThrow(/probed/)
  })
})
