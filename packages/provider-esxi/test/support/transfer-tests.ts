import { setTimeout as delay } from 'node:timers/promises'
import type { Workload } from '@holdfast/core/spec'
import { type CollectedItem, collectingSink, memoryRunContext, seededRandom, sourceFrom } from '@holdfast/testkit'
import { describe, expect, it } from 'vitest'
import { backupMachine } from '../../src/backup/backup-machine.ts'
import { findMachine } from '../../src/inventory/find-machine.ts'
import { openLease } from '../../src/lease/lease.ts'
import { restoreMachine } from '../../src/restore/restore-machine.ts'
import { retrieveOne } from '../../src/vim25/retrieve.ts'
import { call, type OpenedHost, openAndConnect } from './opened-host.ts'
import type { OpenTestedHost, TestedMachine } from './tested-host.ts'
import { undoOn } from './undo-intents.ts'

const seed = 20_261_122
const random = seededRandom(seed)

/** Mostly zeros, as disks are. */
function diskOf(name: string, bytes: number): Uint8Array {
  const own = random.fork(name)
  const disk = new Uint8Array(bytes)
  for (let at = 0; at < bytes; at += 1024 * 1024) disk.set(own.bytes(100_000), at)
  return disk
}

/** With as many disks of 1 MiB and more, an NVRAM and an image. */
export const machineWith = (name: string, disks: number): TestedMachine => ({
  name,
  disks: Array.from({ length: disks }, (_, at) => diskOf(`${name} ${at}`, (disks - at) << 20)),
  nvram: random.fork('nvram').bytes(8684),
  iso: random.fork('iso').bytes(70_000),
  firmware: 'efi',
})

const three = machineWith('three disks', 3)

async function idOf({ connection, machine }: OpenedHost, name: string): Promise<string> {
  const { values } = await retrieveOne(connection.session, await machine(name), ['config.uuid', 'config.instanceUuid'], call)
  return String(values['config.instanceUuid'] ?? values['config.uuid'])
}

/** A backup as the engine runs one, with its clean-up. */
export async function backUp(opened: OpenedHost, name: string) {
  const { connection } = opened
  const memory = memoryRunContext({ provider: undoOn(connection) })
  const { sink, items } = collectingSink({})
  const workload = await idOf(opened, name)
  try {
    const result = await backupMachine(connection, { workload, options: {} }, sink, memory.run)
    return { result, items, workload }
  } finally {
    await memory.undoOpen({ committed: true })
  }
}

/** What a source says of where it comes from. */
export function sourceOf(name: string, id: string): { readonly workload: Workload; readonly kind: string } {
  return { workload: { id, name, kind: 'machine' }, kind: 'esxi' }
}

const streamNames = (items: readonly CollectedItem[]) =>
  items.map((item) => (item.type === 'stream' ? item.name : item.disk.key)).toSorted()

const textOf = (items: readonly CollectedItem[], ending: string): string => {
  const item = items.find((one) => one.type === 'stream' && one.name.endsWith(ending))
  return item === undefined ? '' : Buffer.from(item.bytes).toString('utf8')
}

/** Exports. */
export function exportTests(open: OpenTestedHost): void {
  it.each(['esxi', 'vcenter'] as const)('7, 9: from %s comes every file with its true size, the NVRAM and the image too', async (kind) => {
    await using opened = await openAndConnect(open, { kind, machines: [three] })
    const { items } = await backUp(opened, three.name)
    expect(streamNames(items).map((name) => name.replace(/^.*\./, ''))).toEqual(
      expect.arrayContaining(['iso', 'mf', 'nvram', 'ovf', 'vmdk', 'vmdk', 'vmdk']),
    )
    const descriptor = textOf(items, '.ovf')
    for (const item of items) {
      if (item.type !== 'stream' || /\.(ovf|mf)$/.test(item.name)) continue
      const element = descriptor.match(/<(?:\w+:)?File [^>]*>/g)?.find((text) => text.includes(`"${item.name}"`))
      expect([item.name, element]).toEqual([item.name, expect.stringContaining(`size="${item.bytes.length}"`)])
    }
    expect([await opened.host.leases(), (await backUp(opened, three.name)).items.length]).toEqual([0, items.length])
  })

  it('of a running machine is made from a snapshot, which is gone afterwards', async () => {
    await using opened = await openAndConnect(open, { machines: [{ ...three, poweredOn: true }] })
    const { result } = await backUp(opened, three.name)
    expect(result.consistency).not.toBe('off')
    const { values } = await retrieveOne(opened.connection.session, await opened.machine(three.name), ['snapshot'], call)
    expect([values.snapshot, await opened.host.leases()]).toEqual([undefined, 0])
  })

  it('is refused by the host for a machine that runs', async () => {
    await using opened = await openAndConnect(open, { machines: [{ ...three, poweredOn: true }] })
    const vm = await opened.machine(three.name)
    await expect(opened.connection.session.call('ExportVm', vm, {}, call)).rejects.toMatchObject({
      details: { fault: 'InvalidPowerState' },
    })
  })
}

