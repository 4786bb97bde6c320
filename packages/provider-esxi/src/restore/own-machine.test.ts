import type { MachineOptions } from '@holdfast/testkit'
import { describe, expect, it } from 'vitest'
import { simulatedConnection } from '../../test/support/simulated-connection.ts'
import { call } from '../../test/support/simulated-host.ts'
import { type Purpose, readMark, withMark } from '../mark.ts'
import { abandon, changeOwn, lookAtOwn } from './own-machine.ts'

const mark = { system: 's1', plan: '', run: '0000000000000001', attempt: 1 }

/** A machine whose notes carry our mark. */
async function marked(purpose: Purpose, options: Partial<MachineOptions> = {}) {
  const all = await simulatedConnection({ machines: [{ name: 'web', uuid: 'u', ...options }] })
  const machine = all.simulator.machine('web')
  if (machine === undefined) throw new Error('there is no machine')
  machine.conduct.annotation = withMark('of somebody', { purpose, mark })
  const whole = { ref: { type: 'VirtualMachine', value: machine.value }, name: 'web' } as const
  return { ...all, machine, whole, purpose: () => readMark(machine.conduct.annotation) }
}

const unfinished = { mark, purposes: ['machine-unfinished'] } as const

describe('a machine of an attempt', () => {
  it('is changed as long as its notes say that it is unfinished, and not when it is finished already', async () => {
    await using fresh = await marked('machine-unfinished')
    await changeOwn(fresh.connection, fresh.whole, unfinished, () => ({ name: 'mail' }), call)
    expect(fresh.machine.name).toBe('mail')
    await using finished = await marked('machine')
    await expect(changeOwn(finished.connection, finished.whole, unfinished, () => ({ name: 'mail' }), call)).rejects.toMatchObject({
      code: 'PROVIDER_FAILED',
      message: expect.stringContaining('not as it was made any more'),
    })
    expect(finished.machine.name).toBe('web')
  })

  it('that cannot be read is not said to be changed, and is left as it is', async () => {
    await using all = await marked('machine-unfinished', { inaccessible: true })
    await expect(lookAtOwn(all.connection, all.whole, unfinished, call)).rejects.toMatchObject({
      code: 'PROVIDER_FAILED',
      message: expect.stringContaining('cannot read the machine web now'),
    })
  })

  it('can be abandoned again, and neither finished nor abandoned while it runs', async () => {
    await using all = await marked('machine-unfinished')
    for (const time of [1, 2]) {
      await abandon(all.connection, all.whole, mark, call)
      expect(all.purpose(), `time ${time}`).toEqual({ purpose: 'machine-unfinished', mark, abandoned: true })
    }
    await expect(lookAtOwn(all.connection, all.whole, unfinished, call)).rejects.toMatchObject({ code: 'PROVIDER_FAILED' })
    await using other = await marked('machine-unfinished')
    other.machine.powerState = 'poweredOn'
    await expect(abandon(other.connection, other.whole, mark, call)).rejects.toMatchObject({
      code: 'IN_USE',
      remedy: expect.stringContaining('take our line out of its notes'),
    })
    expect(other.purpose()).toEqual({ purpose: 'machine-unfinished', mark })
  })
})
