import { memoryBlocks, seededRandom, tarOf, vmdkOf } from '@holdfast/testkit'
import { describe, expect, it } from 'vitest'
import { bytesItem, bytesOfStream, chunked, findingsOf, never, sourceOf, tarItem, transferFixture } from '../../test/transfer-fixture.ts'
import type { Manifest } from '../model/manifest.ts'
import { HoldfastError } from '../spec/errors.ts'

const seed = 20261121
const random = seededRandom(seed)
const signal = never()
const tar = tarOf(
  new Map([
    ['a', random.bytes(30_000)],
    ['b/c', Buffer.alloc(5_000, 'x')],
  ]),
)
const disk = (size: number) => ({ key: 'k', name: 'root', size })
const before = Buffer.alloc(300_544)
before.set(random.bytes(100_000), 60_000)
const after = Buffer.from(before)
after.set(random.bytes(70_000), 230_000)
after.fill(0, 65_536, 131_072)
const unmapped = (bytes: Buffer) => ({ disk: disk(bytes.length), covers: 'unmapped' as const, open: async () => memoryBlocks(bytes) })

/** Three forms of streams, a VMDK, plain bytes, and a disk as full and increment: every kind of stored file. */
async function everything() {
  const fixture = transferFixture()
  const items =
    (compression: string) =>
    async ({ sink }: ReturnType<typeof fixture.sink>) => {
      await sink.stream(tarItem(`${compression}.tar`, tar))
      if (compression !== 'none') return
      await sink.stream({
        name: 'web.vmdk',
        format: 'vmdk',
        disk: { ...disk(before.length), key: 'v' },
        open: async () => chunked(vmdkOf(before)),
      })
      await sink.stream({ ...bytesItem('web.ovf', Buffer.from('<Envelope/>'.repeat(20))), digests: ['sha1'] })
    }
  const zstd = await fixture.backup('zstd', items('zstd'), { compression: 'zstd' })
  const gzip = await fixture.backup('gzip', items('gzip'), { compression: 'gzip' })
  const none = await fixture.backup('none', items('none'), { compression: 'none' })
  const full = await fixture.backup('full', ({ sink }) => sink.blocks(unmapped(before)))
  const base = [{ key: 'k', size: before.length, point: 'full', file: 'shop/full/1/disk-0.qcow2', sums: ['shop/full/1/disk-0.sums'] }]
  const increment = await fixture.backup('increment', ({ sink }) => sink.blocks(unmapped(after)), { base })
  return { fixture, points: [zstd, gzip, none, full, increment] }
}

type Everything = Awaited<ReturnType<typeof everything>>

/** The same repository with other bytes, or none, under some paths. */
function damaged({ fixture }: Everything, changes: ReadonlyMap<string, Uint8Array | undefined>) {
  const open: typeof fixture.repository.open = async (path, options) => {
    if (!changes.has(path)) return fixture.repository.open(path, options)
    const bytes = changes.get(path)
    if (bytes === undefined) throw new HoldfastError('NOT_FOUND', `there is no '${path}'`)
    return { ...memoryBlocks(bytes), stream: ({ start, end }) => chunked(bytes.subarray(start, end)) }
  }
  return { ...fixture, repository: { ...fixture.repository, open } }
}

const pointOf = (all: Everything, path: string) => all.points.find(({ folder }) => path.startsWith(`${folder}/`)) as Manifest

/** Reads all that a restore of this point would read. */
async function restoreAll(point: Manifest, all: Everything, options: Parameters<typeof sourceOf>[1]): Promise<void> {
  const source = sourceOf(point, { ...options, ancestors: all.points })
  for (const file of source.files) {
    await bytesOfStream(await file.open({ signal }))
    for await (const _ of file.entries?.({ signal }) ?? []);
  }
  for (const one of source.disks.filter(({ file }) => file === undefined)) {
    const blocks = await one.open({ signal })
    try {
      const cluster = Buffer.alloc(65_536)
      for await (const { offset, length, kind } of blocks.extents({ signal }))
        for (let at = offset; kind === 'data' && at < offset + length; at += cluster.length)
          await blocks.readInto(cluster.subarray(0, Math.min(cluster.length, offset + length - at)), at, { signal })
    } finally {
      await blocks[Symbol.asyncDispose]()
    }
  }
}

