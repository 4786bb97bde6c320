import { mkdtempSync, readdirSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { HoldfastError, type Receipt } from '@holdfast/core/spec'
import { memoryBlocks, memoryPlatform, memoryRunContext, scriptedProvider, seededRandom, vmdkOf } from '@holdfast/testkit'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import {
  chunked,
  collect,
  findingsOf,
  hangingStream,
  never,
  sourceOf,
  type TransferFixture,
  transferFixture,
} from '../../test/transfer-fixture.ts'
import { basesOf, clusterBytes, countedScratch, diskOf, key, sha256, vmdkItem } from '../../test/vmdk-points.ts'
import type { DiskItem, Manifest } from '../model/manifest.ts'
import { pointRow } from '../model/point-row.ts'
import { layersOf } from './disk-layers.ts'
import { createProgressMeter } from './progress-meter.ts'
import { createReading } from './reading.ts'
import { rewriteDisk } from './rewrite-disk.ts'

let folder: string
let scratch: ReturnType<typeof countedScratch>
let fixture: TransferFixture
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'vmdk-item-'))
  scratch = countedScratch(folder)
  fixture = transferFixture()
})
afterEach(() => {
  expect(readdirSync(folder)).toEqual([])
  expect(scratch.seen.closed).toBe(scratch.seen.opened)
  rmSync(folder, { recursive: true })
})

/** A backup of one disk that comes as VMDK; `points`: what it may build on, newest first. */
async function backUp(point: string, disk: Uint8Array, points: readonly Manifest[] = [], vmdk = vmdkOf(disk)) {
  let receipt: Receipt | undefined
  const manifest = await fixture.backup(
    point,
    async ({ sink }) => {
      receipt = await sink.stream(vmdkItem(disk, vmdk))
    },
    { scratch, base: basesOf(points) },
  )
  return { manifest, receipt, vmdk }
}

/** Waits for what real files, which no clock moves, lead to. */
async function until(reached: () => boolean): Promise<void> {
  while (!reached()) await new Promise((resolve) => setTimeout(resolve, 5))
  await new Promise((resolve) => setTimeout(resolve, 20))
}

const diskItem = ({ items }: Manifest): DiskItem => {
  const item = items.find((each): each is DiskItem => each.type === 'disk')
  if (item === undefined) throw new Error('no disk')
  return item
}

/** The digest that a full image of this disk has, and its size in the repository. */
async function digestOf(disk: Uint8Array): Promise<string> {
  const point = await transferFixture().backup('q', ({ sink }) =>
    sink.blocks({ disk: { key, name: 'root', size: disk.length }, covers: 'unmapped', open: async () => memoryBlocks(disk) }),
  )
  return diskItem(point).digest
}

