import { createHash } from 'node:crypto'
import type { MachineOptions } from '@holdfast/testkit'
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
const system = filled(2 * 1024 * 1024, 1)
const data = filled(1024 * 1024, 2)
const iso = new Uint8Array(5000).fill(9)
const threeFiles: MachineOptions = {
  name: 'web',
  uuid,
  firmware: 'efi',
  disks: [{ content: system }, { content: data }],
  cdrom: { iso: '[datastore1] iso/tools.iso', content: iso },
}
const running: MachineOptions = { ...threeFiles, powerState: 'poweredOn' }

const sha256 = (bytes: Uint8Array): string => createHash('sha256').update(bytes).digest('hex')
const snapshotsOf = (host: ExportHost) => host.simulator.machine('web')?.snapshots ?? []
const same = (bytes: Uint8Array, other: Uint8Array): boolean => Buffer.compare(bytes, other) === 0

describe('a backup of a machine that is off', () => {
  it('holds its disks byte for byte, NVRAM, image, descriptor, and the sums last; nothing stays on the host', async () => {
    await using host = await exportHost({ machines: [threeFiles] })
    const backup = backupRun(host, uuid)
    const result = await backup.start()
    expect(backup.names).toEqual(['web-disk-1.vmdk', 'web-disk-2.vmdk', 'web.nvram', 'web-image-1.iso', 'web.ovf', 'web.mf'])
    expect([same(await backup.disk('web-disk-1.vmdk'), system), same(await backup.disk('web-disk-2.vmdk'), data)]).toEqual([true, true])
    expect(same(backup.bytes('web-image-1.iso'), iso)).toBe(true)
    expect(result).toMatchObject({ consistency: 'off', skipped: [], description: { v: 1, descriptor: 'web.ovf', manifest: 'web.mf' } })
    expect([host.count('HttpNfcLeaseComplete'), host.count('HttpNfcLeaseAbort'), host.simulator.leases.open.size]).toEqual([1, 0, 0])
    expect([host.count('CreateSnapshot_Task'), backup.memory.intended]).toEqual([0, []])
    expect(backup.memory.notes).toEqual([])
  })

  it('7: says of each file in its descriptor how many bytes there are, and of each disk what the guest sees', async () => {
    await using host = await exportHost({ machines: [threeFiles] })
    const backup = backupRun(host, uuid)
    await backup.start()
    const { files, disks } = parseOvf(backup.text('web.ovf'), { what: 'web.ovf' })
    expect(files.map(({ href, size }) => [href, size])).toEqual(
      ['web-disk-1.vmdk', 'web-disk-2.vmdk', 'web.nvram', 'web-image-1.iso'].map((name) => [name, backup.bytes(name).length]),
    )
    expect(disks.map(({ capacity }) => capacity)).toEqual([system.length, data.length])
  })

  it('9: holds the NVRAM unasked, in the descriptor and in the list of sums', async () => {
    await using host = await exportHost({ machines: [threeFiles] })
    const backup = backupRun(host, uuid)
    await backup.start()
    const nvram = host.simulator.machine('web')?.settings.nvram ?? new Uint8Array()
    expect(same(backup.bytes('web.nvram'), nvram)).toBe(true)
    const { files, machine } = parseOvf(backup.text('web.ovf'), { what: 'web.ovf' })
    expect(files.find(({ id }) => id === machine.nvramFileRef)?.href).toBe('web.nvram')
    expect(backup.text('web.mf')).toContain(`SHA256(web.nvram)= ${sha256(nvram)}\n`)
  })

  it('lists the true sum of every file, that of the descriptor first', async () => {
    await using host = await exportHost({ machines: [threeFiles] })
    const backup = backupRun(host, uuid)
    await backup.start()
    const named = ['web.ovf', 'web-disk-1.vmdk', 'web-disk-2.vmdk', 'web.nvram', 'web-image-1.iso']
    expect(backup.text('web.mf')).toBe(named.map((name) => `SHA256(${name})= ${sha256(backup.bytes(name))}\n`).join(''))
  })

  it('has no list of sums when files are not kept as they came', async () => {
    await using host = await exportHost({ machines: [threeFiles] })
    const backup = backupRun(host, uuid, { kept: false })
    const result = await backup.start()
    expect(backup.names).not.toContain('web.mf')
    expect(result.description).not.toHaveProperty('manifest')
  })

  it('9: leaves images out when it is told to, and says so', async () => {
    await using host = await exportHost({ machines: [threeFiles] })
    const backup = backupRun(host, uuid)
    const { skipped } = await backup.start({ images: false })
    expect(backup.names).toEqual(['web-disk-1.vmdk', 'web-disk-2.vmdk', 'web.nvram', 'web.ovf', 'web.mf'])
    expect(skipped).toEqual([{ name: 'image 1 (VirtualIDEController1:0)', reason: 'The option "images" is off.' }])
  })

  it('that was switched on meanwhile is read from a snapshot', async () => {
    await using host = await exportHost({ machines: [threeFiles] })
    const states = '<requestedState>poweredOff</requestedState><existingState>poweredOn</existingState>'
    host.simulator.refuse('ExportVm', { fault: 'InvalidPowerState', message: 'It is on.', fields: states })
    const { consistency } = await backupRun(host, uuid).start()
    expect([consistency, host.count('ExportSnapshot'), snapshotsOf(host).length]).toEqual(['crash', 1, 1])
  })

  it('reads several files at once when it is told to', async () => {
    await using host = await exportHost({ machines: [threeFiles] })
    const { leases } = host.simulator
    const all = Promise.withResolvers<void>()
    const wait = () => {
      if (leases.transfers.length >= 3) all.resolve()
      return all.promise
    }
    for (const file of ['disk-0.vmdk', 'disk-1.vmdk', 'web.nvram']) leases.script(file, { does: 'call', call: wait })
    const backup = backupRun(host, uuid)
    await backup.start({ parallel: 3 })
    expect([same(await backup.disk('web-disk-1.vmdk'), system), same(await backup.disk('web-disk-2.vmdk'), data)]).toEqual([true, true])
  })
})