const verify = (all: Everything, point: Manifest, changes: ReadonlyMap<string, Uint8Array | undefined>) =>
  findingsOf(point, { ...damaged(all, changes), ancestors: all.points })

describe('verify', () => {
  it('finds nothing in what was stored well', async () => {
    const all = await everything()
    for (const point of all.points) {
      expect(await findingsOf(point, { ...all.fixture, ancestors: all.points }), point.point).toEqual([])
      await restoreAll(point, all, all.fixture)
    }
    expect(all.fixture.clock.sleepers).toBe(0)
  })

  it(`faults F5: names point and file for each of 500 flipped bits of each stored file, and no restore ends well (seed ${seed})`, async () => {
    const all = await everything()
    const files = [...all.fixture.repository.snapshot()]
    expect(files.map(([path]) => path.replace('shop/', '')).sort()).toEqual([
      'full/1/disk-0.qcow2',
      'full/1/disk-0.sums',
      'gzip/1/gzip.tar.gz',
      'gzip/1/gzip.tar.index.gz',
      'increment/1/disk-0.qcow2',
      'increment/1/disk-0.sums',
      'none/1/SHA256SUMS',
      'none/1/none.tar',
      'none/1/none.tar.index',
      'none/1/web.ovf',
      'none/1/web.vmdk',
      'zstd/1/zstd.tar.index.zst',
      'zstd/1/zstd.tar.zst',
    ])
    for (const [path, bytes] of files) {
      const point = pointOf(all, path)
      for (let count = 0; count < 500; count++) {
        // Half of them at the beginning, where headers and tables are.
        const bit = random.below((count % 2 === 0 ? Math.min(bytes.length, 600) : bytes.length) * 8)
        const flipped = Buffer.from(bytes)
        flipped[bit >> 3] = (flipped[bit >> 3] as number) ^ (1 << (bit & 7))
        const changes = new Map([[path, flipped]])
        const findings = await verify(all, point, changes)
        expect(
          findings.map((finding) => [finding.point, finding.file]),
          `${path} bit ${bit}`,
        ).toEqual([[point.point, path]])
        if (count % 5 > 0 || path.endsWith('SHA256SUMS')) continue
        const restored = restoreAll(point, all, damaged(all, changes))
        // What a disk file holds behind the end of the disk is never read by a guest.
        if (isPadding(bit, bytes.length, path)) continue
        await expect(restored, `${path} bit ${bit}`).rejects.toMatchObject({
          code: expect.stringMatching(/^(CHECKSUM_MISMATCH|POINT_DAMAGED)$/),
          message: expect.stringContaining('shop/'),
        })
      }
    }
  }, 120_000)

  it('names a file that is cut, grown, empty, missing or swapped with another', async () => {
    const all = await everything()
    const files = [...all.fixture.repository.snapshot()]
    for (const [path, bytes] of files) {
      const point = pointOf(all, path)
      const other = files.find(([another, { length }]) => another !== path && length !== bytes.length) as [string, Uint8Array]
      const sameLength = Buffer.from(other[1]).subarray(0, bytes.length)
      const variants = [
        bytes.subarray(0, 0),
        bytes.subarray(0, 1),
        bytes.subarray(0, bytes.length >> 1),
        bytes.subarray(0, bytes.length - 1),
        Buffer.concat([bytes, Buffer.alloc(1)]),
        undefined,
        other[1],
        Buffer.concat([sameLength, Buffer.alloc(bytes.length - sameLength.length)]),
      ]
      for (const [index, variant] of variants.entries()) {
        const findings = await verify(all, point, new Map([[path, variant]]))
        // Tables and data of an image are damaged each for itself.
        const named = new Set(findings.map((finding) => `${finding.point} ${finding.file}`))
        expect([...named], `${path} variant ${index}`).toEqual([`${point.point} ${path}`])
        if (!path.endsWith('SHA256SUMS'))
          await expect(restoreAll(point, all, damaged(all, new Map([[path, variant]])))).rejects.toMatchObject({
            message: expect.stringContaining(path),
          })
      }
    }
  })

  it('names each of several damaged files', async () => {
    const all = await everything()
    const paths = [...all.fixture.repository.snapshot().keys()].filter((path) => path.startsWith('shop/none/'))
    const findings = await verify(all, pointOf(all, paths[0] as string), new Map(paths.map((path) => [path, undefined])))
    expect(findings.map(({ file }) => file).sort()).toEqual(paths.sort())
  })

  it('names the point below when its sums are damaged, and two swapped clusters', async () => {
    const all = await everything()
    const increment = pointOf(all, 'shop/increment/')
    const findings = await verify(all, increment, new Map([['shop/full/1/disk-0.sums', undefined]]))
    expect(findings).toMatchObject([{ point: 'full', file: 'shop/full/1/disk-0.sums' }])
    const path = 'shop/full/1/disk-0.qcow2'
    const image = Buffer.from(all.fixture.repository.snapshot().get(path) ?? '')
    const [one, two] = [image.length - 131_072, image.length - 65_536]
    const swapped = Buffer.concat([image.subarray(0, one), image.subarray(two), image.subarray(one, two)])
    await expect(restoreAll(increment, all, damaged(all, new Map([[path, swapped]])))).rejects.toMatchObject({
      code: 'CHECKSUM_MISMATCH',
      message: expect.stringContaining(path),
    })
    expect(await verify(all, pointOf(all, path), new Map([[path, swapped]]))).toMatchObject([{ point: 'full', file: path }])
  })

  it('finds an index that does not belong to its archive, though its own hash is right', async () => {
    const all = await everything()
    const none = pointOf(all, 'shop/none/')
    const forged = Buffer.from('{"entries":0}\n')
    const { createHash } = await import('node:crypto')
    const sha256 = createHash('sha256').update(forged).digest('hex')
    const items = none.items.map((item) =>
      item.type === 'stream' && item.index !== undefined ? { ...item, index: { ...item.index, size: forged.length, sha256 } } : item,
    )
    const findings = await verify(all, { ...none, items }, new Map([['shop/none/1/none.tar.index', forged]]))
    expect(findings).toMatchObject([{ file: 'shop/none/1/none.tar.index', message: expect.stringContaining('does not list') }])
  })

  it('throws what says nothing about the bytes', async () => {
    const all = await everything()
    const [point] = all.points
    const gone = { ...all.fixture.repository, open: async () => Promise.reject(new HoldfastError('REPOSITORY_MISSING', 'not mounted')) }
    await expect(findingsOf(point as Manifest, { ...all.fixture, repository: gone })).rejects.toMatchObject({ code: 'REPOSITORY_MISSING' })
    const controller = new AbortController()
    controller.abort()
    await expect(findingsOf(point as Manifest, { ...all.fixture, signal: controller.signal })).rejects.toMatchObject({ code: 'ABORTED' })
    const hanging = { ...all.fixture.repository, open: () => new Promise<never>(() => {}) }
    await expect(all.fixture.clock.runUntil(findingsOf(point as Manifest, { ...all.fixture, repository: hanging }))).rejects.toMatchObject({
      code: 'STALLED',
    })
    expect(all.fixture.clock.sleepers).toBe(0)
  })
})

/** The disk ends inside its last cluster; the increment holds that cluster, the full does not. */
function isPadding(bit: number, length: number, path: string): boolean {
  const used = before.length % 65_536
  return path === 'shop/increment/1/disk-0.qcow2' && bit >> 3 >= length - 65_536 + used
}
