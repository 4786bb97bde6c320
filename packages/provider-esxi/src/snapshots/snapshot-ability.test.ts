import { HoldfastError, type Intent, type Mark } from '@holdfast/core/spec'
import { jsonCopy, type SimulatedMachine } from '@holdfast/testkit'
import { describe, expect, it } from 'vitest'
import { connectionOf, machineOf, sharedOf } from '../../test/support/host-connection.ts'
import { recordedRun } from '../../test/support/recorded-run.ts'
import { type Connected, call, connected } from '../../test/support/simulated-host.ts'
import { createSnapshot } from './create-snapshot.ts'
import { createSnapshotAbility } from './snapshot-ability.ts'
import { snapshotLeftovers, undoSnapshot } from './undo-snapshot.ts'

const web = { name: 'web', uuid: '564d0000-0000-0000-0000-00000000aaaa', powerState: 'poweredOn' as const }
const mark: Mark = { system: 'office', plan: 'nightly', run: '0123456789abcdef', attempt: 1 }
const plain = { memory: false, quiesce: false }

function abilityOf(host: Connected) {
  return createSnapshotAbility(sharedOf(connectionOf(host)))
}
const temporary = (host: Connected, name: string, by: Mark = mark) =>
  createSnapshot(connectionOf(host), machineOf(host, 'web').vm, { name, ...plain, marked: { purpose: 'backup', mark: by } }, call)

function namesOf(machine: SimulatedMachine): readonly string[] {
  const all = (list: SimulatedMachine['snapshots']): readonly string[] => list.flatMap((one) => [one.name, ...all(one.children)])
  return all(machine.snapshots)
}

describe('snapshots that people keep', () => {
  it('are made under an intent that stays, and carry the mark of the run', async () => {
    await using host = await connected({ machines: [web] })
    const { run, intents } = recordedRun(mark)
    const made = await abilityOf(host).create(web.uuid, { name: 'before 2.0', memory: false, quiesce: true }, run)
    expect(made).toMatchObject({ name: 'before 2.0', quiesced: true, memory: false, mark })
    expect(made.createdAt).toMatch(/^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z$/)
    expect(intents).toMatchObject([{ kind: 'remove-snapshot', kept: true, data: { vm: web.uuid, name: 'before 2.0', snapshot: made.id } }])
    expect(jsonCopy(made)).toEqual(made)
  })

  it('are listed oldest first; those of others, and those that a backup has made for itself, without a mark', async () => {
    await using host = await connected({ machines: [web] })
    const ability = abilityOf(host)
    await ability.create(web.uuid, { name: 'kept', ...plain }, recordedRun(mark).run)
    await temporary(host, 'of a backup')
    const foreign = { name: 'of Ann', description: 'before the update', memory: false, quiesce: false }
    await host.session.call('CreateSnapshot_Task', machineOf(host, 'web').vm, foreign, call)
    await ability.create(web.uuid, { name: 'kept too', ...plain }, recordedRun({ ...mark, attempt: 2 }).run)
    const listed = await ability.list(web.uuid, call)
    expect(listed.map((one) => [one.name, one.mark?.attempt])).toEqual([
      ['kept', 1],
      ['of a backup', undefined],
      ['of Ann', undefined],
      ['kept too', 2],
    ])
  })

  it('24: go alone; what is below them stays, and what carries no mark of a kept snapshot is refused', async () => {
    await using host = await connected({ machines: [web] })
    const ability = abilityOf(host)
    const { machine } = machineOf(host, 'web')
    const first = await ability.create(web.uuid, { name: 'first', ...plain }, recordedRun(mark).run)
    const backup = await temporary(host, 'of a backup')
    await ability.remove(web.uuid, first.id, call)
    await ability.remove(web.uuid, first.id, call)
    expect(namesOf(machine)).toEqual(['of a backup'])
    await expect(ability.remove(web.uuid, backup.ref.value, call)).rejects.toMatchObject({ code: 'UNSUPPORTED' })
    expect(namesOf(machine)).toEqual(['of a backup'])
  })

  it('26: which are gone, but whose files are not, say so', async () => {
    await using host = await connected({ machines: [{ ...web, conduct: { removalLeavesFiles: true, lockedTimes: 99 } }] })
    const ability = abilityOf(host)
    const { id } = await ability.create(web.uuid, { name: 'first', ...plain }, recordedRun(mark).run)
    await expect(ability.remove(web.uuid, id, call)).rejects.toMatchObject({
      code: 'IN_USE',
      retryable: true,
      message: expect.stringContaining('consolidated'),
    })
    expect(machineOf(host, 'web').machine.snapshots).toEqual([])
  })

  it('take the machine back: off without its memory, running with it; one that has gone is NOT_FOUND', async () => {
    await using host = await connected({ machines: [web] })
    const ability = abilityOf(host)
    const { machine } = machineOf(host, 'web')
    const without = await ability.create(web.uuid, { name: 'without', ...plain }, recordedRun(mark).run)
    const withMemory = await ability.create(web.uuid, { name: 'with', memory: true, quiesce: false }, recordedRun(mark).run)
    await ability.revert(web.uuid, without.id, call)
    expect([machine.powerState, machine.currentSnapshot]).toEqual(['poweredOff', without.id])
    await ability.revert(web.uuid, withMemory.id, call)
    expect([machine.powerState, machine.currentSnapshot]).toEqual(['poweredOn', withMemory.id])
    await expect(ability.revert(web.uuid, 'snapshot-999', call)).rejects.toMatchObject({ code: 'NOT_FOUND' })
  })
})

