import { type FakeClock, fakeClock, type MachineOptions, type TransferEvent } from '@holdfast/testkit'
import { describe, expect, it } from 'vitest'
import { backupRun } from '../../test/support/backup-run.ts'
import { type ExportHost, exportHost, until } from '../../test/support/export-host.ts'

const uuid = '564d0000-0000-0000-0000-000000000001'
const off: MachineOptions = { name: 'web', uuid }
const running: MachineOptions = { ...off, powerState: 'poweredOn' }
const noSpace = {
  fault: 'NoDiskSpace',
  message: 'There is no space left on datastore1.',
  fields: '<file>[datastore1] web/web.vmdk</file><datastore>datastore1</datastore>',
}

/** Nothing of a backup is left on the host once the engine has undone what it had begun. */
async function expectNothingLeft(host: ExportHost, backup: ReturnType<typeof backupRun>): Promise<void> {
  await backup.memory.undoOpen()
  expect([host.simulator.machine('web')?.snapshots, host.simulator.leases.open.size]).toEqual([[], 0])
}

/** Lets time pass in pauses of the keep-alive, each time until the host has heard of the lease. */
async function pass(host: ExportHost, clock: FakeClock, pauses: number): Promise<void> {
  for (let left = pauses; left > 0; left -= 1) {
    const before = host.count('HttpNfcLeaseProgress')
    await clock.advance(15_000)
    await until('the lease is kept alive', () => host.count('HttpNfcLeaseProgress') > before)
  }
}

/** The same until some work has ended. */
async function passUntilOver<Result>(host: ExportHost, clock: FakeClock, work: Promise<Result>): Promise<Result> {
  let over = false
  const end = () => {
    over = true
  }
  work.then(end, end)
  while (!over) {
    const before = host.count('HttpNfcLeaseProgress')
    await clock.advance(15_000)
    await until('the lease is kept alive, or the work has ended', () => over || host.count('HttpNfcLeaseProgress') > before)
  }
  return work
}

/** A backup of a running machine, of which the first disk meets with something. */
async function failed(event: TransferEvent, check: (host: ExportHost) => void = () => {}) {
  await using host = await exportHost({ machines: [running] })
  host.simulator.leases.script('disk-0.vmdk', event)
  const backup = backupRun(host, uuid)
  const error = await backup.start().catch((failure: unknown) => failure)
  expect([host.count('HttpNfcLeaseAbort'), host.count('HttpNfcLeaseComplete')]).toEqual([1, 0])
  check(host)
  await expectNothingLeft(host, backup)
  return error
}

