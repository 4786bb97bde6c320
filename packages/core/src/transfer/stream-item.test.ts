import { createHash } from 'node:crypto'
import { gunzipSync, zstdDecompressSync } from 'node:zlib'
import { HoldfastError, type StreamItem } from '@holdfast/core/spec'
import { seededRandom, tarOf, vmdkOf } from '@holdfast/testkit'
import { describe, expect, it } from 'vitest'
import { bytesItem, chunked, never, tarItem, transferFixture } from '../../test/transfer-fixture.ts'

const random = seededRandom(7)
const sha = (bytes: Uint8Array, algorithm = 'sha256') => createHash(algorithm).update(bytes).digest('hex')
const tar = tarOf(
  new Map([
    ['a/one', random.bytes(200_000)],
    ['two', random.bytes(3)],
  ]),
)
const diskBytes = new Uint8Array(1_000_448)
diskBytes.set(random.bytes(100_000), 200_000)
const vmdk = vmdkOf(diskBytes)
const disk = { key: 'disk-key', name: 'root', size: diskBytes.length }
const file = (fixture: ReturnType<typeof transferFixture>, path: string) => Buffer.from(fixture.repository.snapshot().get(path) ?? '')

describe('streams', () => {
  it('come with a receipt of the bytes as they came, and are stored in the form asked for', async () => {
    const unpack = { zstd: zstdDecompressSync, gzip: gunzipSync, none: (bytes: Buffer) => bytes }
    const suffix = { zstd: '.zst', gzip: '.gz', none: '' }
    for (const compression of ['zstd', 'gzip', 'none'] as const) {
      const fixture = transferFixture()
      const open = fixture.sink({ compression })
      const receipt = await open.sink.stream({ ...tarItem('shop-db.tar', tar, 1000), digests: ['sha1'] })
      expect(receipt).toEqual({ size: tar.length, sha256: sha(tar), sha1: sha(tar, 'sha1'), kept: compression === 'none' })
      const { items, bytes } = await open.finish({ signal: never() })
      const stored = file(fixture, `shop/p1/1/shop-db.tar${suffix[compression]}`)
      expect(unpack[compression](stored).equals(tar)).toBe(true)
      const index = file(fixture, `shop/p1/1/shop-db.tar.index${suffix[compression]}`)
      expect(items).toEqual([
        {
          type: 'stream',
          name: 'shop-db.tar',
          format: 'tar',
          form: compression === 'none' ? 'kept' : compression,
          size: tar.length,
          sha256: sha(tar),
          sha1: sha(tar, 'sha1'),
          file: { path: `1/shop-db.tar${suffix[compression]}`, size: stored.length, sha256: sha(stored) },
          index: { path: `1/shop-db.tar.index${suffix[compression]}`, size: index.length, sha256: sha(index) },
        },
      ])
      const sums = file(fixture, 'shop/p1/1/SHA256SUMS')
      expect(sums.toString()).toBe(compression === 'none' ? `${sha(tar)}  shop-db.tar\n` : '')
      expect(bytes).toEqual({
        provisioned: tar.length,
        used: tar.length,
        transferred: tar.length,
        stored: stored.length + index.length + sums.length,
      })
      expect(unpack[compression](index).toString()).toBe(
        '{"name":"a/one","type":"file","size":200000,"offset":512}\n{"name":"two","type":"file","size":3,"offset":201216}\n{"entries":2}\n',
      )
    }
  })

  it('that are vmdk or bytes are kept under exactly their names, and SHA256SUMS lists them', async () => {
    const fixture = transferFixture()
    const open = fixture.sink()
    const ovf = Buffer.from('<Envelope/>')
    await open.sink.stream({ name: 'web-disk-0.vmdk', format: 'vmdk', disk, open: async () => chunked(vmdk, 700_000) })
    await open.sink.stream(bytesItem('web.ovf', ovf))
    await open.sink.stream(bytesItem('empty', new Uint8Array()))
    const { items } = await open.finish({ signal: never() })
    expect(file(fixture, 'shop/p1/1/web-disk-0.vmdk').equals(vmdk)).toBe(true)
    expect(file(fixture, 'shop/p1/1/web.ovf').equals(ovf)).toBe(true)
    expect(items.map(({ file: { path, size, sha256 } }) => ({ path, size, sha256 }))).toEqual([
      { path: '1/web-disk-0.vmdk', size: vmdk.length, sha256: sha(vmdk) },
      { path: '1/web.ovf', size: ovf.length, sha256: sha(ovf) },
      { path: '1/empty', size: 0, sha256: sha(Buffer.alloc(0)) },
    ])
    expect(file(fixture, 'shop/p1/1/SHA256SUMS').toString()).toBe(
      `${sha(Buffer.alloc(0))}  empty\n${sha(vmdk)}  web-disk-0.vmdk\n${sha(ovf)}  web.ovf\n`,
    )
  })

  it('that do not end as their format ends fail, and nothing of them is visible', async () => {
    const cases: readonly [string, StreamItem][] = [
      ['TRUNCATED', tarItem('v.tar', tar.subarray(0, tar.length - 1024))],
      ['TRUNCATED', tarItem('v.tar', new Uint8Array())],
      ['PROVIDER_FAILED', tarItem('v.tar', Buffer.from('no tar at all'.repeat(100)))],
      ['TRUNCATED', { name: 'v.vmdk', format: 'vmdk', disk, open: async () => chunked(vmdk.subarray(0, vmdk.length - 512)) }],
      ['PROVIDER_FAILED', { name: 'v.vmdk', format: 'vmdk', disk, open: async () => chunked(tar) }],
    ]
    for (const [code, item] of cases)
      for (const compression of ['zstd', 'gzip', 'none'] as const) {
        const fixture = transferFixture()
        const open = fixture.sink({ compression })
        await expect(open.sink.stream(item)).rejects.toMatchObject({ code })
        await expect(open.finish({ signal: never() })).rejects.toMatchObject({ code })
        expect([...fixture.repository.snapshot().keys()].filter((path) => !path.includes('.index'))).toEqual([])
        expect(fixture.clock.sleepers).toBe(0)
      }
  })

  it('that break fail with their own error, whatever the form', async () => {
    const error = new HoldfastError('PROVIDER_FAILED', 'the engine closed the connection')
    for (const compression of ['zstd', 'gzip', 'none'] as const) {
      const open = transferFixture().sink({ compression })
      const broken = async function* () {
        yield tar.subarray(0, 100_000)
        throw error
      }
      await expect(open.sink.stream({ name: 'v.tar', format: 'tar', open: async () => broken() })).rejects.toBe(error)
    }
  })

  it('with names that cannot be stored are refused before they are opened', async () => {
    const open = transferFixture().sink()
    let opened = 0
    const named = (name: string): StreamItem => ({
      name,
      format: 'tar',
      async open() {
        opened++
        return chunked(tar)
      },
    })
    for (const [name, code] of [
      ['../x', 'PATH_OUTSIDE'],
      ['SHA256SUMS', 'EXISTS'],
      ['', 'INVALID_OPTIONS'],
    ] as const)
      await expect(transferFixture().sink({ compression: 'none' }).sink.stream(named(name))).rejects.toMatchObject({ code })
    expect(opened).toBe(0)
    await open.sink.stream(named('v.tar'))
    await expect(open.sink.stream(named('v.tar'))).rejects.toMatchObject({ code: 'EXISTS' })
    await expect(open.sink.stream({ name: 'x', format: 'zip', open: async () => chunked(tar) } as never)).rejects.toMatchObject({
      code: 'INVALID_OPTIONS',
    })
    expect(opened).toBe(1)
  })
})