describe('a disk that comes as VMDK', () => {
  it.each([1, 2, 3])('is kept as it came, then as increments, and every point gives back its disk, seed %i', async (seed) => {
    const random = seededRandom(seed)
    let disk = Buffer.alloc(20 * clusterBytes + (seed === 2 ? 77 : 512))
    for (const cluster of [0, 1, 2, 3, 7, 8, 9, 14, 15, 19]) disk.set(random.bytes(clusterBytes), cluster * clusterBytes)
    const points: Manifest[] = []
    const disks: Buffer[] = []
    for (let number = 1; number <= 5; number++) {
      if (number > 1) {
        if (number === 3) disk = Buffer.concat([disk, Buffer.alloc(2 * clusterBytes + 512)])
        disk.set(random.bytes(500), (number + 10) * clusterBytes + 100)
        disk.fill(0, (number - 1) * clusterBytes, number * clusterBytes)
        disk.set(random.bytes(10), disk.length - 10)
      }
      disks.unshift(Buffer.from(disk))
      const { manifest, receipt, vmdk } = await backUp(`p${number}`, disk, points)
      expect(receipt).toMatchObject({ size: vmdk.length, sha256: sha256(vmdk), kept: number === 1 })
      expect(receipt?.sha1).toMatch(/^[0-9a-f]{40}$/)
      points.unshift(manifest)
    }
    const [newest] = points
    for (const [at, point] of points.entries()) {
      expect((await diskOf(point, points, fixture)).equals(disks[at] as Buffer), point.point).toBe(true)
      const [item] = point.items
      expect(item?.digest).toBe(await digestOf(disks[at] as Buffer))
      expect(await findingsOf(point, { ...fixture, ancestors: points })).toEqual([])
      if (at === points.length - 1) continue
      // Besides the cluster that was written and the end of the disk.
      expect(item).toMatchObject({
        type: 'disk',
        form: 'incremental',
        parent: points[at + 1]?.point,
        reason: `compared with the sums of ${points[at + 1]?.point}`,
      })
      expect(diskItem(point).dataBytes).toBeLessThanOrEqual(3 * clusterBytes)
    }
    const [kept] = points.at(-1)?.items ?? []
    expect(kept).toMatchObject({
      type: 'stream',
      form: 'kept',
      file: { path: '1/web-disk-0.vmdk' },
      sums: { path: '1/web-disk-0.vmdk.sums' },
    })
    const image = Buffer.from(fixture.repository.snapshot().get('shop/p2/1/disk-0.qcow2') ?? '')
    expect(image.subarray(0, 1024).includes('../../p1/1/web-disk-0.vmdk')).toBe(true)
    expect(image.subarray(0, 1024).includes('vmdk\0')).toBe(true)
    const changes = await sourceOf(newest as Manifest, { ...fixture, ancestors: points }).disks[0]?.openChanges('p1', { signal: never() })
    if (changes === undefined) throw new Error('nothing is known of the changes')
    expect((await collect(changes.extents({ signal: never() }))).length).toBeGreaterThan(0)
    await changes[Symbol.asyncDispose]()
    expect(pointRow('r', points.at(-1) as Manifest).summary).toMatchObject({ disks: [{ key, form: 'full' }] })
  })

  it('hides with zeros what became zero, be it that the VMDK has zeros there or nothing', async () => {
    const disk = Buffer.alloc(8 * clusterBytes, 'old')
    const first = await backUp('p1', disk)
    disk.fill(0, clusterBytes, 2 * clusterBytes)
    disk.fill(0, 5 * clusterBytes)
    const second = await backUp('p2', disk, [first.manifest])
    expect(diskItem(second.manifest).dataBytes).toBe(0)
    expect((await diskOf(second.manifest, [first.manifest], fixture)).equals(disk)).toBe(true)
    expect(scratch.seen.written).toBe(8 * 16)
  })

  it('that has not changed takes no data', async () => {
    const disk = Buffer.alloc(8 * clusterBytes, 'same')
    const first = await backUp('p1', disk)
    const second = await backUp('p2', disk, [first.manifest])
    expect(diskItem(second.manifest).dataBytes).toBe(0)
    expect(second.manifest.bytes.used).toBe(first.manifest.bytes.used)
    expect((await diskOf(second.manifest, [first.manifest], fixture)).equals(disk)).toBe(true)
  })

  it('that has shrunk is kept as it came', async () => {
    const disk = Buffer.alloc(8 * clusterBytes, 'shrinks')
    const first = await backUp('p1', disk)
    const second = await backUp('p2', disk.subarray(0, 3 * clusterBytes), [first.manifest])
    expect(second.receipt?.kept).toBe(true)
    expect((await diskOf(second.manifest, [], fixture)).equals(disk.subarray(0, 3 * clusterBytes))).toBe(true)
  })

  it('is kept without sums where there is no scratch folder, and nothing builds on it', async () => {
    const disk = Buffer.alloc(8 * clusterBytes, 'plain')
    const point = await fixture.backup('p1', ({ sink }) => sink.stream(vmdkItem(disk)), { base: [] })
    expect(point.items[0]).not.toHaveProperty('sums')
    expect(basesOf([point])).toEqual([])
    expect((await diskOf(point, [], fixture)).equals(disk)).toBe(true)
    expect([...fixture.repository.snapshot().keys()].sort()).toEqual(['shop/p1/1/SHA256SUMS', 'shop/p1/1/web-disk-0.vmdk'])
  })

  it('that also comes as blocks is refused', async () => {
    const disk = Buffer.alloc(clusterBytes, 'twice')
    const open = fixture.sink({ scratch })
    await open.sink.stream(vmdkItem(disk))
    const again = open.sink.blocks({ disk: vmdkItem(disk).disk, covers: 'unmapped', open: async () => memoryBlocks(disk) })
    await expect(again).rejects.toMatchObject({ code: 'EXISTS' })
    await open[Symbol.asyncDispose]()
  })
})

describe('a platform that gives VMDK streams', () => {
  it('has its machines backed up as increments, each restored as it was', async () => {
    const seed = 20_261_123
    const random = seededRandom(seed)
    const platform = memoryPlatform({ random, clusters: 12 })
    const workload = platform.addMachine('web', 2)
    const provider = scriptedProvider(platform, { shape: 'esxiLike' })
    const points: Manifest[] = []
    for (let number = 1; number <= 4; number++) {
      for (let writes = 0; number > 1 && writes < 3; writes++) platform.mutate(random)
      const held = platform.contents(workload)
      const base = basesOf(points)
      const { run, undoOpen } = memoryRunContext({ provider, mark: { system: 's', plan: 'p', run: `r${number}`, attempt: 1 } })
      const request = { workload, options: {}, base: { disks: base.map((each) => ({ key: each.key, size: each.size })) } }
      const point = await fixture.backup(`p${number}`, ({ sink }) => provider.backup(request, sink, run), { scratch, base })
      await undoOpen({ committed: true })
      points.unshift(point)
      const source = sourceOf(point, { ...fixture, ancestors: points })
      expect(source.disks.length, `seed ${seed}`).toBe(held?.size)
      for (const disk of source.disks) {
        const blocks = await disk.open({ signal: never() })
        const bytes = Buffer.alloc(blocks.size)
        await blocks.readInto(bytes, 0, { signal: never() })
        await blocks[Symbol.asyncDispose]()
        expect(bytes.equals(Buffer.from(held?.get(disk.key) ?? '')), `seed ${seed}, point ${number}, disk ${disk.key}`).toBe(true)
      }
      expect(point.items.filter((item) => item.type === 'disk').length).toBe(number === 1 ? 0 : 2)
    }
  })
})

