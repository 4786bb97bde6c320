import type { Mark } from '@holdfast/core/spec'
import type { SimulatedMachine } from '@holdfast/testkit'
import { describe, expect, it } from 'vitest'
import { connectionOf, hurriedClock, machineOf } from '../../test/support/host-connection.ts'
import { type Connected, call, connected } from '../../test/support/simulated-host.ts'
import { isOf, type Purpose } from '../mark.ts'
import { createSnapshot, isQuiesceFault } from './create-snapshot.ts'
import { removeOwnSnapshot } from './remove-snapshot.ts'
import { readSnapshots } from './snapshot-tree.ts'

const mark: Mark = { system: 'office', plan: 'nightly', run: '0123456789abcdef', attempt: 1 }
const web = { name: 'web', uuid: '564d0000-0000-0000-0000-00000000aaaa', powerState: 'poweredOn' as const }
const wanted = (name: string, purpose: Purpose = 'backup') => ({ name, memory: false, quiesce: false, marked: { purpose, mark } })

function namesOf(machine: SimulatedMachine): readonly string[] {
  const all = (list: SimulatedMachine['snapshots']): readonly string[] => list.flatMap((one) => [one.name, ...all(one.children)])
  return all(machine.snapshots)
}
const count = ({ simulator }: Connected, method: string): number => simulator.calls.filter((name) => name === method).length

describe('making a snapshot', () => {
  it('marks it, gives any name to the host as hosts want it, and reads it back as people wrote it', async () => {
    await using host = await connected({ machines: [web] })
    const { machine, vm } = machineOf(host, 'web')
    const made = await createSnapshot(connectionOf(host), vm, wanted('100% sure/maybe\\'), call)
    expect(namesOf(machine)).toEqual(['100%25 sure%2fmaybe%5c'])
    expect(made).toMatchObject({ name: '100% sure/maybe\\', memory: false, quiesced: false, marked: { purpose: 'backup', mark } })
    expect(machine.snapshots[0]?.description).toMatch(/^Temporary, for a backup by Holdfast\./)
  })

  it.each([
    ['on, with tools', {}, true],
    ['on, without tools', { conduct: { toolsRunning: false } }, false],
    ['off', { powerState: 'poweredOff' as const }, false],
  ])('tells whether the guest was really asked to flush: %s', async (_, more, quiesced) => {
    await using host = await connected({ machines: [{ ...web, ...more }] })
    const made = await createSnapshot(connectionOf(host), machineOf(host, 'web').vm, { ...wanted('one'), quiesce: true }, call)
    expect(made.quiesced).toBe(quiesced)
  })

  it('with memory says so only when there was some', async () => {
    const states = [{ name: 'off', powerState: 'poweredOff' } as const, { name: 'asleep', powerState: 'suspended' } as const]
    await using host = await connected({ machines: [web, ...states.map((one) => ({ ...one, uuid: one.name }))] })
    const of = (name: string) => createSnapshot(connectionOf(host), machineOf(host, name).vm, { ...wanted('one'), memory: true }, call)
    expect([(await of('web')).memory, (await of('off')).memory, (await of('asleep')).memory]).toEqual([true, false, true])
  })

  it('with memory and quiesced is refused, since a host drops the one in silence', async () => {
    await using host = await connected({ machines: [web] })
    const both = createSnapshot(connectionOf(host), machineOf(host, 'web').vm, { ...wanted('one'), memory: true, quiesce: true }, call)
    await expect(both).rejects.toMatchObject({ code: 'INVALID_OPTIONS' })
    expect(count(host, 'CreateSnapshot_Task')).toBe(0)
  })

  it('tells apart that the guest did not flush', async () => {
    await using host = await connected({ machines: [{ ...web, conduct: { quiesceFails: true } }] })
    const error = await createSnapshot(connectionOf(host), machineOf(host, 'web').vm, { ...wanted('one'), quiesce: true }, call).catch(
      (thrown) => thrown,
    )
    expect([isQuiesceFault(error), error.code, error.retryable]).toEqual([true, 'PROVIDER_FAILED', true])
  })

  it.each(['Consolidate Helper- 0', '_VCB-BACKUP_'])('24: is refused beside the snapshot "%s" of another program', async (name) => {
    await using host = await connected({ machines: [web] })
    const { machine, vm } = machineOf(host, 'web')
    await createSnapshot(connectionOf(host), vm, wanted(name), call)
    await expect(createSnapshot(connectionOf(host), vm, wanted('one'), call)).rejects.toMatchObject({
      code: 'IN_USE',
      details: { snapshot: name },
    })
    expect(namesOf(machine)).toEqual([name])
  })

  it('17: with the free licence says what is not allowed, on what, and makes nothing', async () => {
    await using host = await connected({ machines: [web], licences: [{ editionKey: 'esxBasic' }] })
    const { machine, vm } = machineOf(host, 'web')
    const failed = createSnapshot(connectionOf(host), vm, wanted('one'), call)
    await expect(failed).rejects.toMatchObject({
      code: 'UNSUPPORTED',
      message: expect.stringMatching(/^CreateSnapshot_Task of web \(.*\) failed on 127\.0\.0\.1:/),
      remedy: expect.stringContaining('free ESXi licence'),
    })
    expect(machine.snapshots).toEqual([])
  })

  it('19: waits for another task of the machine, and gives up after two minutes with IN_USE', async () => {
    await using host = await connected({ machines: [web] })
    const { vm } = machineOf(host, 'web')
    const clock = hurriedClock()
    const inProgress = {
      fault: 'TaskInProgress',
      message: 'The operation is not allowed while another task is in progress.',
      fields: '<task type="Task">task-9</task>',
    }
    host.simulator.refuse('CreateSnapshot_Task', inProgress, 2)
    expect(await createSnapshot(connectionOf(host, clock), vm, wanted('one'), call)).toMatchObject({ name: 'one' })
    expect(clock.paused).toEqual([2, 4])
    host.simulator.refuse('CreateSnapshot_Task', inProgress, 20)
    await expect(createSnapshot(connectionOf(host, clock), vm, wanted('two'), call)).rejects.toMatchObject({
      code: 'IN_USE',
      retryable: true,
    })
    expect(clock.paused.slice(2)).toEqual([2, 4, 8, 16, 30, 60])
  })

  it('says how many levels there may be when there are too many', async () => {
    await using host = await connected({ machines: [web] })
    const { machine, vm } = machineOf(host, 'web')
    for (let level = 1, list = machine.snapshots; level <= 32; level += 1) {
      const { hardware } = machine
      const one = { value: `snapshot-${level}`, name: 'one', description: '', created: '2026-01-01T00:00:00Z', quiesced: false, hardware }
      const children: SimulatedMachine['snapshots'] = []
      list.push({ ...one, powerState: 'poweredOff', children })
      machine.currentSnapshot = one.value
      list = children
    }
    await expect(createSnapshot(connectionOf(host), vm, wanted('one'), call)).rejects.toMatchObject({
      code: 'UNSUPPORTED',
      remedy: expect.stringContaining('32'),
    })
  })
})

