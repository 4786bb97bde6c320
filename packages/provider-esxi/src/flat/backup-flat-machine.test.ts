import { type FakeClock, fakeClock, type MachineOptions } from '@holdfast/testkit'
import { describe, expect, it } from 'vitest'
import { backupRun } from '../../test/support/backup-run.ts'
import { type ExportHost, exportHost } from '../../test/support/export-host.ts'
import { parseOvf } from '../ovf/parse-ovf.ts'

const uuid = '564d0000-0000-0000-0000-000000000001'
const filled = (size: number, byte: number): Uint8Array => {
  const bytes = new Uint8Array(size)
  bytes.set(new Uint8Array(size / 4).fill(byte), size / 2)
  return bytes
}
const system = filled(5 * 1024 * 1024, 1)
const data = filled(1024 * 1024, 2)
const off: MachineOptions = { name: 'web', uuid, firmware: 'efi', disks: [{ content: system }, { content: data }] }
const running: MachineOptions = { ...off, powerState: 'poweredOn' }
const flat = 'web/web-flat.vmdk'
const vmdk = { mode: 'vmdk' }

const same = (bytes: Uint8Array, other: Uint8Array): boolean => Buffer.compare(bytes, other) === 0
const stored = (backup: ReturnType<typeof backupRun>) => backup.items.flatMap((item) => (item.type === 'disk' ? [item] : []))
const machineOf = (host: ExportHost) => {
  const machine = host.simulator.machine('web')
  if (machine === undefined) throw new Error('the machine is gone')
  return machine
}

async function expectWhole(host: ExportHost, options: MachineOptions = running): Promise<ReturnType<typeof backupRun>> {
  const backup = backupRun(host, uuid)
  const { consistency } = await backup.start(vmdk)
  expect(consistency).toBe(options === off ? 'off' : 'quiesced')
  expect(stored(backup).map(({ bytes }, index) => same(bytes, index === 0 ? system : data))).toEqual([true, true])
  return backup
}

const failure = (work: Promise<unknown>): Promise<unknown> =>
  work.then(
    () => undefined,
    (error: unknown) => error,
  )

/** Lets time pass until something has ended. */
async function passingTime(clock: FakeClock, work: Promise<unknown>): Promise<unknown> {
  let over = false
  const settled = failure(work).finally(() => {
    over = true
  })
  while (!over) {
    await clock.advance(1000)
    await new Promise((resolve) => setImmediate(resolve))
  }
  return settled
}

describe('a backup of flat files', () => {
  it('of a machine that is off holds its disks, NVRAM, settings and a descriptor, and asks for no lease', async () => {
    await using host = await exportHost({ machines: [off] })
    const backup = await expectWhole(host, off)
    expect(stored(backup).map(({ covers }) => covers)).toEqual(['unmapped', 'unmapped'])
    expect(backup.names.slice(2)).toEqual(['web.nvram', 'web.vmx', 'web.ovf'])
    expect(same(backup.bytes('web.nvram'), machineOf(host).settings.nvram)).toBe(true)
    expect(backup.text('web.vmx')).toContain('displayName = "web"')
    expect([host.count('ExportVm'), host.count('CreateSnapshot_Task'), backup.memory.intended]).toEqual([0, 0, []])
  })

  it('20: of a running machine are read below a marked snapshot, which goes with its intent; the active files are not touched', async () => {
    await using host = await exportHost({ machines: [running] })
    const backup = await expectWhole(host)
    expect(machineOf(host).snapshots).toHaveLength(1)
    expect(backup.memory.intended).toMatchObject([{ kind: 'remove-snapshot' }])
    expect(host.simulator.files.requests.filter((one) => /-\d{6}[.-]/.test(one))).toEqual([])
    await backup.memory.undoOpen()
    expect([machineOf(host).snapshots, machineOf(host).hardware.disks[0]?.fileName]).toEqual([[], '[datastore1] web/web.vmdk'])
  })

  it('describes the machine so that every file is named, the NVRAM among them', async () => {
    await using host = await exportHost({ machines: [off] })
    const backup = await expectWhole(host, off)
    const { files, disks, machine } = parseOvf(backup.text('web.ovf'), { what: 'web.ovf' })
    expect(files.map(({ href }) => href)).toEqual(['web-disk-1.vmdk', 'web-disk-2.vmdk', 'web.nvram'])
    expect(disks.map(({ capacity }) => capacity)).toEqual([system.length, data.length])
    expect(files.find(({ id }) => id === machine.nvramFileRef)).toMatchObject({ href: 'web.nvram', size: backup.bytes('web.nvram').length })
  })

  it('asks for ranges of at most 4 MiB, and never for a whole file', async () => {
    await using host = await exportHost({ machines: [off] })
    await expectWhole(host, off)
    expect(host.simulator.files.requests.filter((one) => one.endsWith(' whole'))).toEqual([])
    const ofDisk = host.simulator.files.requests.filter((one) => one.startsWith(flat)).map((one) => /(\d+)-(\d+)$/.exec(one))
    expect(Math.max(...ofDisk.map((range) => Number(range?.[2]) - Number(range?.[1]) + 1))).toBeLessThanOrEqual(4 * 1024 * 1024)
  })

  it('of a machine on a vCenter server names its datacenter by the whole path', async () => {
    await using host = await exportHost({ kind: 'vcenter', machines: [running] })
    await expectWhole(host)
    expect(host.simulator.files.requests.length).toBeGreaterThan(0)
  })

  it('leaves an independent disk of a running machine out, and says so', async () => {
    await using host = await exportHost({ machines: [{ ...running, disks: [{ content: system }, { mode: 'independent_persistent' }] }] })
    const backup = backupRun(host, uuid)
    const { skipped } = await backup.start(vmdk)
    expect([stored(backup).length, skipped]).toMatchObject([1, [{ name: 'Hard disk 2 (ParaVirtualSCSIController0:1)' }]])
  })

  it('says that it holds no image of a drive', async () => {
    await using host = await exportHost({ machines: [{ ...off, cdrom: { iso: '[datastore1] iso/tools.iso' } }] })
    const { skipped } = await backupRun(host, uuid).start(vmdk)
    expect(skipped).toEqual([{ name: 'CD/DVD drive 1', reason: expect.stringContaining('[datastore1] iso/tools.iso') }])
  })

  it('names what it could not read besides the disks', async () => {
    await using host = await exportHost({ machines: [off] })
    host.simulator.files.script('web/web.nvram', { does: 'status', status: 404 })
    const { skipped } = await backupRun(host, uuid).start(vmdk)
    expect(skipped).toMatchObject([{ name: 'the NVRAM', reason: expect.stringContaining('HTTP 404') }])
  })
})