describe('a stream of a disk with a base', () => {
  const disk = Buffer.alloc(12 * clusterBytes, 'base')
  const changed = Buffer.from(disk)
  changed.set(seededRandom(4).bytes(5 * clusterBytes), clusterBytes)
  const vmdk = Buffer.from(vmdkOf(changed))
  const flipped = Buffer.from(vmdk)
  flipped.writeUInt8((flipped[128 * 512 + 200] ?? 0) ^ 1, 128 * 512 + 200)

  const cases: readonly [name: string, code: string, stream: Uint8Array, size?: number][] = [
    ['is cut', 'TRUNCATED', vmdk.subarray(0, vmdk.length - 512)],
    ['is cut in a grain', 'TRUNCATED', vmdk.subarray(0, 128 * 512 + 1000)],
    ['is empty', 'TRUNCATED', new Uint8Array()],
    ['is no VMDK', 'PROVIDER_FAILED', Buffer.from('<html>'.repeat(1000))],
    ['has a flipped bit', 'PROVIDER_FAILED', flipped],
    ['goes on after its end', 'PROVIDER_FAILED', Buffer.concat([vmdk, vmdk])],
    ['is of another size', 'PROVIDER_FAILED', vmdkOf(changed.subarray(0, 11 * clusterBytes))],
  ]
  it.each(cases)('that %s ends with a code, and nothing of it is stored', async (_, code, stream) => {
    const first = await backUp('p1', disk)
    await expect(backUp('p2', changed, [first.manifest], stream)).rejects.toMatchObject({ code })
    expect([...fixture.repository.snapshot().keys()].filter((path) => path.startsWith('shop/p2/'))).toEqual([])
    await expect(backUp('p3', changed, [], stream)).rejects.toMatchObject({ code })
    expect(fixture.clock.sleepers).toBe(0)
  })

  it('that is given up half-way leaves nothing in the scratch folder', async () => {
    const first = await backUp('p1', disk)
    const reason = new HoldfastError('ABORTED', 'nobody wants it any more')
    for (const base of [basesOf([first.manifest]), []]) {
      const aborting = new AbortController()
      const open = fixture.sink({ folder: 'shop/p2', scratch, base, signal: aborting.signal })
      let hanging: ReturnType<typeof hangingStream> | undefined
      const storing = open.sink.stream({
        ...vmdkItem(changed),
        async open(options) {
          hanging = hangingStream(vmdk.subarray(0, vmdk.length - 5000), options)
          return hanging
        },
      })
      const failed = expect(storing).rejects.toBe(reason)
      await until(() => hanging !== undefined)
      aborting.abort(reason)
      await failed
      await open[Symbol.asyncDispose]()
      expect(hanging?.seen.disposed).toBe(true)
    }
    expect(scratch.seen).toMatchObject({ opened: 3, closed: 3 })
  })

  it('that stalls ends with STALLED', async () => {
    const first = await backUp('p1', disk)
    const open = fixture.sink({ folder: 'shop/p2', scratch, base: basesOf([first.manifest]), stallMs: 1000 })
    let opened = false
    const storing = open.sink.stream({
      ...vmdkItem(changed),
      async open(options) {
        opened = true
        return hangingStream(vmdk.subarray(0, 100_000), options)
      },
    })
    const failed = expect(storing).rejects.toMatchObject({ code: 'STALLED' })
    await until(() => opened)
    await fixture.clock.advance(10_000)
    await failed
    await open[Symbol.asyncDispose]()
  })

  it('whose scratch folder has no space left ends with DISK_FULL', async () => {
    const first = await backUp('p1', disk)
    const full = new HoldfastError('DISK_FULL', 'no space')
    const open = fixture.sink({
      folder: 'shop/p2',
      base: basesOf([first.manifest]),
      scratch: { open: async () => ({ ...(await scratch.open()), write: () => Promise.reject(full) }) },
    })
    await expect(open.sink.stream(vmdkItem(changed, vmdk))).rejects.toBe(full)
    await open[Symbol.asyncDispose]()
  })

  it('whose scratch file gives back other bytes than were written is not stored', async () => {
    const first = await backUp('p1', disk)
    const lying = {
      async open() {
        const file = await scratch.open()
        return {
          ...file,
          async readInto(target: Uint8Array, offset: number) {
            await file.readInto(target, offset)
            target[0] = (target[0] ?? 0) ^ 1
          },
        }
      },
    }
    const open = fixture.sink({ folder: 'shop/p2', base: basesOf([first.manifest]), scratch: lying })
    await expect(open.sink.stream({ ...vmdkItem(changed), open: async () => chunked(vmdk) })).rejects.toMatchObject({
      code: 'CHECKSUM_MISMATCH',
    })
    await open[Symbol.asyncDispose]()
  })
})

