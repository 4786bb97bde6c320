import { bytesOf, systemClock } from '@holdfast/core/spec'
import type { EsxiSimulator } from '@holdfast/testkit'
import { expect, test } from 'vitest'
import { rejection, restoreHost } from '../../test/support/restore-host.ts'
import { nvram, restorePoint } from '../../test/support/restore-point.ts'
import type { DeviceUrl } from '../lease/device-url.ts'
import { type Lease, openLease } from '../lease/lease.ts'
import { choosePlaces } from './choose-places.ts'
import { createImportSpec } from './create-import-spec.ts'
import { mapNetworks } from './map-networks.ts'
import { parseRestoreOptions } from './restore-options.ts'
import { openPackage } from './restore-package.ts'
import { type Upload, uploadFile } from './upload-file.ts'

const call = { signal: new AbortController().signal }

/** A host with an import that is ready to be sent to. */
async function withImport(
  work: (
    lease: Lease,
    upload: (url: DeviceUrl, own: Partial<Upload>) => Promise<unknown>,
    leases: EsxiSimulator['leases'],
  ) => Promise<void>,
): Promise<void> {
  const host = await restoreHost()
  const { connection } = host
  const content = await openPackage(restorePoint(), call)
  const options = parseRestoreOptions({})
  const places = await choosePlaces(connection, options, call)
  const networks = mapNetworks(['VM Network'], places.networks, { given: {}, isolated: false, at: 'esx1' })
  const question = { descriptor: content.descriptor, name: 'new', places, networks, options }
  const { spec } = await createImportSpec(connection, question, host.run().run)
  const ref = await connection.session.call('ImportVApp', places.pool, { spec, folder: places.folder }, call)
  const lease = await openLease(connection, ref, { name: 'new', ...call })
  const send = (url: DeviceUrl, own: Partial<Upload>) =>
    uploadFile(
      {
        url,
        size: nvram.length,
        what: 'a file',
        disk: url.disk,
        clock: systemClock,
        stallMs: 60_000,
        open: async () => bytesOf(nvram),
        onSent: () => undefined,
        explain: async (error) => error,
        ...own,
      },
      call,
    )
  try {
    await work(lease, send, host.simulator.leases)
  } finally {
    await lease[Symbol.asyncDispose]()
    await content[Symbol.asyncDispose]()
    await host[Symbol.asyncDispose]()
  }
}

const find = (lease: Lease, what: RegExp): DeviceUrl => {
  const url = lease.urls.find(({ importKey = '' }) => what.test(importKey))
  if (url === undefined) throw new Error(`no URL for ${what}`)
  return url
}

test('10: the simulated host refuses a POST of NVRAM and a PUT of a disk, as real hosts do', () =>
  withImport(async (lease, upload) => {
    const error = await rejection(upload(find(lease, /nvram/), { disk: true }))
    expect(error).toMatchObject({ details: { status: 405 } })
    expect(error.message).toContain('Cannot POST to non-disk files')
    expect(await rejection(upload(find(lease, /SCSI/), { disk: false }))).toMatchObject({ details: { status: 405 } })
  }))

test('13: the simulated host refuses a disk that does not begin as a VMDK, and says why', () =>
  withImport(async (lease, upload) => {
    const error = await rejection(upload(find(lease, /SCSI/), {}))
    expect(error).toMatchObject({ details: { status: 500 }, retryable: true })
    expect(error.message).toContain('invalid sparse VMDK header')
  }))

test('a file of another length than it says is never sent as whole', () =>
  withImport(async (lease, upload) => {
    const url = find(lease, /nvram/)
    expect(await rejection(upload(url, { size: nvram.length + 1 }))).toMatchObject({ code: 'POINT_DAMAGED' })
    expect(await rejection(upload(url, { size: nvram.length - 1 }))).toMatchObject({ code: 'POINT_DAMAGED' })
  }))

test('what is sent is hashed if that is wanted', () =>
  withImport(async (lease, upload) => {
    expect(await upload(find(lease, /nvram/), { digest: 'sha256' })).toMatchObject({
      size: nvram.length,
      digest: expect.stringMatching(/^[0-9a-f]{64}$/),
    })
  }))

test('a host with another certificate than the thumbprint says gets nothing', () =>
  withImport(async (lease, upload) => {
    const url = { ...find(lease, /nvram/), thumbprint: 'AA'.repeat(32) }
    expect(await rejection(upload(url, {}))).toMatchObject({ code: 'ACCESS_DENIED' })
  }))

test('errors of an upload do not tell the path, which is a ticket', () =>
  withImport(async (lease, upload) => {
    const url = find(lease, /SCSI/)
    const error = await rejection(upload(url, {}))
    expect(`${error.message} ${JSON.stringify(error)}`).not.toContain(url.path.split('/')[2])
  }))

test.each([
  ['exactly at the end of a piece', 2 * 512 * 1024],
  ['within the last piece', 3 * 512 * 1024 + 100],
])('a host that says "good" when it had got only a part is found out when the file ends %s', (_where, size) =>
  withImport(async (lease, upload, leases) => {
    const url = find(lease, /nvram/)
    leases.script(url.path.slice(url.path.lastIndexOf('/') + 1), { does: 'end', afterBytes: 1000 })
    const bytes = new Uint8Array(size)
    async function* slowly() {
      for (let at = 0; at < size; at += 65_536) {
        yield bytes.subarray(at, at + 65_536)
        // Its answer comes meanwhile.
        await systemClock.sleep(20, call)
      }
    }
    expect(await rejection(upload(url, { size, open: async () => slowly() }))).toMatchObject({ retryable: true })
  }),
)
