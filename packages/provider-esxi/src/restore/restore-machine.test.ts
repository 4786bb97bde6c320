import { createHash } from 'node:crypto'
import { expect, test } from 'vitest'
import { disksOf, rejection, restoreHost } from '../../test/support/restore-host.ts'
import { defaultDisks, image, nvram, restorePoint } from '../../test/support/restore-point.ts'
import { readMark, withMark as withMarkLine } from '../mark.ts'
import { listLeftovers } from '../undo.ts'
import { deliveredRestore } from './undo-restore.ts'

// Not the bytes themselves: comparing a million elements one by one takes minutes.
const sumOf = (bytes: Uint8Array): string => createHash('sha256').update(bytes).digest('hex')

async function withHost(
  options: Parameters<typeof restoreHost>[0],
  work: (host: Awaited<ReturnType<typeof restoreHost>>) => Promise<void>,
): Promise<void> {
  const host = await restoreHost(options)
  try {
    await work(host)
  } finally {
    await host[Symbol.asyncDispose]()
  }
}

test('a kept point becomes a machine with the same disks, NVRAM and image, which is finished and has its name', () =>
  withHost({}, async (host) => {
    const run = host.run()
    const result = await host.restore(restorePoint(), run)
    const machine = host.simulator.machine('web')
    if (machine === undefined) throw new Error('there is no machine')
    expect(result.workload).toBe(machine.settings.instanceUuid)
    expect((await disksOf(machine)).map(sumOf)).toEqual(defaultDisks.map(sumOf))
    expect(Buffer.from(machine.settings.nvram).equals(nvram)).toBe(true)
    expect(Buffer.from(machine.hardware.cdroms[0]?.content ?? []).equals(image)).toBe(true)
    expect(machine.settings.firmware).toBe('efi')
    expect(readMark(machine.conduct.annotation)).toEqual({ purpose: 'machine', mark: run.run.mark })
    expect(host.names()).toEqual(['web'])
    expect(run.intents.map(({ kind, kept }) => ({ kind, kept }))).toEqual([{ kind: 'remove-machine', kept: true }])
    expect(host.simulator.leases.open.size).toBe(0)
  }))

test('8: the disks of a chain point are sent whole, and are what the machine has', () =>
  withHost({}, async (host) => {
    await host.restore(restorePoint({ chain: true }), host.run())
    const machine = host.simulator.machine('web')
    if (machine === undefined) throw new Error('there is no machine')
    expect((await disksOf(machine)).map(sumOf)).toEqual(defaultDisks.map(sumOf))
  }))

test('a name that is taken is refused before anything is made', () =>
  withHost({ machines: [{ name: 'web', uuid: '11111111-0000-4000-8000-000000000000' }] }, async (host) => {
    const run = host.run()
    expect(await rejection(host.restore(restorePoint(), run))).toMatchObject({ code: 'NAME_TAKEN' })
    expect(run.intended).toEqual([])
    expect(host.count('ImportVApp')).toBe(0)
  }))

const withMark = async (host: Awaited<ReturnType<typeof restoreHost>>, run: ReturnType<typeof host.run>) =>
  deliveredRestore(
    host.connection,
    { system: run.run.mark.system, plan: '', run: run.run.mark.run },
    { signal: new AbortController().signal },
  )

test('a delivered restore is found by the mark of its run, is never undone, and is no leftover', () =>
  withHost({}, async (host) => {
    const run = host.run()
    expect(await withMark(host, run)).toBeUndefined()
    const result = await host.restore(restorePoint(), run)
    expect(await withMark(host, run)).toEqual(result)
    expect(await run.undoOpen()).toEqual([{ delivered: result }])
    expect(host.names()).toEqual(['web'])
    for await (const left of listLeftovers(host.connection, 'esxi', { signal: run.run.signal })) throw new Error(left.id)
  }))

test('a test copy has no network, another identity, and is undone although it runs', () =>
  withHost({}, async (host) => {
    const run = host.run()
    await host.restore(restorePoint(), run, { purpose: 'test', start: true })
    const machine = host.simulator.machine('web')
    expect(machine?.powerState).toBe('poweredOn')
    expect(machine?.hardware.cards.map(({ connected, startConnected }) => connected || startConnected)).toEqual([false])
    expect(machine?.hardware.cards[0]?.mac).not.toBe('00:50:56:aa:bb:00')
    expect(machine?.settings.uuid).not.toBe('564d0000-0000-4000-8000-00000000beef')
    expect(await run.undoOpen()).toEqual(['undone'])
    expect(host.names()).toEqual([])
  }))

test('a test copy is connected to exactly the networks that the options map', () =>
  withHost({ networks: [{ name: 'LAN' }, { name: 'Lab' }] }, async (host) => {
    const source = restorePoint({ networks: ['LAN', 'Office'] })
    await host.restore(source, host.run(), { purpose: 'test', options: { networks: { Office: 'Lab' } } })
    const cards = host.simulator.machine('web')?.hardware.cards ?? []
    expect(cards.map(({ network, connected }) => `${network} ${connected}`)).toEqual(['LAN false', 'Lab true'])
  }))

test('a recovered machine keeps its addresses and its UUID, and is connected', () =>
  withHost({}, async (host) => {
    await host.restore(restorePoint(), host.run())
    const machine = host.simulator.machine('web')
    expect(machine?.hardware.cards[0]).toMatchObject({ mac: '00:50:56:aa:bb:00', network: 'VM Network', connected: true })
    expect(machine?.settings.uuid).toBe('564d0000-0000-4000-8000-00000000beef')
  }))

test('a machine that does not start is restored all the same, with a warning', () =>
  withHost({}, async (host) => {
    host.simulator.refuse('PowerOnVM_Task', { fault: 'InsufficientResourcesFault', message: 'Not enough memory.' })
    const run = host.run()
    await host.restore(restorePoint(), run, { start: true })
    expect(run.notes).toMatchObject([{ level: 'warning', code: 'NOT_STARTED', message: expect.stringContaining('Not enough memory.') }])
    expect(host.simulator.machine('web')?.powerState).toBe('poweredOff')
  }))

test('a point of another platform becomes a machine', () =>
  withHost({}, async (host) => {
    await host.restore({ ...restorePoint({ chain: true }), kind: 'ovirt', description: null, files: [] }, host.run())
    const machine = host.simulator.machine('web')
    if (machine === undefined) throw new Error('there is no machine')
    expect((await disksOf(machine)).map(sumOf)).toEqual(defaultDisks.map(sumOf))
    expect(machine.settings.firmware).toBe('efi')
  }))

test('marks that the annotation of the original had do not make the new machine another one', () =>
  withHost({}, async (host) => {
    const first = host.run({ run: 'fedcba9876543210' })
    const annotation = withMarkLine('An old note.', { purpose: 'machine', mark: first.run.mark })
    const run = host.run()
    await host.restore(restorePoint({ annotation: annotation.replaceAll('"', '&quot;') }), run)
    const text = host.simulator.machine('web')?.conduct.annotation
    expect(readMark(text)?.mark).toEqual(run.run.mark)
    expect(text).toContain('An old note.')
  }))