describe('a kept VMDK under increments', () => {
  const disk = Buffer.alloc(12 * clusterBytes)
  disk.set(seededRandom(6).bytes(12 * clusterBytes))
  const changed = Buffer.from(disk)
  changed.set(seededRandom(7).bytes(clusterBytes), 3 * clusterBytes)

  it('is taken over by a merge, or stays below one, and the disk stays the same', async () => {
    const later = Buffer.from(changed)
    later.fill(0, 5 * clusterBytes, 6 * clusterBytes)
    const first = (await backUp('p1', disk)).manifest
    const second = (await backUp('p2', changed, [first])).manifest
    const third = (await backUp('p3', later, [second, first])).manifest
    const byPoint = new Map([first, second, third].map((manifest) => [manifest.point, manifest]))
    const layers = layersOf(third, key, byPoint)
    const { repository, clock } = fixture
    const reading = createReading({ repository, clock, meter: createProgressMeter({ clock }), stallMs: 60_000, signal: never() })
    for (const [number, count] of [
      [2, 3],
      [3, 2],
    ] as const) {
      const written = await rewriteDisk(
        {
          layers: layers.slice(0, count),
          rest: layers.slice(count),
          reading,
          target: { repository, folder: third.folder, number },
          names: { file: 'disk-0.qcow2', sums: 'disk-0.sums' },
          reason: 'merged',
        },
        { signal: never() },
      )
      expect(written).toMatchObject({ format: 'qcow2', form: count === 3 ? 'full' : 'incremental', digest: diskItem(third).digest })
      const image = Buffer.from(repository.snapshot().get(`shop/p3/${number}/disk-0.qcow2`) ?? '')
      expect(image.subarray(0, 1024).includes('vmdk\0')).toBe(count === 2)
      const point = { ...third, number, items: [written] }
      expect((await diskOf(point, count === 2 ? [first] : [], fixture)).equals(later)).toBe(true)
    }
  })

  const damages: readonly [name: string, code: string, path: string, damage: (file: Buffer) => unknown][] = [
    [
      'a flipped bit in a grain',
      'POINT_DAMAGED',
      'web-disk-0.vmdk',
      (file) => file.writeUInt8((file[128 * 512 + 5000] ?? 0) ^ 1, 128 * 512 + 5000),
    ],
    [
      'a table that lacks a grain',
      'POINT_DAMAGED',
      'web-disk-0.vmdk',
      (file) => file.writeUInt32LE(0, Number(file.readBigUInt64LE(file.length - 1024 + 56)) * 512 - 512 - 2048 + 20),
    ],
    ['a changed sum', 'CHECKSUM_MISMATCH', 'web-disk-0.vmdk.sums', (file) => file.writeUInt8((file[32 + 24 + 9] ?? 0) ^ 1, 32 + 24 + 9)],
  ]
  it.each(damages)('does not give back wrong bytes: %s', async (_, code, name, damage) => {
    const first = await backUp('p1', disk)
    const second = await backUp('p2', changed, [first.manifest])
    expect((await diskOf(second.manifest, [first.manifest], fixture)).equals(changed)).toBe(true)
    const path = `shop/p1/1/${name}`
    const file = Buffer.from(fixture.repository.snapshot().get(path) ?? '')
    damage(file)
    await fixture.repository.put(path, chunked(file), { signal: never() })
    await expect(diskOf(second.manifest, [first.manifest], fixture)).rejects.toMatchObject({ code, message: expect.stringContaining(path) })
    await expect(diskOf(first.manifest, [], fixture)).rejects.toMatchObject({ code })
    const findings = await findingsOf(first.manifest, fixture)
    expect(findings).toEqual([expect.objectContaining({ point: 'p1', file: path })])
    const above = await findingsOf(second.manifest, { ...fixture, ancestors: [first.manifest] })
    expect(above.map(({ file }) => file)).toEqual(name.endsWith('.sums') ? [path] : [])
  })
})