describe('a transfer', () => {
  it('2: that stalls fails when its time is up, gives the lease up once and leaves no snapshot', async () => {
    const clock = fakeClock()
    await using host = await exportHost({ machines: [running], clock })
    host.simulator.leases.script('disk-0.vmdk', { does: 'stall', afterBytes: 70_000 })
    const backup = backupRun(host, uuid)
    const settled = backup.start().catch((error: unknown) => error)
    await until('bytes come', () => backup.memory.steps.some(({ text }) => text.startsWith('reading')))
    expect(await passUntilOver(host, clock, settled)).toMatchObject({
      code: 'STALLED',
      retryable: true,
      message: expect.stringMatching(/Hard disk 1 of web for 15 min/),
    })
    expect(host.count('HttpNfcLeaseAbort')).toBe(1)
    await expectNothingLeft(host, backup)
  })

  it('18: of which the first byte comes after six minutes is waited for', async () => {
    const clock = fakeClock()
    await using host = await exportHost({ machines: [off], clock })
    host.simulator.leases.script('disk-0.vmdk', { does: 'pause', milliseconds: 360_000 })
    const backup = backupRun(host, uuid)
    const result = backup.start()
    await until('the disk is asked for', () => host.simulator.leases.transfers.length > 0)
    expect(await passUntilOver(host, clock, result)).toMatchObject({ consistency: 'off' })
  })

  it('1: that takes longer than the lease lives goes on, since the lease is kept alive', async () => {
    const clock = fakeClock()
    await using host = await exportHost({ machines: [off], clock })
    for (const afterBytes of [1000, 2000, 3000])
      host.simulator.leases.script('disk-0.vmdk', { does: 'pause', milliseconds: 600_000, afterBytes })
    const backup = backupRun(host, uuid)
    const result = backup.start()
    await until('the disk is asked for', () => host.simulator.leases.transfers.length > 0)
    expect(await passUntilOver(host, clock, result)).toMatchObject({ consistency: 'off' })
  })

  it('waits for a repository that takes its time: that is no stall', async () => {
    const clock = fakeClock()
    await using host = await exportHost({ machines: [off], clock })
    const go = Promise.withResolvers<void>()
    const backup = backupRun(host, uuid, { duringItem: () => go.promise })
    const result = backup.start()
    await until('the disk is sent', () => host.simulator.leases.transfers.length > 0)
    await pass(host, clock, 120)
    go.resolve()
    expect(await result).toMatchObject({ consistency: 'off' })
  })

  it('4: ends with a session that was opened again meanwhile: the lease is gone with the old one', async () => {
    const clock = fakeClock()
    await using host = await exportHost({ machines: [running], clock })
    host.simulator.leases.script('disk-0.vmdk', { does: 'stall', afterBytes: 70_000 })
    const backup = backupRun(host, uuid)
    const settled = backup.start().catch((error: unknown) => error)
    await until('the disk is read', () => host.simulator.leases.transfers.length > 0)
    host.simulator.endSessions()
    expect(await passUntilOver(host, clock, settled)).toMatchObject({ code: 'PROVIDER_FAILED', retryable: true, details: { lost: true } })
    await expectNothingLeft(host, backup)
    expect(host.simulator.sessions()).toBe(1)
  })

  it('23: that breaks because the host has given the lease up fails with what the lease says, not with the broken connection', async () => {
    const error = await failed({ does: 'fail', afterBytes: 70_000, fault: noSpace })
    expect(error).toMatchObject({ code: 'DISK_FULL', message: expect.stringContaining('no space left on datastore1') })
  })

  it('that breaks is told with what was read until then, and may be tried again', async () => {
    const error = await failed({ does: 'reset', afterBytes: 70_000 })
    expect(error).toMatchObject({
      code: 'PROVIDER_FAILED',
      retryable: true,
      message: expect.stringMatching(/broke after \d+ bytes of Hard disk 1 of web/),
    })
  })

  it('that the host refuses says with which answer', async () => {
    const error = await failed({ does: 'status', status: 500 })
    expect(error).toMatchObject({
      code: 'PROVIDER_FAILED',
      retryable: true,
      message: expect.stringContaining('HTTP 500: An internal error has occurred'),
    })
    expect(await failed({ does: 'status', status: 403 })).toMatchObject({ code: 'ACCESS_DENIED', retryable: false })
  })

  it('that is aborted ends at once, and gives the lease up', async () => {
    await using host = await exportHost({ machines: [running] })
    const backup = backupRun(host, uuid)
    host.simulator.leases.script('disk-0.vmdk', { does: 'call', afterBytes: 70_000, call: () => backup.memory.abort(new Error('enough')) })
    host.simulator.leases.script('disk-0.vmdk', { does: 'stall', afterBytes: 70_000 })
    await expect(backup.start()).rejects.toThrow('enough')
    expect(host.count('HttpNfcLeaseAbort')).toBe(1)
    await expectNothingLeft(host, backup)
  })

  it('is stopped when another of the same machine fails', async () => {
    await using host = await exportHost({ machines: [{ ...off, disks: [{}, {}] }] })
    const { leases } = host.simulator
    leases.script('disk-0.vmdk', { does: 'stall', afterBytes: 70_000 })
    leases.script('disk-1.vmdk', { does: 'status', status: 500 })
    await expect(backupRun(host, uuid).start({ parallel: 2 })).rejects.toMatchObject({ message: expect.stringContaining('Hard disk 2') })
    expect(leases.open.size).toBe(0)
  })
})

