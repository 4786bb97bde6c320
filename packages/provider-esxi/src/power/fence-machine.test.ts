import type { Mark } from '@holdfast/core/spec'
import { movedOrCopied, type SimulatedConduct } from '@holdfast/testkit'
import { describe, expect, it } from 'vitest'
import { connectionOf, machineOf, sharedOf } from '../../test/support/host-connection.ts'
import { recordedRun } from '../../test/support/recorded-run.ts'
import { type Connected, call, connected } from '../../test/support/simulated-host.ts'
import { readFenceMark, readMark } from '../mark.ts'
import { createPowerAbility } from './power-ability.ts'

const mark: Mark = { system: 'office', plan: 'failover', run: '0123456789abcdef', attempt: 1 }
const web = { name: 'web', uuid: '564d0000-0000-0000-0000-00000000aaaa', powerState: 'poweredOn' as const }
const powerOf = (host: Connected) => createPowerAbility(sharedOf(connectionOf(host)))
const fence = (host: Connected, by: Mark = mark) => powerOf(host).fence(web.uuid, recordedRun(by).run)

describe('a fence', () => {
  it.each(['esxi', 'vcenter'] as const)(
    'puts a machine off, cut, never started by its host, and marked; each read back: %s',
    async (kind) => {
      await using host = await connected({
        kind,
        machines: [{ ...web, cards: [{}, {}], conduct: { annotation: 'Ask Ann', autoStart: true } }],
      })
      const { confirmed, evidence } = await fence(host)
      expect([confirmed, evidence]).toEqual([true, 'it is off; 2 network cards are cut; its host does not start it; it is marked'])
      const { machine } = machineOf(host, 'web')
      const { conduct, hardware, powerState } = machine
      expect([powerState, conduct.autoStart, hardware.cards.map((card) => [card.startConnected, card.guestControl])]).toEqual([
        'poweredOff',
        false,
        [
          [false, false],
          [false, false],
        ],
      ])
      expect([readFenceMark(conduct.annotation), readMark(conduct.annotation)]).toEqual([mark, undefined])
      expect(conduct.annotation.split('\n')[0]).toBe('Ask Ann')
    },
  )

  it('again, by another attempt, is confirmed again', async () => {
    await using host = await connected({ machines: [web] })
    await fence(host)
    expect((await fence(host, { ...mark, attempt: 2 })).confirmed).toBe(true)
    expect(machineOf(host, 'web').machine.conduct.annotation.split('\n')).toHaveLength(1)
  })

  it.each<[string, Partial<SimulatedConduct>, string]>([
    ['somebody starts it again', { startsAgain: true }, 'it is poweredOn'],
    ['its host takes changes and does not make them', { ignoresChanges: true }, '1 of 1 network cards are not cut'],
    ['it waits for an answer, so that nothing of it can be changed', { question: movedOrCopied }, 'cutting the network failed'],
  ])('is not confirmed when %s, and says why', async (_, conduct, why) => {
    await using host = await connected({ machines: [{ ...web, conduct }] })
    const { confirmed, evidence } = await fence(host)
    expect([confirmed, evidence]).toEqual([false, expect.stringContaining(why)])
  })

  it('takes every step that it can, although one of them is refused', async () => {
    await using host = await connected({ machines: [{ ...web, conduct: { autoStart: true } }] })
    host.simulator.refuse('PowerOffVM_Task', {
      fault: 'NoPermission',
      message: 'Permission to perform this operation was denied.',
      fields: '<privilegeId>VirtualMachine.Interact.PowerOff</privilegeId>',
    })
    const { confirmed, evidence } = await fence(host)
    const { conduct, hardware } = machineOf(host, 'web').machine
    expect([confirmed, conduct.autoStart, hardware.cards.map(({ connected: now }) => now)]).toEqual([false, false, [false]])
    expect(evidence).toContain('VirtualMachine.Interact.PowerOff')
  })

  it('is not confirmed when the host does not tell what it starts by itself', async () => {
    await using host = await connected({ machines: [web], hosts: [] })
    const { confirmed, evidence } = await fence(host)
    expect([confirmed, evidence]).toEqual([false, expect.stringContaining('is not known')])
  })

  it('is not confirmed when a network card is of a class that came later', async () => {
    await using host = await connected({ machines: [{ ...web, cards: [{ model: 'VirtualVmxnet9' }] }] })
    const { confirmed, evidence } = await fence(host)
    expect([confirmed, evidence]).toEqual([false, expect.stringContaining('VirtualVmxnet9')])
  })

  it('says nothing of a machine whose host cannot be asked', async () => {
    await using host = await connected({ machines: [{ ...web, inaccessible: 'known' }] })
    await expect(fence(host)).rejects.toMatchObject({ code: 'UNREACHABLE' })
  })

  it('is lifted by whoever starts the machine; its cards are connected only if that was asked for', async () => {
    await using host = await connected({ machines: [web] })
    await fence(host)
    await powerOf(host).start(web.uuid, { ...call, network: 'connected' })
    const { conduct, hardware, powerState } = machineOf(host, 'web').machine
    expect([powerState, readFenceMark(conduct.annotation), hardware.cards.map(({ startConnected }) => startConnected)]).toEqual([
      'poweredOn',
      undefined,
      [true],
    ])
  })
})