/** Leases. */
export function leaseTests(open: OpenTestedHost): void {
  it('1: a lease lives for as long as it is told to, though nothing comes', async () => {
    await using opened = await openAndConnect(open, { machines: [three] })
    await opened.host.setLeaseTimeout(2)
    const { connection } = opened
    const ref = await connection.session.call('ExportVm', await opened.machine(three.name), {}, call)
    await using lease = await openLease(connection, ref, { name: three.name, ...call })
    await delay(5000)
    expect([lease.signal.aborted, await opened.host.leases()]).toEqual([false, 1])
    await lease.complete(call)
    expect(await opened.host.leases()).toBe(0)
  })

  it('1: a lease without a word ends, and says that its time was over', async () => {
    await using opened = await openAndConnect(open, { machines: [three] })
    await opened.host.setLeaseTimeout(1)
    const { session, updates } = opened.connection
    const ref = await session.call('ExportVm', await opened.machine(three.name), {}, call)
    const error = await updates.until(ref, ['state', 'error'], (seen) => (seen.state === 'error' ? seen.error : undefined), call)
    expect(error).toMatchObject({ fault: { $type: 'Timedout' } })
    await expect(session.call('HttpNfcLeaseProgress', ref, { percent: 1 }, call)).rejects.toMatchObject({
      details: { fault: expect.stringMatching(/^(Timedout|ManagedObjectNotFound)$/) },
    })
    expect(await opened.host.leases()).toBe(0)
  })

  it('5: a lease that is given up is gone, and nobody holds the machine', async () => {
    await using opened = await openAndConnect(open, { machines: [three] })
    const { connection } = opened
    const ref = await connection.session.call('ExportVm', await opened.machine(three.name), {}, call)
    const lease = await openLease(connection, ref, { name: three.name, ...call })
    expect(await opened.host.leases()).toBe(1)
    await lease[Symbol.asyncDispose]()
    expect(await opened.host.leases()).toBe(0)
    await expect(connection.session.call('HttpNfcLeaseProgress', ref, { percent: 1 }, call)).rejects.toMatchObject({ code: 'NOT_FOUND' })
  })

  it('4: a lease ends with its session', async () => {
    await using opened = await openAndConnect(open, { machines: [three] })
    const { connection } = opened
    const ref = await connection.session.call('ExportVm', await opened.machine(three.name), {}, call)
    await using _lease = await openLease(connection, ref, { name: three.name, ...call })
    await opened.host.endSessions()
    expect(await opened.host.leases()).toBe(0)
  })
}

/** Imports. */
export function importTests(open: OpenTestedHost): void {
  describe.each(['esxi', 'vcenter'] as const)('an import into %s', (kind) => {
    it('8, 10: makes a machine with the same bytes on each disk and in the NVRAM', async () => {
      await using from = await openAndConnect(open, { kind, machines: [three] })
      await using to = await openAndConnect(open, { kind })
      const { result, items, workload } = await backUp(from, three.name)
      const source = sourceFrom(items, { ...sourceOf(three.name, workload), result })
      const memory = memoryRunContext({ provider: undoOn(to.connection) })
      const request = { purpose: 'recover', name: 'again', start: false, options: {} } as const
      const restored = await restoreMachine(to.connection, request, source, memory.run)
      await memory.undoOpen({ committed: true })
      expect([await to.machines(), await to.host.leases()]).toEqual([['again'], 0])
      expect((await findMachine(to.connection, restored.workload, call)).name).toBe('again')
      const disks = await to.host.disksOf('again')
      expect(disks.map((disk, at) => Buffer.compare(disk, three.disks[at] ?? new Uint8Array()))).toEqual([0, 0, 0])
      expect(Buffer.compare((await to.host.nvramOf('again')) ?? new Uint8Array(), three.nvram ?? new Uint8Array())).toBe(0)
    })
  })

  it('5: leaves no machine and no lease when it breaks off', async () => {
    await using opened = await openAndConnect(open, { machines: [three] })
    const { result, items, workload } = await backUp(opened, three.name)
    const whole = sourceFrom(items, { ...sourceOf(three.name, workload), result })
    const memory = memoryRunContext({ provider: undoOn(opened.connection) })
    const breaking = whole.files.map((file) => ({
      ...file,
      async open(options: typeof call) {
        if (!file.name.endsWith('.vmdk')) return file.open(options)
        const bytes = await file.open(options)
        return (async function* () {
          for await (const chunk of bytes) {
            yield chunk.subarray(0, chunk.length / 2)
            throw new Error('the medium cannot be read')
          }
        })()
      },
    }))
    const disks = whole.disks.map((disk) => ({
      ...disk,
      ...(disk.file && { file: breaking.find(({ name }) => name === disk.file?.name) ?? disk.file }),
    }))
    const request = { purpose: 'recover', name: 'again', start: false, options: {} } as const
    await expect(restoreMachine(opened.connection, request, { ...whole, files: breaking, disks }, memory.run)).rejects.toThrow(
      'the medium cannot be read',
    )
    await memory.undoOpen()
    expect([await opened.machines(), await opened.host.leases()]).toEqual([[three.name], 0])
  })
}
