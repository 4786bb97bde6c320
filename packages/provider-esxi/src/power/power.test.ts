import { type Mark, systemClock } from '@holdfast/core/spec'
import { movedOrCopied } from '@holdfast/testkit'
import { describe, expect, it } from 'vitest'
import { connectionOf, hurriedClock, machineOf, sharedOf } from '../../test/support/host-connection.ts'
import { type Connected, call, connected } from '../../test/support/simulated-host.ts'
import { markLine } from '../mark.ts'
import { createPowerAbility } from './power-ability.ts'

const mark: Mark = { system: 'office', plan: 'nightly', run: '0123456789abcdef', attempt: 1 }
const web = { name: 'web', uuid: '564d0000-0000-0000-0000-00000000aaaa' }
const on = { ...web, powerState: 'poweredOn' as const }
const ours = markLine({ purpose: 'machine', mark })
const asConfigured = { ...call, network: 'as-configured' } as const

const powerOf = (host: Connected, clock = hurriedClock()) => createPowerAbility(sharedOf(connectionOf(host, clock)))
const count = ({ simulator }: Connected, method: string): number => simulator.calls.filter((name) => name === method).length
const cardsOf = (host: Connected) =>
  machineOf(host, 'web').machine.hardware.cards.map(({ startConnected, connected: now, guestControl }) => [
    startConnected,
    now,
    guestControl,
  ])

describe('the state of a machine', () => {
  it.each([
    ['poweredOn', 'on'],
    ['poweredOff', 'off'],
    ['suspended', 'suspended'],
  ] as const)('%s is %s', async (powerState, said) => {
    await using host = await connected({ machines: [{ ...web, powerState }] })
    expect(await powerOf(host).state(web.uuid, call)).toBe(said)
  })

  it('of one that the host cannot read now is no answer', async () => {
    await using host = await connected({ machines: [{ ...on, inaccessible: 'known' }] })
    await expect(powerOf(host).state(web.uuid, call)).rejects.toMatchObject({ code: 'UNREACHABLE' })
  })
})

describe('starting a machine', () => {
  it('switches it on once, with its cards as they are', async () => {
    await using host = await connected({ machines: [{ ...web, cards: [{ connected: false }, {}] }] })
    await powerOf(host).start(web.uuid, asConfigured)
    await powerOf(host).start(web.uuid, asConfigured)
    expect([machineOf(host, 'web').machine.powerState, count(host, 'PowerOnVM_Task'), count(host, 'ReconfigVM_Task')]).toEqual([
      'poweredOn',
      1,
      0,
    ])
    expect(cardsOf(host).map(([start]) => start)).toEqual([false, true])
  })

  it('refuses a misspelt network instead of choosing one', async () => {
    await using host = await connected({ machines: [web] })
    const network = 'disconected' as 'disconnected'
    await expect(powerOf(host).start(web.uuid, { ...call, network })).rejects.toMatchObject({
      code: 'INVALID_OPTIONS',
      message: expect.stringContaining('network is "disconected"'),
    })
  })

  it('that somebody has switched on meanwhile is success', async () => {
    await using host = await connected({ machines: [web] })
    const { machine } = machineOf(host, 'web')
    const starting = powerOf(host).start(web.uuid, asConfigured)
    while (!host.simulator.calls.includes('PowerOnVM_Task')) await new Promise((resolve) => setImmediate(resolve))
    machine.powerState = 'poweredOn'
    await starting
    expect(machine.powerState).toBe('poweredOn')
  })

  it('without a network cuts its cards first, so that the guest cannot connect them either', async () => {
    await using host = await connected({
      machines: [{ ...web, cards: [{}, { model: 'VirtualE1000' }, { network: 'LAN' }] }],
      networks: [{ name: 'VM Network' }, { name: 'LAN', type: 'DistributedVirtualPortgroup' }],
    })
    await powerOf(host).start(web.uuid, { ...call, network: 'disconnected' })
    expect(cardsOf(host)).toEqual(Array(3).fill([false, false, false]))
    expect(host.simulator.calls.indexOf('ReconfigVM_Task')).toBeLessThan(host.simulator.calls.indexOf('PowerOnVM_Task'))
    expect(machineOf(host, 'web').machine.hardware.cards.map(({ network }) => network)).toEqual(['VM Network', 'VM Network', 'LAN'])
  })

  it('without a network does not cut off one that is at work, and is done with one that is cut already', async () => {
    await using host = await connected({ machines: [on] })
    await expect(powerOf(host).start(web.uuid, { ...call, network: 'disconnected' })).rejects.toMatchObject({
      code: 'IN_USE',
      message: expect.stringContaining('runs already, and reaches its networks'),
    })
    expect(cardsOf(host)).toEqual([[true, true, true]])
    await using other = await connected({ machines: [web] })
    for (let time = 0; time < 2; time += 1) await powerOf(other).start(web.uuid, { ...call, network: 'disconnected' })
    expect([cardsOf(other), machineOf(other, 'web').machine.powerState]).toEqual([[[false, false, false]], 'poweredOn'])
  })

  it('with a network connects cards that were cut, also of a machine that is on', async () => {
    await using host = await connected({ machines: [{ ...on, cards: [{ connected: false }] }] })
    await powerOf(host).start(web.uuid, { ...call, network: 'connected' })
    expect(cardsOf(host)).toEqual([[true, true, true]])
  })

  it('without a network is not started when the host has not cut its cards', async () => {
    await using host = await connected({ machines: [{ ...web, conduct: { ignoresChanges: true } }] })
    await expect(powerOf(host).start(web.uuid, { ...call, network: 'disconnected' })).rejects.toMatchObject({ code: 'PROVIDER_FAILED' })
    expect(machineOf(host, 'web').machine.powerState).toBe('poweredOff')
  })

  it('19: waits for another task of it', async () => {
    await using host = await connected({ machines: [web] })
    const clock = hurriedClock()
    host.simulator.refuse(
      'PowerOnVM_Task',
      { fault: 'TaskInProgress', message: 'Another task is in progress.', fields: '<task type="Task">task-9</task>' },
      3,
    )
    await powerOf(host, clock).start(web.uuid, asConfigured)
    expect(clock.paused).toEqual([2, 4, 8])
  })
})