describe('undoing a snapshot', () => {
  const intentOf = (data: Intent['data']): Intent => ({ id: 'intent1', provider: 'esxi', kind: 'remove-snapshot', data, mark, kept: false })
  const named = { vm: web.uuid, name: 'temporary' }

  it('finds it by name and mark when the process died before its reference was written down', async () => {
    await using host = await connected({ machines: [web] })
    await temporary(host, 'temporary', { ...mark, attempt: 2 })
    await temporary(host, 'temporary')
    expect(await undoSnapshot(connectionOf(host), intentOf(named), call)).toBe('undone')
    const { snapshots } = machineOf(host, 'web').machine
    expect(snapshots.map(({ description }) => description)).toEqual([expect.stringContaining('"attempt":2')])
    expect(await undoSnapshot(connectionOf(host), intentOf(named), call)).toBe('undone')
  })

  it('waits for one that is still being made for an attempt that was aborted', async () => {
    const gate = Promise.withResolvers<void>()
    await using host = await connected({ machines: [{ ...web, conduct: { snapshotGate: gate.promise } }] })
    const { machine, vm } = machineOf(host, 'web')
    const stop = new AbortController()
    const request = { name: 'temporary', ...plain, marked: { purpose: 'backup', mark } as const }
    const making = createSnapshot(connectionOf(host), vm, request, { signal: stop.signal }).catch((error) => error)
    while (!host.simulator.calls.includes('CreateSnapshot_Task')) await new Promise((resolve) => setTimeout(resolve, 1))
    stop.abort(new HoldfastError('ABORTED', 'enough'))
    expect(await making).toMatchObject({ code: 'ABORTED' })
    const filters = host.simulator.calls.filter((name) => name === 'CreateFilter').length
    const undoing = undoSnapshot(connectionOf(host), intentOf(named), call)
    while (host.simulator.calls.filter((name) => name === 'CreateFilter').length === filters)
      await new Promise((resolve) => setTimeout(resolve, 1))
    expect(machine.snapshots).toEqual([])
    gate.resolve()
    expect(await undoing).toBe('undone')
    expect([machine.snapshots, host.simulator.calls.filter((name) => name === 'RemoveSnapshot_Task')]).toEqual([
      [],
      ['RemoveSnapshot_Task'],
    ])
  })

  it('of a machine that has gone is done; of one that may be one that cannot be read now it is not', async () => {
    await using host = await connected({ machines: [{ ...web, name: 'other', uuid: 'other' }] })
    expect(await undoSnapshot(connectionOf(host), intentOf(named), call)).toBe('undone')
    await using blind = await connected({ machines: [{ ...web, inaccessible: true }] })
    await expect(undoSnapshot(connectionOf(blind), intentOf(named), call)).rejects.toMatchObject({ code: 'UNREACHABLE' })
  })

  it('26: is not done as long as files are left on the disks, and is done when they are not locked any more', async () => {
    await using host = await connected({ machines: [{ ...web, conduct: { removalLeavesFiles: true, lockedTimes: 7 } }] })
    const { ref } = await temporary(host, 'temporary')
    const intent = intentOf({ ...named, snapshot: ref.value })
    await expect(undoSnapshot(connectionOf(host), intent, call)).rejects.toMatchObject({ code: 'UNDO_FAILED', retryable: true })
    expect(await undoSnapshot(connectionOf(host), intent, call)).toBe('undone')
    expect(machineOf(host, 'web').machine.conduct.consolidationNeeded).toBe(false)
  })

  it.each([{}, { vm: 'x' }, { vm: 'x', name: 3 }, { vm: 'x', name: 'y', snapshot: null }])(
    'of an intent that names none is refused: %j',
    async (data) => {
      await using host = await connected({ machines: [web] })
      await expect(undoSnapshot(connectionOf(host), intentOf(data), call)).rejects.toMatchObject({ code: 'INTERNAL' })
    },
  )
})

describe('what is left over', () => {
  it('are the snapshots that backups of any system have made for themselves, not those that people keep', async () => {
    await using host = await connected({ machines: [web, { name: 'lost', uuid: 'lost', inaccessible: true }] })
    await abilityOf(host).create(web.uuid, { name: 'kept', ...plain }, recordedRun(mark).run)
    const { ref } = await temporary(host, 'temporary', { ...mark, system: 'home' })
    const found: Intent[] = []
    for await (const intent of snapshotLeftovers(host.session, 'esxi', call)) found.push(intent)
    expect(found).toEqual([
      {
        id: expect.stringContaining(ref.value),
        provider: 'esxi',
        kind: 'remove-snapshot',
        data: { vm: web.uuid, name: 'temporary', snapshot: ref.value },
        mark: { ...mark, system: 'home' },
        kept: false,
      },
    ])
    const [intent] = found
    if (intent !== undefined) await undoSnapshot(connectionOf(host), intent, call)
    expect(namesOf(machineOf(host, 'web').machine)).toEqual(['kept'])
  })
})