describe('sums', () => {
  it.each([true, false])('35: that differ from those of the host fail the backup, and give the lease up (SHA-256: %s)', async (sha256) => {
    await using host = await exportHost({ machines: [off] })
    host.simulator.leases.settings.sha256 = sha256
    host.simulator.leases.script('disk-0.vmdk', { does: 'wrong-sum' })
    const error = await backupRun(host, uuid)
      .start()
      .catch((failure: unknown) => failure)
    const which = sha256 ? 'another SHA-256' : 'another SHA-1'
    expect(error).toMatchObject({
      code: 'CHECKSUM_MISMATCH',
      retryable: true,
      message: `web-disk-1.vmdk came otherwise than the host has sent it: ${which}.`,
    })
    expect([host.count('HttpNfcLeaseAbort'), host.count('HttpNfcLeaseComplete')]).toEqual([1, 0])
  })

  it('35: are compared with SHA-1 where the host knows nothing else', async () => {
    await using host = await exportHost({ machines: [off] })
    host.simulator.leases.settings.sha256 = false
    const backup = backupRun(host, uuid)
    await backup.start()
    expect(backup.memory.notes).toEqual([])
  })

  it('35: that a host does not tell are no excuse for an NVRAM that ends early: its size is told', async () => {
    await using host = await exportHost({ machines: [{ ...off, firmware: 'efi' }] })
    host.simulator.leases.settings.withoutManifest = true
    for (const name of ['nvram', 'web.nvram']) host.simulator.leases.script(name, { does: 'end', afterBytes: 100 })
    await expect(backupRun(host, uuid).start()).rejects.toMatchObject({
      code: 'TRUNCATED',
      retryable: true,
      message: expect.stringMatching(/^web\.nvram came with 100 bytes, and the host has said that it has \d+\.$/),
    })
  })

  it('35: that a host does not tell are noted', async () => {
    await using host = await exportHost({ machines: [off] })
    host.simulator.leases.settings.withoutManifest = true
    const backup = backupRun(host, uuid)
    await backup.start()
    expect(backup.memory.notes).toMatchObject([
      { level: 'info', code: 'NO_SUMS_OF_HOST', message: expect.stringContaining('web-disk-1.vmdk, web.nvram') },
    ])
  })
})

describe('a busy machine', () => {
  const busy = { fault: 'TaskInProgress', message: 'Another task is already in progress.', fields: '<task type="Task">task-1</task>' }

  it('19: is asked again until it is free', async () => {
    const clock = fakeClock()
    await using host = await exportHost({ machines: [off], clock })
    host.simulator.refuse('ExportVm', busy, 2)
    const result = backupRun(host, uuid).start()
    for (const [index, pause] of [2000, 4000].entries()) {
      await until('it is asked', () => host.count('ExportVm') > index && clock.sleepers > 1)
      await clock.advance(pause)
    }
    expect(await result).toMatchObject({ consistency: 'off' })
    expect(host.count('ExportVm')).toBe(3)
  })

  it('19: that stays busy fails in the end, and may be tried later', async () => {
    const clock = fakeClock()
    await using host = await exportHost({ machines: [off], clock })
    host.simulator.refuse('ExportVm', busy, 100)
    let settled = false
    const result = backupRun(host, uuid)
      .start()
      .catch((error: unknown) => error)
      .finally(() => {
        settled = true
      })
    for (let count = 0; !settled; ) {
      await until('it is asked', () => settled || host.count('ExportVm') > count)
      count = host.count('ExportVm')
      await clock.advance(60_000)
    }
    expect(await result).toMatchObject({ code: 'IN_USE', retryable: true })
  })
})