describe('a range', () => {
  it('that breaks off is read on from where it was', async () => {
    await using host = await exportHost({ machines: [running] })
    const first = host.simulator.files
    first.script(flat, { does: 'cut', afterBytes: 300_000 })
    await expectWhole(host)
    const asked = first.requests.filter((one) => one.startsWith(flat)).map((one) => one.split(' ')[1])
    expect(asked[0]?.startsWith('0-')).toBe(true)
    expect(asked.some((one) => Number(one?.split('-')[0]) > 0 && one?.split('-')[1] === asked[0]?.split('-')[1])).toBe(true)
  })

  it('that always breaks off fails after some tries, and may be tried again', async () => {
    const clock = fakeClock()
    await using host = await exportHost({ machines: [off], clock })
    host.simulator.files.script(flat, { does: 'cut', afterBytes: 0, always: true })
    const error = await passingTime(clock, backupRun(host, uuid).start({ ...vmdk }))
    expect(error).toMatchObject({ retryable: true })
    expect(host.simulator.files.requests.filter((one) => one.startsWith(`${flat} 0-`)).length).toBeLessThan(10)
  })

  it('in place of which the whole file comes is refused, and nothing of it is taken', async () => {
    await using host = await exportHost({ machines: [off] })
    host.simulator.files.script(flat, { does: 'whole' })
    const backup = backupRun(host, uuid)
    expect(await failure(backup.start(vmdk))).toMatchObject({ code: 'UNSUPPORTED', message: expect.stringContaining('HTTP 200') })
    expect(stored(backup)).toEqual([])
  })

  it('that is another one than was asked for is refused', async () => {
    await using host = await exportHost({ machines: [off] })
    host.simulator.files.script(flat, { does: 'shift' })
    const error = await failure(backupRun(host, uuid).start(vmdk))
    expect(error).toMatchObject({ code: 'PROVIDER_FAILED', retryable: false, message: expect.stringContaining('bytes 512-') })
  })

  it('4: of a session that has ended is asked for again with a new one', async () => {
    await using host = await exportHost({ machines: [off] })
    host.simulator.files.script(flat, { does: 'call', call: () => host.simulator.endSessions() })
    await expectWhole(host, off)
    expect(host.count('Login')).toBe(2)
  })

  it.each([500, 409])('20: of a file that is locked (HTTP %s) is IN_USE with the remedy, and is not asked for again', async (status) => {
    await using host = await exportHost({ machines: [off] })
    host.simulator.files.script(flat, { does: 'status', status, always: true })
    const error = await failure(backupRun(host, uuid).start(vmdk))
    expect(error).toMatchObject({ code: 'IN_USE', remedy: expect.stringContaining('snapshot'), message: expect.stringContaining('locked') })
    expect(host.simulator.files.requests.filter((one) => one.startsWith(flat)).length).toBeLessThanOrEqual(2)
  })
})

