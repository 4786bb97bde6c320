import { fakeClock, memoryBlocks, memoryMappedBlocks, memoryRepository, readBlocks, seededRandom, tarOf, vmdkOf } from '@holdfast/testkit'
import { expect, it } from 'vitest'
import { createBackupSink, createProgressMeter, createRestoreSource, verifyPoint } from './index.ts'

it('smoke', async () => {
  const clock = fakeClock()
  const repository = memoryRepository()
  const meter = createProgressMeter({ clock })
  const signal = new AbortController().signal
  const r = seededRandom(1)
  for (const compression of ['zstd', 'gzip', 'none'] as const) {
    const folder = `w/p-${compression}`
    const s = createBackupSink({ repository, folder, number: 1, compression, meter, clock, stallMs: 1000, signal })
    const tar = tarOf(
      new Map([
        ['a', r.bytes(100000)],
        ['b/c', r.bytes(5)],
      ]),
    )
    const disk = new Uint8Array(1 << 20)
    disk.set(r.bytes(200000), 70000)
    const vm = vmdkOf(disk)
    async function* st(b: Uint8Array) {
      for (let i = 0; i < b.length; i += 1000) yield b.subarray(i, i + 1000)
    }
    const D = { key: 'k', name: 'root', size: disk.length }
    const rec = await Promise.all([
      s.sink.stream({ name: 'v.tar', format: 'tar', open: async () => st(tar) }),
      s.sink.stream({ name: 'v.vmdk', format: 'vmdk', digests: ['sha1'], disk: { ...D, key: 'v' }, open: async () => st(vm) }),
      s.sink.blocks({ disk: D, covers: 'unmapped', open: async () => memoryBlocks(disk) }),
      s.sink.blocks({ disk: { ...D, key: 'k2' }, covers: 'all', open: async () => memoryMappedBlocks(disk) }),
    ])
    const { items, bytes } = await s.finish({ signal })
    console.log(rec, JSON.stringify(items, null, 1).length, bytes)
    const point = { folder, number: 1, point: `p-${compression}`, items, description: null, providerKind: 'x' } as never
    const found = []
    for await (const f of verifyPoint({ repository, point, ancestors: new Map(), meter, clock, stallMs: 1000, signal })) found.push(f)
    expect(found).toEqual([])
    const src = createRestoreSource({
      repository,
      point,
      ancestors: new Map(),
      workload: { id: 'w', name: 'w', kind: 'volume' },
      meter,
      clock,
      stallMs: 1000,
      signal,
    })
    const parts = []
    for await (const c of await src.files[0]!.open({ signal })) parts.push(c.slice())
    expect(Buffer.concat(parts).equals(tar)).toBe(true)
    const ents = []
    for await (const e of src.files[0]!.entries!({ signal })) ents.push(e)
    console.log(ents)
    for (const d of src.disks.filter((d) => !d.file)) {
      const b = await d.open({ signal })
      expect(Buffer.from(await readBlocks(b, { signal })).equals(Buffer.from(disk))).toBe(true)
      await b[Symbol.asyncDispose]()
    }
    console.log(meter.snapshot(), clock.sleepers)
    console.log([...repository.snapshot()].map(([p, b]) => [p, b.length]))
  }
})