describe('a host behind a vCenter server', () => {
  it('is trusted by the thumbprint that came with the lease, and never gets the session', async () => {
    await using host = await exportHost({ machines: [off], kind: 'vcenter' })
    await backupRun(host, uuid).start()
    expect(host.simulator.leases.cookies).toEqual([undefined, undefined])
  })

  it('with another certificate gets no request', async () => {
    await using host = await exportHost({ machines: [off], kind: 'vcenter' })
    host.simulator.leases.settings.urlThumbprint = '00:'.repeat(19).concat('00')
    await expect(backupRun(host, uuid).start()).rejects.toMatchObject({ code: 'ACCESS_DENIED' })
    expect(host.simulator.leases.transfers).toEqual([])
  })

  it('without a thumbprint needs a certificate that is valid', async () => {
    await using host = await exportHost({ machines: [off], kind: 'vcenter' })
    host.simulator.leases.settings.urlThumbprint = ''
    await expect(backupRun(host, uuid).start()).rejects.toMatchObject({ code: 'ACCESS_DENIED' })
    expect(host.simulator.leases.transfers).toEqual([])
  })

  it('whose name is not known here is named, with its port and hostMap', async () => {
    await using host = await exportHost({ machines: [off], kind: 'vcenter' })
    host.simulator.leases.settings.urlPrefix = 'https://esx7.invalid'
    await expect(backupRun(host, uuid).start()).rejects.toMatchObject({
      code: 'UNREACHABLE',
      message: expect.stringMatching(
        /^127\.0\.0\.1 handed out the host esx7\.invalid for Hard disk 1 of web, and its name is not known here/,
      ),
      remedy: expect.stringMatching(/port 443.*hostMap: \{ 'esx7\.invalid'/),
    })
  })

  it('that cannot be reached is named, with its port and hostMap', async () => {
    await using host = await exportHost({ machines: [off], kind: 'vcenter', settings: { hostMap: { 'esx7.invalid': '127.0.0.1:1' } } })
    host.simulator.leases.settings.urlPrefix = 'https://esx7.invalid'
    await expect(backupRun(host, uuid).start()).rejects.toMatchObject({
      code: 'UNREACHABLE',
      message: expect.stringMatching(/esx7\.invalid \(127\.0\.0\.1:1 by hostMap\).*port 1 of it/),
    })
  })

  it('is read at the address that hostMap gives its name', async () => {
    const settings = { hostMap: {} as Record<string, string> }
    await using host = await exportHost({ machines: [off], kind: 'vcenter', settings })
    const { leases } = host.simulator
    ;(host.connection.settings.hostMap as Record<string, string>)['esx7.invalid'] = leases.settings.urlPrefix.replace('https://', '')
    leases.settings.urlPrefix = 'https://esx7.invalid'
    expect(await backupRun(host, uuid).start()).toMatchObject({ consistency: 'off' })
  })
})

describe('a host that stands alone', () => {
  it('gets the session with each request for a file', async () => {
    await using host = await exportHost({ machines: [off] })
    await backupRun(host, uuid).start()
    expect(host.simulator.leases.cookies.map((cookie) => cookie?.startsWith('vmware_soap_session='))).toEqual([true, true])
  })

  it('3: is read where calls are answered, also behind a port that is forwarded', async () => {
    await using host = await exportHost({ machines: [off] })
    host.simulator.leases.settings.urlPrefix = 'https://*:8443'
    expect(await backupRun(host, uuid).start()).toMatchObject({ consistency: 'off' })
  })

  it('29: has no session of ours left at the end, after a backup that failed too', async () => {
    const host = await exportHost({ machines: [off] })
    host.simulator.leases.script('disk-0.vmdk', { does: 'reset', afterBytes: 1000 })
    await expect(backupRun(host, uuid).start()).rejects.toMatchObject({ retryable: true })
    await backupRun(host, uuid).start()
    expect(host.simulator.sessions()).toBe(1)
    await host.close()
    expect(host.simulator.sessions()).toBe(0)
    await host[Symbol.asyncDispose]()
  })

  it('says nothing of secrets in any error', async () => {
    await using host = await exportHost({ machines: [off], password: 'canary-secret', settings: { password: 'canary-secret' } })
    host.simulator.leases.script('disk-0.vmdk', { does: 'status', status: 500 })
    const failure = await backupRun(host, uuid)
      .start()
      .catch((error: Error & { remedy?: string; details?: unknown }) => error)
    const text = JSON.stringify([failure, String((failure as Error).stack), (failure as Error).cause])
    const cookie = host.simulator.leases.cookies[0] ?? 'vmware'
    expect([/canary-secret|ha-nfc/.test(text), text.includes(cookie)]).toEqual([false, false])
  })
})
