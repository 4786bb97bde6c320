import { createHash } from 'node:crypto'
import type { BlocksItem } from '@holdfast/core/spec'
import { extentsOf, memoryBlocks, memoryMappedBlocks, seededRandom, tarOf } from '@holdfast/testkit'
import { describe, expect, it } from 'vitest'
import { bytesItem, transferFixture } from '../../test/transfer-fixture.ts'

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
const disk = { key: 'disk-key', name: 'root', size: diskBytes.length }
const file = (fixture: ReturnType<typeof transferFixture>, path: string) => Buffer.from(fixture.repository.snapshot().get(path) ?? '')

describe('blocks', () => {
  const base = new Uint8Array(1_000_448)
  base.set(random.bytes(300_000), 0)
  const changed = base.slice()
  changed.set(random.bytes(1000), 131_072)
  changed.fill(0, 0, 65_536)
  const whole = (bytes: Uint8Array): BlocksItem => ({ disk, covers: 'all', open: async () => memoryMappedBlocks(bytes) })
  const unmapped = (bytes: Uint8Array): BlocksItem => ({
    disk: { ...disk, size: bytes.length },
    covers: 'unmapped',
    open: async () => memoryBlocks(bytes),
  })
  const baseDisk = { key: disk.key, size: disk.size, point: 'p1', file: 'shop/p1/1/disk-0.qcow2', sums: ['shop/p1/1/disk-0.sums'] }

  it('all and unmapped give the same full image', async () => {
    const fixture = transferFixture()
    const [mapped, scanned] = [
      await fixture.backup('p1', ({ sink }) => sink.blocks(whole(base))),
      await fixture.backup('p2', ({ sink }) => sink.blocks(unmapped(base))),
    ]
    expect(file(fixture, 'shop/p1/1/disk-0.qcow2').equals(file(fixture, 'shop/p2/1/disk-0.qcow2'))).toBe(true)
    expect(scanned.items).toEqual(mapped.items)
    const [item] = mapped.items
    expect(item).toMatchObject({
      type: 'disk',
      form: 'full',
      reason: 'there is no base',
      dataBytes: 5 * 65_536,
      file: { path: '1/disk-0.qcow2' },
      sums: { path: '1/disk-0.sums' },
    })
    expect(item).not.toHaveProperty('parent')
    const image = file(fixture, 'shop/p1/1/disk-0.qcow2')
    if (item?.type !== 'disk') throw new Error('no disk')
    expect(item.file.size).toBe(image.length)
    expect(item.metadata.sha256).toBe(sha(image.subarray(0, item.metadata.size)))
    expect(item.sums.sha256).toBe(sha(file(fixture, 'shop/p1/1/disk-0.sums')))
    expect(mapped.bytes).toEqual({
      provisioned: disk.size,
      used: 5 * 65_536,
      transferred: 5 * 65_536,
      stored: image.length + item.sums.size,
    })
  })

  it('unmapped with a base, and changes, give the same increment with a relative backing name', async () => {
    const fixture = transferFixture()
    await fixture.backup('p1', ({ sink }) => sink.blocks(whole(base)))
    const full = await fixture.backup('full', ({ sink }) => sink.blocks(whole(changed)))
    const extents = [
      { offset: 0, length: 65_536, kind: 'zero' as const },
      { offset: 131_072, length: 65_536, kind: 'data' as const },
    ]
    const scanned = await fixture.backup('p2', ({ sink }) => sink.blocks(unmapped(changed)), { base: [baseDisk] })
    const given = await fixture.backup(
      'p3',
      ({ sink }) => sink.blocks({ disk, covers: 'changes', open: async () => memoryMappedBlocks(changed, { extents }) }),
      { base: [baseDisk] },
    )
    expect(file(fixture, 'shop/p3/1/disk-0.qcow2').equals(file(fixture, 'shop/p2/1/disk-0.qcow2'))).toBe(true)
    expect(given.items[0]).toMatchObject({ form: 'incremental', parent: 'p1', reason: 'changes since p1', dataBytes: 65_536 })
    expect(scanned.items[0]).toMatchObject({ form: 'incremental', parent: 'p1', reason: 'compared with the sums of p1' })
    const digests = [full, scanned, given].map(({ items }) => items[0]?.type === 'disk' && items[0].digest)
    expect(new Set(digests).size).toBe(1)
    expect(file(fixture, 'shop/p2/1/disk-0.qcow2').subarray(0, 1024).includes('../../p1/1/disk-0.qcow2')).toBe(true)
    expect(given.bytes.used).toBe(4 * 65_536)
  })

  it('tell why a disk is full', async () => {
    const fixture = transferFixture()
    await fixture.backup('p1', ({ sink }) => sink.blocks(whole(base)))
    const reasonOf = async (point: string, item: BlocksItem, context = {}) => {
      const { items } = await fixture.backup(point, ({ sink }) => sink.blocks(item), context)
      return items[0]?.type === 'disk' && [items[0].form, items[0].reason]
    }
    expect(await reasonOf('a', whole(base), { base: [baseDisk] })).toEqual(['full', 'the platform gave the whole disk'])
    expect(await reasonOf('b', { ...whole(base), reason: 'the bitmap is broken' }, { base: [baseDisk] })).toEqual([
      'full',
      'the bitmap is broken',
    ])
    expect(await reasonOf('c', unmapped(base), { fullReason: 'the last point does not verify' })).toEqual([
      'full',
      'the last point does not verify',
    ])
    expect(await reasonOf('d', unmapped(base.subarray(0, 500_224)), { base: [baseDisk] })).toEqual([
      'full',
      'the disk shrank from 1000448 to 500224 bytes',
    ])
  })

  it('that cannot be what they say are refused', async () => {
    const changes: BlocksItem = { disk, covers: 'changes', open: async () => memoryMappedBlocks(base) }
    await expect(transferFixture().sink().sink.blocks(changes)).rejects.toMatchObject({ code: 'INVALID_OPTIONS' })
    const shrunk = { ...changes, disk: { ...disk, size: 512 } }
    await expect(
      transferFixture()
        .sink({ base: [baseDisk] })
        .sink.blocks(shrunk),
    ).rejects.toMatchObject({ code: 'BASE_LOST' })
    const grown = { ...whole(base), disk: { ...disk, size: 2_000_000 } }
    await expect(transferFixture().sink().sink.blocks(grown)).rejects.toMatchObject({
      code: 'PROVIDER_FAILED',
      message: expect.stringContaining('1000448'),
    })
    const open = transferFixture().sink()
    await open.sink.blocks(whole(base))
    await expect(open.sink.blocks(whole(base))).rejects.toMatchObject({ code: 'EXISTS' })
  })

  it('keep their names apart from those of streams', async () => {
    const fixture = transferFixture()
    const { items } = await fixture.backup('p1', ({ sink }) =>
      Promise.all([
        sink.stream(bytesItem('disk-0.sums', tar)),
        sink.blocks(whole(base)),
        sink.blocks({ ...whole(base), disk: { ...disk, key: 'b' } }),
      ]),
    )
    expect(items.map((item) => item.file.path)).toEqual(['1/disk-0.sums', '1/disk-1.qcow2', '1/disk-2.qcow2'])
  })

  it('are disposed once on every path, and reads that fail are the failure', async () => {
    const error = new Error('connection reset')
    for (const failAt of [0, 3, Number.POSITIVE_INFINITY]) {
      let disposed = 0
      let reads = 0
      const source = memoryMappedBlocks(base, {
        beforeRead() {
          if (reads++ >= failAt) throw error
        },
        extents: extentsOf(base),
      })
      const item: BlocksItem = {
        disk,
        covers: 'all',
        open: async () => ({
          ...source,
          readBytes: 65_536,
          async [Symbol.asyncDispose]() {
            disposed++
          },
        }),
      }
      const fixture = transferFixture()
      const storing = fixture.sink().sink.blocks(item)
      if (failAt < 100) await expect(storing).rejects.toThrow('connection reset')
      else await storing
      expect(disposed).toBe(1)
      expect(fixture.clock.sleepers).toBe(0)
    }
  })
})