describe('the snapshots of a machine', () => {
  it('come oldest first, by time and then by number, however they hang together', async () => {
    await using host = await connected({ machines: [web] })
    const { machine, vm } = machineOf(host, 'web')
    for (const name of ['one', 'two', 'three']) await createSnapshot(connectionOf(host), vm, wanted(name), call)
    await host.session.call('RevertToSnapshot_Task', { type: 'VirtualMachineSnapshot', value: machine.snapshots[0]?.value ?? '' }, {}, call)
    await createSnapshot(connectionOf(host), vm, wanted('four'), call)
    const { snapshots } = await readSnapshots(connectionOf(host), vm, call)
    expect(snapshots.map(({ name }) => name)).toEqual(['one', 'two', 'three', 'four'])
    expect(snapshots.every(({ marked }) => isOf(marked, mark))).toBe(true)
  })

  it('26: are found although the host knows no current one', async () => {
    await using host = await connected({ machines: [web] })
    const { machine, vm } = machineOf(host, 'web')
    await createSnapshot(connectionOf(host), vm, wanted('one'), call)
    machine.currentSnapshot = undefined
    expect((await readSnapshots(connectionOf(host), vm, call)).snapshots).toHaveLength(1)
  })

  it('22: of a machine that the host cannot read are not none', async () => {
    await using host = await connected({ machines: [{ ...web, inaccessible: true }] })
    await expect(readSnapshots(connectionOf(host), machineOf(host, 'web').vm, call)).rejects.toMatchObject({ code: 'UNREACHABLE' })
  })
})