describe('a backup of a machine that runs', () => {
  it('is that of the moment of its snapshot, which carries the mark and goes with the intent', async () => {
    await using host = await exportHost({ machines: [running] })
    const machine = host.simulator.machine('web')
    const [first] = machine?.hardware.disks ?? []
    const later = () => {
      if (first !== undefined)
        first.content = {
          ...first.content,
          open: () => {
            throw new Error('the running disk was read')
          },
        }
    }
    const backup = backupRun(host, uuid, { duringItem: async () => later() })
    const { consistency } = await backup.start({ quiesce: 'never' })
    expect(consistency).toBe('crash')
    expect(same(await backup.disk('web-disk-1.vmdk'), system)).toBe(true)
    expect(snapshotsOf(host).map(({ name, description }) => [name, description.includes('"purpose":"backup"')])).toEqual([
      ['holdfast contract run1.1', true],
    ])
    expect(backup.memory.intended.map(({ kind }) => kind)).toEqual(['remove-snapshot'])
    await backup.memory.undoOpen({ committed: true })
    expect(snapshotsOf(host)).toEqual([])
  })

  it('is quiesced when the guest has flushed', async () => {
    await using host = await exportHost({ machines: [running] })
    const backup = backupRun(host, uuid)
    expect([(await backup.start()).consistency, backup.memory.notes]).toEqual(['quiesced', []])
  })

  it('says that it is as after a power cut when the guest could not be asked', async () => {
    await using host = await exportHost({ machines: [{ ...running, conduct: { toolsRunning: false } }] })
    const backup = backupRun(host, uuid)
    expect((await backup.start()).consistency).toBe('crash')
    expect(backup.memory.notes).toMatchObject([{ level: 'warning', code: 'SNAPSHOT_NOT_QUIESCED' }])
  })

  it('goes on without the guest when that does not flush, and says so', async () => {
    await using host = await exportHost({ machines: [{ ...running, conduct: { quiesceFails: true } }] })
    const backup = backupRun(host, uuid)
    expect((await backup.start()).consistency).toBe('crash')
    expect(backup.memory.notes).toMatchObject([
      { level: 'warning', code: 'SNAPSHOT_NOT_QUIESCED', message: expect.stringContaining('error') },
    ])
    await backup.memory.undoOpen({ committed: true })
    expect(snapshotsOf(host)).toEqual([])
  })

  it.each([{ quiesceFails: true }, { toolsRunning: false }])('fails when the guest must flush and does not: %o', async (conduct) => {
    await using host = await exportHost({ machines: [{ ...running, conduct }] })
    const backup = backupRun(host, uuid)
    await expect(backup.start({ quiesce: 'require' })).rejects.toMatchObject({
      code: 'PROVIDER_FAILED',
      message: expect.stringContaining('web'),
    })
    expect([host.count('ExportSnapshot'), backup.items]).toEqual([0, []])
    await backup.memory.undoOpen()
    expect(snapshotsOf(host)).toEqual([])
  })

  it('does not hold independent disks, and says so; that of a machine that is off does', async () => {
    const disks = [{ content: system }, { content: data, mode: 'independent_persistent' }]
    await using host = await exportHost({ machines: [{ ...running, disks }] })
    const on = backupRun(host, uuid)
    const { skipped } = await on.start()
    expect(on.names).toEqual(['web-disk-1.vmdk', 'web.nvram', 'web-image-1.iso', 'web.ovf', 'web.mf'])
    expect(skipped).toMatchObject([{ name: expect.stringContaining('Hard disk 2'), reason: expect.stringContaining('independent') }])
    expect(on.memory.notes).toContainEqual(
      expect.objectContaining({ level: 'warning', code: 'DISK_LEFT_OUT', message: expect.stringContaining('will not hold Hard disk 2') }),
    )
    expect(parseOvf(on.text('web.ovf'), { what: 'web.ovf' }).disks).toMatchObject([
      { capacity: expect.any(Number), fileRef: expect.any(String) },
    ])
    expect(on.text('web.ovf').match(/ovf:\/disk\//g)).toHaveLength(1)
    const machine = host.simulator.machine('web')
    if (machine !== undefined) machine.powerState = 'poweredOff'
    const off = backupRun(host, uuid)
    expect([(await off.start()).skipped, off.names.includes('web-disk-2.vmdk')]).toEqual([[], true])
  })

  it('that would hold no disk at all is refused before anything is made', async () => {
    await using host = await exportHost({ machines: [{ ...running, disks: [{ mode: 'independent_persistent' }] }] })
    const backup = backupRun(host, uuid)
    await expect(backup.start()).rejects.toMatchObject({
      code: 'UNSUPPORTED',
      message: expect.stringContaining('would hold no disk: Hard disk 1'),
    })
    expect(host.count('CreateSnapshotEx_Task') + host.count('CreateSnapshot_Task')).toBe(0)
  })

  it('says which ways there are when its host exports no snapshots, and leaves none', async () => {
    await using host = await exportHost({ machines: [running] })
    host.simulator.refuse('ExportSnapshot', { fault: 'NotSupported', message: 'The operation is not supported on the object.' })
    const backup = backupRun(host, uuid)
    await expect(backup.start()).rejects.toMatchObject({ code: 'UNSUPPORTED', remedy: expect.stringMatching(/off.*vCenter/) })
    await backup.memory.undoOpen()
    expect([snapshotsOf(host), host.simulator.leases.open.size]).toEqual([[], 0])
  })
})

describe('a machine that cannot be backed up', () => {
  it.each([
    ['it is encrypted', { encrypted: true }],
    ['it has a virtual TPM', { tpm: true }],
    ['a disk is encrypted', { disks: [{ encrypted: true }] }],
    ['a disk is a raw device in physical mode', { disks: [{ backing: 'rdmPhysical' as const }] }],
  ])('31: is refused before anything is made: %s', async (_what, more) => {
    await using host = await exportHost({ machines: [{ ...running, ...more }] })
    const backup = backupRun(host, uuid)
    await expect(backup.start()).rejects.toMatchObject({ code: 'UNSUPPORTED', retryable: false, message: expect.stringContaining('web') })
    expect([backup.memory.intended, host.count('CreateSnapshot_Task') + host.count('ExportVm')]).toEqual([[], 0])
  })

  it('is told of an option that does not exist', async () => {
    await using host = await exportHost({ machines: [threeFiles] })
    await expect(backupRun(host, uuid).start({ paralel: 2 })).rejects.toMatchObject({ code: 'INVALID_OPTIONS' })
  })
})

describe('names', () => {
  it.each(['../../etc/passwd', '/etc/passwd', '..', 'a/b\\c', '.hidden', 'x'.repeat(300), 'CON\u0000'])(
    '36: of files do not come from the host: %s',
    async (targetId) => {
      await using host = await exportHost({ machines: [threeFiles] })
      host.simulator.leases.settings.targetIdOf = () => targetId
      const backup = backupRun(host, uuid)
      await backup.start()
      expect(backup.names).toEqual(['web-disk-1.vmdk', 'web-disk-2.vmdk', 'web.nvram', 'web-image-1.img', 'web.ovf', 'web.mf'])
    },
  )

  it.each([
    ['web %/2f ..', 'web_2f'],
    ['../../x', 'x'],
    ['Büro', 'B_ro'],
    ['日本', 'machine'],
    ['a'.repeat(200), 'a'.repeat(100)],
  ])('36: of machines become names of files: %s', async (name, safe) => {
    await using host = await exportHost({ machines: [{ ...threeFiles, name }] })
    const backup = backupRun(host, uuid)
    await backup.start()
    expect(backup.names).toContain(`${safe}.ovf`)
    const { machine } = parseOvf(backup.text(`${safe}.ovf`), { what: 'the descriptor' })
    expect(machine.name).toBe(name)
  })
})
