import { type CallOptions, systemClock } from '@holdfast/core/spec'
import { fakeClock } from '@holdfast/testkit'
import { describe, expect, it } from 'vitest'
import { type ExportHost, type ExportHostOptions, exportHost, until } from '../../test/support/export-host.ts'
import type { Session } from '../vim25/session.ts'
import { keepLeaseAlive } from './keep-alive.ts'
import { openLease } from './lease.ts'

const never = { signal: new AbortController().signal }
const noSpace = {
  fault: 'NoDiskSpace',
  message: 'There is no space left on datastore1.',
  fields: '<file>[datastore1] web/web.vmdk</file><datastore>datastore1</datastore>',
}
const machines = [{ name: 'web', uuid: '564d0000-0000-0000-0000-000000000001' }]

async function leased(options: ExportHostOptions = {}) {
  const host = await exportHost({ machines, ...options })
  const ref = await host.connection.session.call('ExportVm', host.machine('web'), {}, never)
  return { host, ref, lease: await openLease(host.connection, ref, { ...never, name: 'web' }) }
}

const progressOf = (host: ExportHost): number => host.count('HttpNfcLeaseProgress')

/** Lets time pass in pauses of the keep-alive, each time until the host has heard of the lease. */
async function pass(host: ExportHost, clock: ReturnType<typeof fakeClock>, pauses: number, pauseMs = 15_000): Promise<void> {
  for (let count = 0; count < pauses; count += 1) {
    const before = progressOf(host)
    await clock.advance(pauseMs)
    await until('the lease is kept alive', () => progressOf(host) > before)
  }
}

