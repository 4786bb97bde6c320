import {
  type ByteStream,
  HoldfastError,
  type MappedBlocks,
  type Repository,
  type RestoreSource,
  type StoredFile,
} from '@holdfast/core/spec'
import { memoryBlocks, readBlocks, seededRandom, tarOf, vmdkOf } from '@holdfast/testkit'
import { describe, expect, it } from 'vitest'
import { bytesItem, bytesOfStream, chunked, collect, never, sourceOf, tarItem, transferFixture } from '../../test/transfer-fixture.ts'
import type { Manifest } from '../model/manifest.ts'
import type { BaseDisk } from './blocks-item.ts'
import { createProgressMeter } from './progress-meter.ts'

const random = seededRandom(99)
const signal = never()
const tar = Buffer.from(
  tarOf(
    new Map([
      ['a', random.bytes(1_500_000)],
      ['b', Buffer.alloc(900_000, 'text ')],
    ]),
  ),
)
const first = (source: RestoreSource): StoredFile => source.files[0] as StoredFile
const forms = ['zstd', 'gzip', 'none'] as const

describe('what is restored whole', () => {
  it('is expected before any of it is opened, and once', async () => {
    const fixture = transferFixture()
    const disk = memoryBlocks(random.bytes(4 * 65_536), { readers: 1 })
    const point = await fixture.backup('p1', async ({ sink }) => {
      await sink.stream(bytesItem('a', random.bytes(300_000)))
      await sink.stream(bytesItem('b', random.bytes(200_000)))
      await sink.blocks({ disk: { key: 'k', name: 'root', size: disk.size }, covers: 'unmapped', open: async () => disk })
    })
    const meter = createProgressMeter({ clock: fixture.clock })
    const { files, disks } = sourceOf(point, { ...fixture, meter, all: true })
    const whole = 500_000 + 4 * 65_536
    expect(meter.snapshot().totalBytes).toBe(whole)
    // A look at its beginning is none of the whole reading.
    const [a, b] = files
    await bytesOfStream((await a?.open({ signal, start: 0, end: 1000 })) as ByteStream)
    expect(meter.snapshot().totalBytes).toBe(whole)
    for (const file of [a, b]) await bytesOfStream((await file?.open({ signal })) as ByteStream)
    const opened = await disks[0]?.open({ signal })
    await readBlocks(opened as MappedBlocks, { signal })
    await opened?.[Symbol.asyncDispose]()
    expect(meter.snapshot()).toMatchObject({ bytes: whole + 1000, totalBytes: whole + 1000 })
  })
})