describe('removing the snapshot of an attempt', () => {
  const own = { name: 'holdfast 1', mark }

  async function withSnapshots(host: Connected) {
    const connection = connectionOf(host)
    const { machine, vm } = machineOf(host, 'web')
    const other = { ...mark, attempt: 2 }
    await createSnapshot(connection, vm, { ...wanted('below'), marked: { purpose: 'backup', mark: other } }, call)
    const made = await createSnapshot(connection, vm, wanted(own.name), call)
    await createSnapshot(connection, vm, { ...wanted(own.name), marked: { purpose: 'backup', mark: other } }, call)
    return { connection, machine, vm, snapshot: made.ref.value }
  }

  it.each(['by its reference', 'by name and mark, when its reference never came to be known'])(
    '24: takes that one alone, and leaves what is above and below it: %s',
    async (how) => {
      await using host = await connected({ machines: [web] })
      const { connection, machine, vm, snapshot } = await withSnapshots(host)
      const known = how.startsWith('by its') ? { ...own, snapshot } : own
      expect(await removeOwnSnapshot(connection, vm, known, call)).toEqual({ removed: true })
      expect(namesOf(machine)).toEqual(['below', own.name])
      expect(await removeOwnSnapshot(connection, vm, known, call)).toEqual({ removed: false })
      expect(count(host, 'RemoveSnapshot_Task')).toBe(1)
    },
  )

  it('finds it by its mark when the machine was registered anew, so that its reference means nothing any more', async () => {
    await using host = await connected({ machines: [web] })
    const { connection, machine, vm } = await withSnapshots(host)
    expect(await removeOwnSnapshot(connection, vm, { ...own, snapshot: 'snapshot-of-before' }, call)).toEqual({ removed: true })
    expect(namesOf(machine)).toEqual(['below', own.name])
  })

  it('24: leaves one that has our name or our reference, but not our mark', async () => {
    await using host = await connected({ machines: [web] })
    const { connection, machine, vm, snapshot } = await withSnapshots(host)
    const strip = (list: SimulatedMachine['snapshots']): void => {
      for (const one of list) {
        Object.assign(one, { description: 'mine now' })
        strip(one.children)
      }
    }
    strip(machine.snapshots)
    expect(await removeOwnSnapshot(connection, vm, { ...own, snapshot }, call)).toMatchObject({ removed: false })
    expect(namesOf(machine)).toHaveLength(3)
  })

  it('25: removes nothing, and consolidates nothing, where none was made', async () => {
    await using host = await connected({ machines: [{ ...web, conduct: { consolidationNeeded: true } }] })
    expect(await removeOwnSnapshot(connectionOf(host), machineOf(host, 'web').vm, own, call)).toEqual({ removed: false })
    expect([count(host, 'RemoveSnapshot_Task'), count(host, 'ConsolidateVMDisks_Task')]).toEqual([0, 0])
  })

  it('26: consolidates what it leaves, and waits for files that are locked', async () => {
    await using host = await connected({ machines: [{ ...web, conduct: { removalLeavesFiles: true, lockedTimes: 2 } }] })
    const { machine, vm } = machineOf(host, 'web')
    const clock = hurriedClock()
    const { ref } = await createSnapshot(connectionOf(host), vm, wanted(own.name), call)
    expect(await removeOwnSnapshot(connectionOf(host, clock), vm, { ...own, snapshot: ref.value }, call)).toEqual({ removed: true })
    expect([machine.conduct.consolidationNeeded, clock.paused]).toEqual([false, [2, 4]])
  })

  it('26: says that it is still needed when the files stay locked, and is done when it is called again later', async () => {
    await using host = await connected({ machines: [{ ...web, conduct: { removalLeavesFiles: true, lockedTimes: 7 } }] })
    const { vm } = machineOf(host, 'web')
    const { ref } = await createSnapshot(connectionOf(host), vm, wanted(own.name), call)
    const known = { ...own, snapshot: ref.value }
    expect(await removeOwnSnapshot(connectionOf(host), vm, known, call)).toEqual({
      removed: true,
      stillNeeded: expect.stringContaining('FileLocked'),
    })
    expect(await removeOwnSnapshot(connectionOf(host), vm, known, call)).toEqual({ removed: false })
    expect(count(host, 'ConsolidateVMDisks_Task')).toBe(8)
  })

  it('4: removes it once, also when the session ends meanwhile', async () => {
    await using host = await connected({ machines: [web] })
    const { connection, machine, vm, snapshot } = await withSnapshots(host)
    const removal = removeOwnSnapshot(connection, vm, { ...own, snapshot }, call)
    while (!host.simulator.calls.includes('RemoveSnapshot_Task')) await new Promise((resolve) => setTimeout(resolve, 1))
    host.simulator.endSessions()
    await removal.catch(() => removeOwnSnapshot(connection, vm, { ...own, snapshot }, call))
    expect([namesOf(machine), count(host, 'RemoveSnapshot_Task')]).toEqual([['below', own.name], 1])
  })
})