describe('a lease', () => {
  it('is ready with the URLs of disks and NVRAM, and is given up once when it is disposed', async () => {
    const { host, lease } = await leased()
    await using _ = host
    expect(lease.urls.map(({ disk, targetId }) => [disk, targetId])).toEqual([
      [true, 'disk-0.vmdk'],
      [false, 'web.nvram'],
    ])
    expect([lease.entity.value, lease.totalBytes, host.simulator.leases.open.size]).toEqual([host.machine('web').value, 1_048_576, 1])
    await lease[Symbol.asyncDispose]()
    await lease[Symbol.asyncDispose]()
    expect([host.count('HttpNfcLeaseAbort'), host.simulator.leases.open.size]).toEqual([1, 0])
  })

  it('is not given up after it was completed', async () => {
    const { host, lease } = await leased()
    await using _ = host
    await lease.complete(never)
    await lease[Symbol.asyncDispose]()
    expect([host.count('HttpNfcLeaseAbort'), host.count('HttpNfcLeaseComplete')]).toEqual([0, 1])
  })

  it('1: lives for an hour without a byte, since it is kept alive by itself', async () => {
    const clock = fakeClock()
    const { host, lease } = await leased({ clock })
    await using _ = host
    await pass(host, clock, 240)
    expect([lease.signal.aborted, host.simulator.leases.open.size]).toEqual([false, 1])
    await lease[Symbol.asyncDispose]()
  })

  it('1: with a short time is told of ten times within it', async () => {
    const clock = fakeClock()
    const host = await exportHost({ machines, clock })
    await using _ = host
    host.simulator.leases.settings.timeoutSeconds = 10
    const ref = await host.connection.session.call('ExportVm', host.machine('web'), {}, never)
    const lease = await openLease(host.connection, ref, { ...never, name: 'web' })
    await pass(host, clock, 30, 1000)
    expect([lease.signal.aborted, progressOf(host)]).toEqual([false, 30])
    await lease[Symbol.asyncDispose]()
  })

  it('1: of which the host hears nothing ends there, and whoever asks why is told so', async () => {
    const clock = fakeClock()
    const { host, lease } = await leased({ clock, ownClock: systemClock })
    await using _ = host
    await clock.advance(301_000)
    expect(host.simulator.leases.open.size).toBe(0)
    const why = await lease.whyFailed(new Error('socket hang up'), never)
    expect(why).toMatchObject({ code: 'PROVIDER_FAILED', retryable: true, message: expect.stringContaining('heard nothing of it') })
    await lease[Symbol.asyncDispose]()
  })

  it('1: that the host keeps no longer ends the transfers that use it', async () => {
    const clock = fakeClock()
    const { host, lease } = await leased({ clock })
    await using _ = host
    host.simulator.refuse('HttpNfcLeaseProgress', { fault: 'Timedout', message: 'Operation timed out.' })
    await clock.advance(15_000)
    await until('the lease is lost', () => lease.signal.aborted)
    expect(lease.signal.reason).toMatchObject({ code: 'PROVIDER_FAILED', retryable: true, details: { lost: true } })
    await expect(lease.complete(never)).rejects.toBe(lease.signal.reason)
    await lease[Symbol.asyncDispose]()
  })

  it('1: is kept although one of the calls that keep it gets no answer', async () => {
    const clock = fakeClock()
    let calls = 0
    const session = {
      clock,
      generation: 1,
      call: (_method: string, _self: unknown, _parameters: unknown, { signal }: CallOptions) => {
        calls += 1
        if (calls > 1) return Promise.resolve()
        return new Promise((_, reject) => signal.addEventListener('abort', () => reject(signal.reason)))
      },
    }
    const over = new AbortController()
    const ref = { type: 'HttpNfcLease', value: 'lease' } as const
    const keep = { ref, timeoutMs: 300_000, generation: 1, percent: () => 1, called: { method: 'HttpNfcLease', self: ref } }
    const kept = keepLeaseAlive(session as unknown as Session, keep, { signal: over.signal }).catch((error: unknown) => error)
    for (let second = 0; second < 290; second += 1) await clock.advance(1000)
    expect(calls).toBeGreaterThan(10)
    over.abort(new Error('enough'))
    expect(await kept).toMatchObject({ message: 'enough' })
  })

  it('outlives a moment in which the host cannot be reached', async () => {
    const clock = fakeClock()
    const { host, lease } = await leased({ clock })
    await using _ = host
    host.simulator.closeConnections()
    await pass(host, clock, 3)
    expect(lease.signal.aborted).toBe(false)
    await lease[Symbol.asyncDispose]()
  })

  it('4: is lost with its session, also when that was opened again meanwhile', async () => {
    const clock = fakeClock()
    const { host, lease } = await leased({ clock })
    await using _ = host
    host.simulator.endSessions()
    await host.connection.session.call('CurrentTime', { type: 'ServiceInstance', value: 'ServiceInstance' }, {}, never)
    await clock.advance(15_000)
    await until('the lease is lost', () => lease.signal.aborted)
    expect(lease.signal.reason).toMatchObject({ retryable: true, message: expect.stringContaining('the session it belonged to has ended') })
    expect(progressOf(host)).toBe(0)
    expect(await lease.whyFailed(new Error('socket hang up'), never)).toMatchObject({ details: { lost: true } })
    await lease[Symbol.asyncDispose]()
  })

  it('4: whose keep-alive finds that the session has ended is lost', async () => {
    const clock = fakeClock()
    const { host, lease } = await leased({ clock })
    await using _ = host
    host.simulator.endSessions()
    await clock.advance(15_000)
    await until('the lease is lost', () => lease.signal.aborted)
    expect(lease.signal.reason).toMatchObject({ code: 'PROVIDER_FAILED', retryable: true })
    await lease[Symbol.asyncDispose]()
  })

  it('tells the host a percentage, whatever it is given', async () => {
    const clock = fakeClock()
    const { host, lease } = await leased({ clock })
    await using _ = host
    const [open] = host.simulator.leases.open
    for (const fraction of [0.5, 7, -1, Number.NaN, 0 / 0, Number.POSITIVE_INFINITY]) {
      lease.progress(fraction)
      await pass(host, clock, 1)
    }
    expect(open?.told).toEqual([50, 100, 0, 0, 0, 0])
    await lease[Symbol.asyncDispose]()
  })

  it('that does not get ready fails with what the host says, and is given up', async () => {
    await using host = await exportHost({ machines })
    host.simulator.leases.settings.initializeFault = noSpace
    const ref = await host.connection.session.call('ExportVm', host.machine('web'), {}, never)
    await expect(openLease(host.connection, ref, { ...never, name: 'web' })).rejects.toMatchObject({
      code: 'DISK_FULL',
      message: expect.stringContaining('There is no space left on datastore1'),
    })
    expect(host.count('HttpNfcLeaseAbort')).toBe(1)
  })

  it('23: tells why a transfer failed; an error that has nothing to do with the lease stays as it is', async () => {
    const { host, lease } = await leased()
    await using _ = host
    const broken = new Error('Premature close')
    expect(await lease.whyFailed(broken, never)).toBe(broken)
    const [open] = host.simulator.leases.open
    open?.fail(noSpace)
    expect(await lease.whyFailed(broken, never)).toMatchObject({ code: 'DISK_FULL' })
    await lease[Symbol.asyncDispose]()
  })

  it('is given up on the host when its wait is aborted', async () => {
    await using host = await exportHost({ machines })
    host.simulator.leases.settings.initializeTurns = 1_000_000
    const stop = new AbortController()
    const ref = await host.connection.session.call('ExportVm', host.machine('web'), {}, never)
    const opening = openLease(host.connection, ref, { signal: stop.signal, name: 'web' }).catch((error) => error)
    await until('it is waited for', () => host.count('WaitForUpdatesEx') > 0)
    stop.abort(new Error('enough'))
    expect(await opening).toMatchObject({ message: 'enough' })
    expect(host.simulator.leases.open.size).toBe(0)
  })

  it('holds its machine: it cannot be exported a second time', async () => {
    const { host, lease } = await leased()
    await using _ = host
    const again = host.connection.session.call('ExportVm', host.machine('web'), {}, never)
    await expect(again).rejects.toMatchObject({ code: 'IN_USE', retryable: true })
    await lease[Symbol.asyncDispose]()
  })
})