describe('a stored stream', () => {
  for (const compression of forms) {
    it(`comes back whole, and any part of it, stored as ${compression}`, async () => {
      const fixture = transferFixture()
      const point = await fixture.backup('p1', ({ sink }) => sink.stream(tarItem('v.tar', tar)), { compression })
      const file = first(sourceOf(point, fixture))
      expect(file).toMatchObject({ name: 'v.tar', format: 'tar', size: tar.length })
      expect((await bytesOfStream(await file.open({ signal }))).equals(tar)).toBe(true)
      for (const [start, end] of [
        [0, 1],
        [512, 1024],
        [1_000_000, 1_000_001],
        [5, tar.length],
        [0, tar.length - 1],
        [77, 77],
        [tar.length, tar.length],
      ] as const) {
        expect((await bytesOfStream(await file.open({ signal, start, end }))).equals(tar.subarray(start, end)), `${start} to ${end}`).toBe(
          true,
        )
      }
      for (const [start, end] of [
        [-1, 5],
        [6, 5],
        [0, tar.length + 1],
        [Number.NaN, 5],
      ] as const)
        await expect(file.open({ signal, start, end })).rejects.toMatchObject({ code: 'INVALID_OPTIONS' })
      expect(fixture.clock.sleepers).toBe(0)
    })

    it(`lists its entries, and each can be read alone, stored as ${compression}`, async () => {
      const fixture = transferFixture()
      const point = await fixture.backup('p1', ({ sink }) => sink.stream(tarItem('v.tar', tar)), { compression })
      const file = first(sourceOf(point, fixture))
      const entries = await collect(entriesOf(file))
      expect(entries.map(({ name, type, size }) => [name, type, size])).toEqual([
        ['a', 'file', 1_500_000],
        ['b', 'file', 900_000],
      ])
      const { offset: start, size } = entries[1] ?? { offset: 0, size: 0 }
      expect((await bytesOfStream(await file.open({ signal, start, end: start + size }))).equals(Buffer.alloc(900_000, 'text '))).toBe(true)
    })
  }

  it('that is empty comes back empty', async () => {
    const fixture = transferFixture()
    const point = await fixture.backup('p1', ({ sink }) => sink.stream(bytesItem('empty', new Uint8Array())))
    const file = first(sourceOf(point, fixture))
    expect((await bytesOfStream(await file.open({ signal }))).length).toBe(0)
    expect(file).not.toHaveProperty('entries')
  })

  it('is closed when it was read, when the reader stops, and when it was never read', async () => {
    for (const compression of forms) {
      const fixture = transferFixture()
      const point = await fixture.backup('p1', ({ sink }) => sink.stream(tarItem('v.tar', tar)), { compression })
      const counted = countingRepository(fixture.repository)
      const file = first(sourceOf(point, { ...fixture, repository: counted.repository }))
      await bytesOfStream(await file.open({ signal }))
      for await (const _ of await file.open({ signal })) break
      const unread = await file.open({ signal })
      await unread[Symbol.asyncDispose]?.()
      await unread[Symbol.asyncDispose]?.()
      const half = await file.open({ signal })
      await half[Symbol.asyncIterator]().next()
      await half[Symbol.asyncDispose]?.()
      for await (const _ of file.entries?.({ signal }) ?? []) break
      expect(counted.open(), compression).toBe(0)
      expect(fixture.clock.sleepers).toBe(0)
    }
  })

  it('ends with the reason when its reader or the run is aborted', async () => {
    for (const who of ['reader', 'run'] as const)
      for (const compression of forms) {
        const fixture = transferFixture()
        const point = await fixture.backup('p1', ({ sink }) => sink.stream(tarItem('v.tar', tar)), { compression })
        const controller = new AbortController()
        const reason = new HoldfastError('RUN_CANCELLED', 'enough')
        const counted = countingRepository(fixture.repository)
        const source = sourceOf(point, { ...fixture, repository: counted.repository, ...(who === 'run' && { signal: controller.signal }) })
        const stream = await first(source).open({ signal: who === 'reader' ? controller.signal : signal })
        const read = async () => {
          for await (const _ of stream) controller.abort(reason)
        }
        await expect(read()).rejects.toBe(reason)
        expect(counted.open()).toBe(0)
        expect(fixture.clock.sleepers).toBe(0)
      }
  })

  it('is closed when the repository opens it after the run was aborted', async () => {
    const fixture = transferFixture()
    const point = await fixture.backup('p1', ({ sink }) => sink.stream(tarItem('v.tar', tar)), { compression: 'none' })
    const controller = new AbortController()
    const reason = new HoldfastError('RUN_CANCELLED', 'enough')
    let opened = () => {}
    let disposed = 0
    const late: Repository = {
      ...fixture.repository,
      async open(path, options) {
        const file = await fixture.repository.open(path, options)
        await new Promise<void>((resolve) => {
          opened = resolve
        })
        return { ...file, size: file.size, [Symbol.asyncDispose]: async () => void disposed++ }
      },
    }
    const source = sourceOf(point, { ...fixture, repository: late, signal: controller.signal })
    const opening = first(source).open({ signal })
    const failed = expect(opening).rejects.toBe(reason)
    await new Promise((resolve) => setImmediate(resolve))
    controller.abort(reason)
    await failed
    opened()
    await new Promise((resolve) => setImmediate(resolve))
    expect(disposed).toBe(1)
  })

  it('is STALLED when the repository hangs, but not when its reader takes its time', async () => {
    const fixture = transferFixture()
    const point = await fixture.backup('p1', ({ sink }) => sink.stream(tarItem('v.tar', tar)), { compression: 'none' })
    const stream = await first(sourceOf(point, fixture)).open({ signal })
    for await (const _ of stream) await fixture.clock.advance(600_000)
    const hanging: Repository = {
      ...fixture.repository,
      open: async (path, options) => ({
        ...(await fixture.repository.open(path, options)),
        stream: () => ({ [Symbol.asyncIterator]: () => ({ next: () => new Promise(() => {}) }) }),
      }),
    }
    const stalled = await first(sourceOf(point, { ...fixture, repository: hanging })).open({ signal })
    await expect(fixture.clock.runUntil(bytesOfStream(stalled))).rejects.toMatchObject({ code: 'STALLED' })
  })
})

