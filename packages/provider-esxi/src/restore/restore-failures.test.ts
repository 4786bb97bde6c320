import type { StoredFile } from '@holdfast/core/spec'
import { type EsxiSimulatorOptions, seededRandom } from '@holdfast/testkit'
import { request } from 'undici'
import { expect, test } from 'vitest'
import { type RestoreHost, rejection, restoreHost } from '../../test/support/restore-host.ts'
import { damagedAtEnd, image, restorePoint, storedFile } from '../../test/support/restore-point.ts'
import { createPinnedAgent } from '../vim25/pinned-agent.ts'
import { attemptName } from './attempt-name.ts'
import { restoreMachine } from './restore-machine.ts'

/** Runs with a host, and shows that at its end no lease is open and nothing of ours is there. */
async function leavesNothing(options: EsxiSimulatorOptions, work: (host: RestoreHost) => Promise<void>): Promise<void> {
  const host = await restoreHost(options)
  try {
    const before = host.names()
    await work(host)
    expect(host.names()).toEqual(before)
    expect(host.simulator.leases.open.size).toBe(0)
  } finally {
    await host[Symbol.asyncDispose]()
  }
}

const isDisk = (name: string, index: number): boolean => name === `web-disk-${index}.vmdk`
const only =
  (index: number, change: (file: StoredFile) => StoredFile) =>
  (name: string, file: StoredFile): StoredFile =>
    isDisk(name, index) ? change(file) : file

test('5: an error in the middle of an upload gives up the lease, the machine goes, and the error keeps its cause', () =>
  leavesNothing({}, async (host) => {
    host.simulator.leases.script('disk-0.vmdk', { does: 'status', status: 500, afterBytes: 200_000 })
    const error = await rejection(host.restore(restorePoint(), host.run()))
    expect(error).toMatchObject({ code: 'PROVIDER_FAILED', retryable: true, details: { status: 500 } })
    expect(error.message).toContain('web-disk-0.vmdk with HTTP 500: An internal error has occurred.')
    expect(host.count('HttpNfcLeaseAbort')).toBe(1)
    expect(host.count('HttpNfcLeaseComplete')).toBe(0)
  }))

test('6: a connection that breaks fails the attempt as retryable, and the next attempt begins anew', async () => {
  const host = await restoreHost()
  host.simulator.leases.script('disk-0.vmdk', { does: 'reset', afterBytes: 200_000 })
  expect(await rejection(host.restore(restorePoint(), host.run()))).toMatchObject({ code: 'UNREACHABLE', retryable: true })
  expect(host.names()).toEqual([])
  await host.restore(restorePoint(), host.run({ attempt: 2 }))
  expect(host.names()).toEqual(['web'])
  expect(host.count('ImportVApp')).toBe(2)
  await host[Symbol.asyncDispose]()
})

test('a disk that is found damaged at its end is not delivered', () =>
  leavesNothing({}, async (host) => {
    const source = restorePoint({ file: only(1, damagedAtEnd) })
    expect(await rejection(host.restore(source, host.run()))).toMatchObject({ code: 'CHECKSUM_MISMATCH' })
    expect(host.count('HttpNfcLeaseComplete')).toBe(0)
    expect(host.count('HttpNfcLeaseAbort')).toBe(1)
  }))

test('an NVRAM that is damaged is found before anything is made', () =>
  leavesNothing({}, async (host) => {
    const source = restorePoint({ file: (name, file) => (name === 'web.nvram' ? damagedAtEnd(file) : file) })
    expect(await rejection(host.restore(source, host.run()))).toMatchObject({ code: 'CHECKSUM_MISMATCH' })
    expect(host.count('ImportVApp')).toBe(0)
  }))