describe('what cannot be read as a flat file', () => {
  async function refusal(options: Parameters<typeof exportHost>[0], prepare: (host: ExportHost) => void = () => {}): Promise<unknown> {
    await using host = await exportHost(options)
    prepare(host)
    const backup = backupRun(host, uuid)
    const error = await failure(backup.start(vmdk))
    expect([host.count('CreateSnapshot_Task'), backup.memory.intended]).toEqual([0, []])
    return error
  }

  it('is refused with the name of the older snapshot that is the reason, before anything is made', async () => {
    await using host = await exportHost({ machines: [running] })
    const { session } = host.connection
    const parameters = { name: 'before the update', memory: false, quiesce: false }
    await session.call('CreateSnapshot_Task', host.machine('web'), parameters, { signal: new AbortController().signal })
    for (; machineOf(host).snapshots.length === 0; ) await new Promise((resolve) => setImmediate(resolve))
    const backup = backupRun(host, uuid)
    const error = await failure(backup.start(vmdk))
    expect(error).toMatchObject({ code: 'UNSUPPORTED', message: expect.stringContaining('"before the update"') })
    expect(backup.memory.intended).toEqual([])
  })

  it.each(['rdmVirtual', 'seSparse', 'sparse'] as const)('because it is %s is refused before anything is made', async (backing) => {
    const error = await refusal({ machines: [{ ...running, disks: [{ content: system, backing }] }] })
    expect(error).toMatchObject({ code: 'UNSUPPORTED', message: expect.stringMatching(/Hard disk 1 .* of web has no flat file/) })
  })

  it('because it lies on vSAN is refused before anything is made', async () => {
    const error = await refusal({ datastores: [{ name: 'datastore1', type: 'vsan' }], machines: [running] })
    expect(error).toMatchObject({ code: 'UNSUPPORTED', message: expect.stringContaining('vsan') })
  })

  it('21: because its descriptor is larger than one can be is refused, and hardly anything of it is read', async () => {
    let read = 0
    const huge = {
      size: 2 ** 30,
      read: async (_offset: number, length: number) => {
        read += length
        return new Uint8Array(length).fill(65)
      },
    }
    const error = await refusal({ machines: [off] }, (host) => host.simulator.files.put('web/web.vmdk', huge))
    expect(error).toMatchObject({ code: 'UNSUPPORTED', message: expect.stringContaining('65536 bytes') })
    expect(read).toBeLessThan(1024 * 1024)
  })

  it('because its descriptor names a file elsewhere is refused', async () => {
    const text = 'parentCID=ffffffff\ncreateType="vmfs"\nRW 10240 VMFS "../db/db-flat.vmdk"\n'
    const error = await refusal({ machines: [off] }, (host) => host.simulator.files.put('web/web.vmdk', Buffer.from(text)))
    expect(error).toMatchObject({
      code: 'PROVIDER_FAILED',
      retryable: false,
      message: expect.stringContaining('no place within a datastore'),
    })
  })

  it('because its descriptor says another size than the machine is refused', async () => {
    const text = 'parentCID=ffffffff\ncreateType="vmfs"\nRW 8 VMFS "web-flat.vmdk"\n'
    const error = await refusal({ machines: [off] }, (host) => host.simulator.files.put('web/web.vmdk', Buffer.from(text)))
    expect(error).toMatchObject({ code: 'PROVIDER_FAILED', message: expect.stringContaining('says 4096') })
  })
})

describe('what happens while flat files are read', () => {
  it('is noticed: a snapshot that is removed makes the backup fail, since the files may have changed', async () => {
    await using host = await exportHost({ machines: [running] })
    const remove = async () => {
      const [snapshot] = machineOf(host).snapshots
      if (snapshot === undefined) throw new Error('there is no snapshot')
      const ref = { type: 'VirtualMachineSnapshot', value: snapshot.value } as const
      await host.connection.session.call('RemoveSnapshot_Task', ref, { removeChildren: false }, { signal: new AbortController().signal })
      for (; machineOf(host).snapshots.length > 0; ) await new Promise((resolve) => setImmediate(resolve))
    }
    host.simulator.files.script('web/web.vmx', { does: 'call', call: remove })
    expect(await failure(backupRun(host, uuid).start(vmdk))).toMatchObject({
      code: 'IN_USE',
      message: expect.stringContaining('was removed'),
    })
  })

  it('20: a machine that is switched on has its files locked', async () => {
    await using host = await exportHost({ machines: [off] })
    const switchOn = () => {
      machineOf(host).powerState = 'poweredOn'
    }
    host.simulator.files.script(flat, { does: 'call', call: switchOn })
    expect(await failure(backupRun(host, uuid).start(vmdk))).toMatchObject({ code: 'IN_USE', message: expect.stringContaining('HTTP 500') })
  })
})