describe('a stored disk', () => {
  const versions: Buffer[] = []
  const disk = (size: number) => ({ key: 'k', name: 'root', size })
  const unmapped = (bytes: Uint8Array) => ({
    disk: disk(bytes.length),
    covers: 'unmapped' as const,
    open: async () => memoryBlocks(bytes, { readers: 3 }),
  })

  async function chain() {
    const fixture = transferFixture()
    const points: Manifest[] = []
    const sums: string[] = []
    let bytes = Buffer.alloc(900_608)
    bytes.set(random.bytes(400_000), 100_000)
    versions.length = 0
    for (let version = 1; version <= 4; version++) {
      if (version > 1) {
        // The disk grows once; one cluster is changed, one is cleared.
        bytes = Buffer.concat([bytes, Buffer.alloc(version === 3 ? 200_192 : 0)])
        bytes.set(random.bytes(100), version * 65_536)
        bytes.fill(0, (version + 1) * 65_536, (version + 2) * 65_536)
      }
      versions.push(Buffer.from(bytes))
      const previous = points.at(-1)
      const base: BaseDisk[] =
        previous === undefined
          ? []
          : [
              {
                key: 'k',
                size: (versions.at(-2) as Buffer).length,
                point: previous.point,
                file: `${previous.folder}/1/disk-0.qcow2`,
                sums: [...sums],
              },
            ]
      const point = await fixture.backup(`p${version}`, ({ sink }) => sink.blocks(unmapped(bytes)), { base })
      sums.unshift(`${point.folder}/1/disk-0.sums`)
      points.push(point)
    }
    return { fixture, points }
  }

  it('is its chain merged, at every point', async () => {
    const { fixture, points } = await chain()
    expect(points.map(({ items }) => items[0]?.type === 'disk' && items[0].form)).toEqual([
      'full',
      'incremental',
      'incremental',
      'incremental',
    ])
    for (const [index, point] of points.entries()) {
      const counted = countingRepository(fixture.repository)
      const [stored] = sourceOf(point, { ...fixture, repository: counted.repository, ancestors: points }).disks
      if (stored === undefined) throw new Error('no disk')
      expect(stored).toMatchObject({ key: 'k', name: 'root', size: (versions[index] as Buffer).length })
      const blocks = await stored.open({ signal })
      expect(Buffer.from(await readBlocks(blocks, { signal })).equals(versions[index] as Buffer), point.point).toBe(true)
      await blocks[Symbol.asyncDispose]()
      expect(counted.open()).toBe(0)
      expect(fixture.clock.sleepers).toBe(0)
    }
  })

  it('tells what differs from an older point of its chain', async () => {
    const { fixture, points } = await chain()
    const [stored] = sourceOf(points[3] as Manifest, { ...fixture, ancestors: points }).disks
    for (const [index, since] of points.entries()) {
      const changes = await stored?.openChanges(since.point, { signal })
      if (changes === undefined) throw new Error('no changes')
      let bytes = 0
      for await (const { kind, length } of changes.extents({ signal })) if (kind === 'data') bytes += length
      expect(bytes, `since ${since.point}`).toBe(index === 0 ? 3 * 65_536 : (3 - index) * 65_536)
      expect(Buffer.from(await readBlocks(changes, { signal, below: versions[index] as Buffer })).equals(versions[3] as Buffer)).toBe(true)
      await changes[Symbol.asyncDispose]()
    }
    expect(await stored?.openChanges('unknown', { signal })).toBeUndefined()
    expect(fixture.clock.sleepers).toBe(0)
  })

  it('without the point it builds on is POINT_DAMAGED', async () => {
    const { fixture, points } = await chain()
    const [stored] = sourceOf(points[3] as Manifest, { ...fixture, ancestors: points.slice(2) }).disks
    await expect(stored?.open({ signal })).rejects.toMatchObject({ code: 'POINT_DAMAGED', message: expect.stringContaining('p2') })
    const loop = { ...(points[1] as Manifest), items: (points[1] as Manifest).items.map((item) => ({ ...item, parent: 'p2' })) } as Manifest
    const [looped] = sourceOf(loop, { ...fixture, ancestors: [loop] }).disks
    await expect(looped?.open({ signal })).rejects.toMatchObject({ code: 'POINT_DAMAGED' })
  })

  it('with a chain that merges to something else is CHECKSUM_MISMATCH before a byte of it is read', async () => {
    const { fixture, points } = await chain()
    const [one, two, three] = points as [Manifest, Manifest, Manifest]
    // Every file verifies by itself, but the point that should lie below is another one.
    const swapped = { ...one, point: 'p2' }
    const [stored] = sourceOf(three, { ...fixture, ancestors: [swapped, { ...two, point: 'p1' }] }).disks
    await expect(stored?.open({ signal })).rejects.toMatchObject({ code: 'CHECKSUM_MISMATCH' })
    expect(fixture.clock.sleepers).toBe(0)
  })

  it('that was kept as a VMDK is there as its file and by position, in boot order with the others', async () => {
    const fixture = transferFixture()
    const bytes = Buffer.alloc(200_704, 7)
    const vmdk = vmdkOf(bytes)
    const backup = await fixture.backup('p1', ({ sink }) =>
      Promise.all([
        sink.blocks(unmapped(bytes)),
        sink.stream({
          name: 'web.vmdk',
          format: 'vmdk',
          disk: { key: 'v', name: 'boot', size: bytes.length },
          open: async () => chunked(vmdk),
        }),
      ]),
    )
    const machine = { name: 'web', cpus: 1, memoryBytes: 2 ** 30, firmware: 'bios', guest: { family: 'linux' }, networks: [] } as const
    const disks = [
      { key: 'v', bus: 'scsi' },
      { key: 'k', bus: 'scsi' },
    ] as const
    const source = sourceOf({ ...backup, machine: { ...machine, disks } }, fixture)
    expect(source.disks.map(({ key }) => key)).toEqual(['v', 'k'])
    const [boot] = source.disks
    expect((await bytesOfStream((await boot?.file?.open({ signal })) as ByteStream)).equals(vmdk)).toBe(true)
    await using blocks = await boot?.open({ signal })
    if (blocks === undefined) throw new Error('the disk is not there')
    expect(Buffer.from(await readBlocks(blocks, { signal })).equals(bytes)).toBe(true)
    expect(await boot?.openChanges('p0', { signal })).toBeUndefined()
    expect(source).toMatchObject({ point: 'p1', kind: 'docker', machine: { name: 'web' } })
  })
})

function entriesOf(file: StoredFile) {
  if (file.entries === undefined) throw new Error(`${file.name} has no entries`)
  return file.entries({ signal })
}

/** Counts stored files and streams of them that are open. */
function countingRepository(inner: Repository): { readonly repository: Repository; open(): number } {
  let count = 0
  const repository: Repository = {
    ...inner,
    async open(path, options) {
      const bytes = await inner.open(path, options)
      count++
      return {
        ...bytes,
        stream(range, call) {
          async function* chunks() {
            count++
            try {
              yield* bytes.stream(range, call)
            } finally {
              count--
            }
          }
          return chunks()
        },
        async [Symbol.asyncDispose]() {
          count--
          await bytes[Symbol.asyncDispose]()
        },
      }
    },
  }
  return { repository, open: () => count }
}