describe('a question of a machine', () => {
  it('whether it was moved or copied is answered for one that we made, before and while it starts', async () => {
    const second = { ...movedOrCopied, id: '8' }
    await using host = await connected({
      machines: [{ ...web, conduct: { annotation: ours, question: movedOrCopied, asksAtPowerOn: second } }],
    })
    await powerOf(host).start(web.uuid, asConfigured)
    const { machine } = machineOf(host, 'web')
    expect([machine.powerState, machine.conduct.answers]).toEqual(['poweredOn', ['2', '2']])
  })

  it.each([
    ['of a machine of somebody else', '', movedOrCopied],
    [
      'that nobody but a person can answer',
      ours,
      {
        ...movedOrCopied,
        message: 'msg.hbacommon.outofspace',
        text: 'There is no more space.',
        choices: [
          { key: '0', label: 'Button.retry', summary: '_Retry' },
          { key: '1', label: 'Button.cancel', summary: '&Cancel' },
        ],
      },
    ],
  ])('%s is told with its answers, and left', async (_, annotation, question) => {
    await using host = await connected({ machines: [{ ...web, conduct: { annotation, asksAtPowerOn: question } }] })
    const error = await powerOf(host)
      .start(web.uuid, asConfigured)
      .catch((thrown) => thrown)
    expect(error).toMatchObject({ code: 'IN_USE', retryable: false, remedy: expect.stringContaining('host client') })
    expect(error.message).toContain(question.text)
    expect(error.message).not.toMatch(/msg\.|[_&][A-Za-z]/)
    const { conduct } = machineOf(host, 'web').machine
    expect([conduct.answers, conduct.question?.id]).toEqual([[], question.id])
  })
})

describe('stopping a machine', () => {
  const stop = { ...call, graceMs: 30_000, force: false }

  it('asks its guest, and waits until it is off', async () => {
    await using host = await connected({ machines: [{ ...on, conduct: { shutdownMs: 30 } }] })
    await createPowerAbility(sharedOf(connectionOf(host, systemClock))).stop(web.uuid, stop)
    await powerOf(host).stop(web.uuid, stop)
    expect([machineOf(host, 'web').machine.powerState, count(host, 'ShutdownGuest'), count(host, 'PowerOffVM_Task')]).toEqual([
      'poweredOff',
      1,
      0,
    ])
  })

  it('whose guest does not shut down in time forces it off, or says so', async () => {
    await using host = await connected({ machines: [{ ...on, conduct: { shutdownMs: undefined } }] })
    await expect(powerOf(host).stop(web.uuid, stop)).rejects.toMatchObject({
      code: 'TIMED_OUT',
      message: expect.stringContaining('did not shut down within'),
    })
    expect(machineOf(host, 'web').machine.powerState).toBe('poweredOn')
    await powerOf(host).stop(web.uuid, { ...stop, force: true })
    expect(machineOf(host, 'web').machine.powerState).toBe('poweredOff')
  })

  it.each([
    ['has no tools', { ...on, conduct: { toolsRunning: false } }],
    ['is suspended', { ...web, powerState: 'suspended' as const }],
    ['waits for an answer', { ...on, conduct: { question: movedOrCopied } }],
  ])('whose guest cannot be asked is not waited for: it %s', async (_, machine) => {
    await using host = await connected({ machines: [machine] })
    const clock = hurriedClock()
    await expect(powerOf(host, clock).stop(web.uuid, stop)).rejects.toMatchObject({
      code: 'TIMED_OUT',
      message: expect.stringContaining('cannot be asked'),
    })
    expect(clock.paused).toEqual([])
    await powerOf(host, clock).stop(web.uuid, { ...stop, force: true })
    expect(machineOf(host, 'web').machine.powerState).toBe('poweredOff')
  })
})

describe('the simulated host', () => {
  it('refuses what real hosts refuse: a name twice, to destroy what runs, a power state twice', async () => {
    await using host = await connected({ machines: [on, { name: 'other', uuid: 'other' }] })
    const { vm } = machineOf(host, 'web')
    const ended = async (task: { readonly type: 'Task'; readonly value: string }) =>
      host.updates.until(
        task,
        ['info'],
        ({ info }) => {
          const { state, error } = info as { readonly state: string; readonly error?: { readonly fault: { readonly $type: string } } }
          return state === 'success' || state === 'error' ? (error?.fault.$type ?? 'success') : undefined
        },
        call,
      )
    expect(await ended(await host.session.call('ReconfigVM_Task', vm, { spec: { name: 'other' } }, call))).toBe('DuplicateName')
    expect(await ended(await host.session.call('ReconfigVM_Task', vm, { spec: { name: 'a%2fb' } }, call))).toBe('success')
    expect(host.simulator.machine('a/b')?.value).toBe(vm.value)
    expect(await ended(await host.session.call('PowerOnVM_Task', vm, {}, call))).toBe('InvalidPowerState')
    expect(await ended(await host.session.call('Destroy_Task', vm, {}, call))).toBe('InvalidPowerState')
    expect(await ended(await host.session.call('PowerOffVM_Task', vm, {}, call))).toBe('success')
    expect(await ended(await host.session.call('Destroy_Task', vm, {}, call))).toBe('success')
    expect(host.simulator.machine('a/b')).toBeUndefined()
  })
})