test('10: NVRAM is put, and a host that takes none is a warning', async () => {
  const host = await restoreHost()
  const run = host.run()
  const file = `${attemptName('web', run.run.mark).replaceAll(/[^\w.-]/g, '_')}.nvram`
  host.simulator.leases.script(file, { does: 'status', status: 404 })
  await host.restore(restorePoint(), run)
  expect(host.simulator.leases.transfers).toContain(`PUT ${file}`)
  expect(run.notes).toMatchObject([{ level: 'warning', code: 'NVRAM_NOT_RESTORED' }])
  expect(host.names()).toEqual(['web'])
  await host[Symbol.asyncDispose]()
})

test('11: files that the descriptor names and the point lacks are all named before anything is made', () =>
  leavesNothing({}, async (host) => {
    const source = restorePoint({ file: (name, file) => (name === 'web.nvram' || name === 'web-file-0.iso' ? undefined : file) })
    const run = host.run()
    const error = await rejection(host.restore(source, run))
    expect(error).toMatchObject({ code: 'POINT_DAMAGED', details: { missing: ['web.nvram', 'web-file-0.iso'] } })
    expect(host.count('ImportVApp')).toBe(0)
    expect(run.intended).toEqual([])
  }))

test('12: an image is put with Overwrite, and is in the drive of the new machine', async () => {
  const host = await restoreHost()
  await host.restore(restorePoint(), host.run())
  expect(host.simulator.leases.transfers).toContain('PUT file-0.iso')
  expect(Buffer.from(host.simulator.machine('web')?.hardware.cdroms[0]?.content ?? []).equals(image)).toBe(true)
  await host[Symbol.asyncDispose]()
})

