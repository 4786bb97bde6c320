import { vmdkOf } from '@holdfast/testkit'
import { expect, it } from 'vitest'
import { chunked, transferFixture } from '../../test/transfer-fixture.ts'
import { diskEntriesOf } from './disk-entries.ts'
import { decodeManifest, encodeManifest, type Manifest } from './manifest.ts'
import { filesOfManifest } from './manifest-files.ts'

const file = { path: '1/web.vmdk', size: 100, sha256: 'a'.repeat(64) }
const sums = { path: '1/web.vmdk.sums', size: 32 + 3 * 24, sha256: 'b'.repeat(64) }
const digest = 'c'.repeat(64)
const disk = { key: 'd', name: 'root', size: 1_000_000 }
const stream = { type: 'stream', name: 'web.vmdk', format: 'vmdk', form: 'kept', size: 100, sha256: 'a'.repeat(64), file, disk } as const

/** A manifest of a real backup, with these items. */
async function manifestOf(items: Manifest['items']): Promise<Manifest> {
  const bytes = new Uint8Array(65_536)
  const item = { name: 'x.vmdk', format: 'vmdk' as const, disk: { ...disk, size: bytes.length }, open: async () => chunked(vmdkOf(bytes)) }
  const made = await transferFixture().backup('20261120T000000Z-0123456789abcdef', ({ sink }) => sink.stream(item))
  return { ...made, folder: `shop-0123456789abcdef/${made.point}`, items }
}

it('a VMDK that was kept with its sums is a full disk, one without is none', () => {
  expect(diskEntriesOf({ items: [stream] })).toEqual([])
  expect(diskEntriesOf({ items: [{ ...stream, sums, digest }] })).toEqual([
    expect.objectContaining({ type: 'disk', format: 'vmdk', form: 'full', disk, file, sums, digest, dataBytes: 3 * 65_536 }),
  ])
})

it('its sums belong to the files of the manifest, which reads as it was written', async () => {
  const manifest = await manifestOf([{ ...stream, sums, digest }])
  expect(filesOfManifest(manifest)).toEqual(['1/web.vmdk', '1/web.vmdk.sums', '1/SHA256SUMS'])
  const read = decodeManifest(encodeManifest(manifest), { folder: manifest.folder, number: manifest.number })
  expect(read.items).toEqual(manifest.items)
})

it('sums without a digest, a digest without sums, and sums of what cannot have them are contradictions', async () => {
  const { disk: _, ...nameless } = stream
  for (const item of [
    { ...stream, sums },
    { ...stream, digest },
    { ...nameless, sums, digest },
    { ...stream, form: 'zstd' as const, sums, digest },
  ]) {
    const manifest = await manifestOf([item])
    expect(() => encodeManifest(manifest)).toThrow(expect.objectContaining({ code: 'INTERNAL', message: expect.stringContaining('sums') }))
  }
})