test.each([
  ['a flat disk', new Uint8Array(65_536).fill(1)],
  ['a text', new TextEncoder().encode('# Disk DescriptorFile\nversion=1\n'.padEnd(1024))],
])('13: %s is refused before anything is made', (_what, bytes) =>
  leavesNothing({}, async (host) => {
    const change = (text: string) => text.replace(/(web-disk-0.vmdk" ovf:id="file0" ovf:size=)"\d+"/, `$1"${bytes.length}"`)
    const source = restorePoint({ change, file: only(0, ({ name }) => storedFile(name, 'vmdk', bytes)) })
    const error = await rejection(host.restore(source, host.run()))
    expect(error).toMatchObject({ code: 'UNSUPPORTED' })
    expect(error.message).toContain('KDMV')
    expect(host.count('ImportVApp')).toBe(0)
  }),
)

test('14: a network that cannot be mapped is told with the networks of the host', () =>
  leavesNothing({ networks: [{ name: 'LAN' }, { name: 'DMZ', type: 'DistributedVirtualPortgroup' }] }, async (host) => {
    const error = await rejection(host.restore(restorePoint({ networks: ['Office', 'LAN'] }), host.run()))
    expect(error).toMatchObject({ code: 'INVALID_OPTIONS', details: { networks: ['Office'], available: ['LAN', 'DMZ'] } })
    expect(error.message).toContain('"Office"')
  }))

test('14: a port group of a distributed switch is mapped by its name', async () => {
  const host = await restoreHost({ networks: [{ name: 'LAN' }, { name: 'DMZ', type: 'DistributedVirtualPortgroup' }] })
  await host.restore(restorePoint({ networks: ['Office'] }), host.run(), { options: { networks: { Office: 'DMZ' } } })
  expect(host.simulator.machine('web')?.hardware.cards.map(({ network }) => network)).toEqual(['DMZ'])
  await host[Symbol.asyncDispose]()
})

const settings = [
  { key: 'first', required: true },
  { key: 'second', required: true },
  { key: 'third', required: false },
  { key: 'fourth', required: false },
]

test('15: all errors and warnings of the host are told', () =>
  leavesNothing({}, async (host) => {
    const error = await rejection(host.restore(restorePoint({ unknownSettings: settings }), host.run()))
    expect(error).toMatchObject({ code: 'UNSUPPORTED' })
    for (const { key } of settings) expect(error.message).toContain(`'${key}'`)
  }))

test('15: warnings are notes of the run, or an error if that is asked for', () =>
  leavesNothing({}, async (host) => {
    const source = restorePoint({ unknownSettings: settings.slice(2) })
    expect(await rejection(host.restore(source, host.run(), { options: { failOnWarning: true } }))).toMatchObject({ code: 'UNSUPPORTED' })
    const run = host.run()
    host.simulator.leases.settings.initializeFault = { fault: 'OvfImport', message: 'It failed after all.' }
    const error = await rejection(host.restore(source, run))
    expect(error.message).toContain('It failed after all.')
    expect(run.notes.filter(({ code }) => code === 'HOST_WARNS')).toHaveLength(2)
  }))

test('16: a cluster that wants a host named says so through the lease, and the remedy names the option', () =>
  leavesNothing({ kind: 'vcenter', choosesHosts: false }, async (host) => {
    expect(await rejection(host.restore(restorePoint(), host.run()))).toMatchObject({
      code: 'UNSUPPORTED',
      message: expect.stringContaining('The operation is not supported on the object. (NotSupported)'),
      remedy: expect.stringContaining('options.host'),
    })
  }))

test('16: a cluster that wants a host named takes the machine when one is named, and says nothing of it for another refusal', async () => {
  const host = await restoreHost({ kind: 'vcenter', choosesHosts: false })
  const options = { host: 'esx2.example' }
  await host.restore(restorePoint(), host.run(), { options })
  expect(host.names()).toEqual(['web'])
  host.simulator.leases.settings.initializeFault = { fault: 'NotSupported', message: 'The operation is not supported on the object.' }
  const error = await rejection(host.restore(restorePoint(), host.run({ attempt: 2 }), { name: 'other', options }))
  expect(error).toMatchObject({ code: 'UNSUPPORTED', remedy: expect.not.stringContaining('options.host') })
  await host[Symbol.asyncDispose]()
})

test('16: a pool that is not there is refused with those that are, before anything is made', () =>
  leavesNothing({ kind: 'vcenter' }, async (host) => {
    const error = await rejection(host.restore(restorePoint(), host.run(), { options: { resourcePool: 'Clustr' } }))
    expect(error).toMatchObject({ code: 'INVALID_OPTIONS', remedy: 'Did you mean "Cluster"? Give options.resourcePool: one of "Cluster".' })
    expect(host.count('ImportVApp')).toBe(0)
  }))

test('23: a datastore that gets full is told, not the connection that broke for it', () =>
  leavesNothing({}, async (host) => {
    const fault = {
      fault: 'NoDiskSpace',
      message: 'Insufficient disk space on datastore datastore1.',
      fields: '<file></file><datastore>datastore1</datastore>',
    }
    host.simulator.leases.script('disk-0.vmdk', { does: 'fail', fault, afterBytes: 200_000 })
    expect(await rejection(host.restore(restorePoint(), host.run()))).toMatchObject({ code: 'DISK_FULL' })
  }))

test('a datastore without room is refused before anything is made', () =>
  leavesNothing({ datastores: [{ name: 'small', capacity: 2 ** 20, free: 1000 }] }, async (host) => {
    expect(await rejection(host.restore(restorePoint(), host.run()))).toMatchObject({ code: 'DISK_FULL', details: { datastore: 'small' } })
    expect(host.count('ImportVApp')).toBe(0)
  }))

test('sums of the host that differ from what was sent are an error, and nothing is delivered', async () => {
  for (const sha256 of [true, false])
    await leavesNothing({}, async (host) => {
      host.simulator.leases.settings.sha256 = sha256
      host.simulator.leases.script('disk-1.vmdk', { does: 'wrong-sum' })
      expect(await rejection(host.restore(restorePoint(), host.run()))).toMatchObject({ code: 'CHECKSUM_MISMATCH', retryable: true })
    })
})

test('a name that is taken while the machine is made delivers nothing', async () => {
  const host = await restoreHost({ machines: [{ name: 'other', uuid: '11111111-0000-4000-8000-000000000000' }] })
  const other = host.simulator.machine('other')
  host.simulator.leases.script('disk-1.vmdk', {
    does: 'call',
    call() {
      if (other !== undefined) other.name = 'web'
    },
  })
  const run = host.run()
  expect(await rejection(host.restore(restorePoint(), run))).toMatchObject({ code: 'NAME_TAKEN' })
  expect(await run.undoOpen()).toEqual(['undone'])
  expect(host.names()).toEqual(['web'])
  await host[Symbol.asyncDispose]()
})

test('a host that says "good" before it has got all of a disk is not believed', () =>
  leavesNothing({}, async (host) => {
    host.simulator.leases.settings.withoutManifest = true
    host.simulator.leases.script('disk-0.vmdk', { does: 'end', afterBytes: 65_536 })
    const big = restorePoint({ disks: [seededRandom(3).bytes(16 * 1024 * 1024)], chain: true })
    // It may have broken the connection before its answer was read.
    const error = await rejection(host.restore(big, host.run()))
    expect(error).toMatchObject({ code: expect.stringMatching(/^(PROVIDER_FAILED|UNREACHABLE)$/), retryable: true })
  }))

test.each([
  ['in the place of another machine', { target: 'some-id' }],
  ['as a replica that is started', { purpose: 'replica' as const, start: true }],
])('a restore %s is refused', (_how, request) =>
  leavesNothing({}, async (host) => {
    expect(await rejection(host.restore(restorePoint(), host.run(), request))).toMatchObject({ code: 'UNSUPPORTED' })
  }),
)

test('a name that no machine can have is refused before anything is made', () =>
  leavesNothing({}, async (host) => {
    expect(await rejection(host.restore(restorePoint(), host.run(), { name: 'x'.repeat(81) }))).toMatchObject({ code: 'INVALID_OPTIONS' })
    expect(host.count('ImportVApp')).toBe(0)
  }))

test('a restore that is aborted gives up its lease, and rejects with the reason', () =>
  leavesNothing({}, async (host) => {
    const run = host.run()
    host.simulator.leases.script('disk-0.vmdk', { does: 'call', afterBytes: 65_536, call: () => run.abort(new Error('enough')) })
    expect((await rejection(host.restore(restorePoint(), run))).message).toContain('enough')
  }))

test('a host that takes nothing any more is found to have stalled', () =>
  leavesNothing({}, async (host) => {
    host.simulator.leases.script('disk-0.vmdk', { does: 'stall', afterBytes: 65_536 })
    const patient = { ...host.connection, settings: { ...host.connection.settings, stallMs: 300 } }
    const request = { purpose: 'recover', name: 'web', start: false, options: {} } as const
    expect(await rejection(restoreMachine(patient, request, restorePoint(), host.run().run))).toMatchObject({
      code: 'STALLED',
      retryable: true,
    })
  }))

test('12: the simulated host takes no file that is no disk without Overwrite, as real hosts do', async () => {
  const host = await restoreHost()
  let status = 0
  host.simulator.leases.script('file-0.iso', {
    does: 'call',
    async call() {
      const [lease] = host.simulator.leases.open
      const path = [...(lease?.paths.values() ?? [])].find((one) => one.endsWith('.iso')) ?? ''
      const agent = createPinnedAgent(host.simulator.thumbprint(), { connectMs: 5000, answerMs: 5000, bodyMs: 5000 })
      const { host: name, port } = host.simulator
      status = (await request(`https://${name}:${port}${path}`, { dispatcher: agent, method: 'PUT', body: image })).statusCode
      await agent.destroy()
    },
  })
  await host.restore(restorePoint(), host.run())
  expect(status).toBe(409)
  await host[Symbol.asyncDispose]()
})
