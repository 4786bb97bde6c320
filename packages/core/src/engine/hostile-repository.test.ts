import {
  countingIds,
  memoryPlatform,
  memoryRepository,
  memoryStore,
  observeCalls,
  recordingLogger,
  scriptedProvider,
  seededRandom,
} from '@holdfast/testkit'
import { expect, test } from 'vitest'
import { systemClock } from '../clock.ts'
import { decodeManifest, encodeManifest, type Manifest } from '../model/manifest.ts'
import { manifestPath } from '../model/names.ts'
import { bytesOf, collectBytes } from '../spec/helpers/bytes.ts'
import type { Repository } from '../spec/repository.ts'
import { createEngine } from './create-engine.ts'
import type { EngineOptions } from './engine.ts'

const { signal } = new AbortController()
function parts(shape: 'tarVolume' | 'ovirtLike' = 'ovirtLike', repository: Repository = memoryRepository({ clock: systemClock })) {
  const platform = memoryPlatform({ random: seededRandom(7) })
  const id = shape === 'tarVolume' ? platform.addVolume('data') : platform.addMachine('web', 2)
  const store = memoryStore({ clock: systemClock, ids: countingIds('s') })
  const provider = scriptedProvider(platform, { shape, name: 'p' })
  const logger = recordingLogger()
  const make = (more: Partial<EngineOptions> = {}) =>
    createEngine({
      name: 'node-a',
      store,
      repositories: { main: repository },
      providers: { p: provider },
      logger,
      retry: { delayMs: 50 },
      leaseMs: 600,
      ...more,
    })
  return { platform, id, store, repository, provider, logger, make }
}
const order = (id: string, key = 'k', repository = 'main') => ({
  key,
  operation: 'backup' as const,
  repository,
  workload: { provider: 'p', id },
})
async function read(repository: Repository, path: string) {
  const file = await repository.open(path, { signal })
  return await collectBytes(file.stream({ start: 0, end: file.size }, { signal }), 1e9, path)
}
async function manifests(repository: Repository) {
  const found: Manifest[] = []
  for await (const file of repository.list('', { signal })) {
    const m = /^(.*)\/manifest\.(\d+)\.json$/.exec(file.path)
    if (m && file.size) found.push(decodeManifest(await read(repository, file.path), { folder: m[1] as string, number: Number(m[2]) }))
  }
  return found
}
const put = (repository: Repository, manifest: Manifest) => {
  const bytes = encodeManifest(manifest)
  return repository.put(manifestPath(manifest.folder, manifest.number), bytesOf(bytes), { signal, size: bytes.length })
}

test('database replaced by a copy of the same epoch: prune does not delete the parent of a child it does not know', async () => {
  const w = parts()
  const engine = await w.make()
  await engine.start()
  const first = (await engine.run(order(w.id, 'k1'))) as { point: string }
  await engine.idle()
  const copy = w.store.dump()
  w.platform.mutate(seededRandom(1))
  const second = (await engine.run(order(w.id, 'k2'))) as { point: string }
  const digest = w.platform.digest(w.id)
  expect((await manifests(w.repository)).find((m) => m.point === second.point)?.items[0]).toMatchObject({ parent: first.point })
  await engine.stop()
  w.store.load(copy)
  const again = await w.make()
  await again.start()
  await Promise.resolve(again.prune({ repository: 'main', points: [first.point] })).catch(() => {})
  await again.run({ key: 'rs', operation: 'rescan', repository: 'main' })
  const restored = await again.restore({ provider: 'p', id: w.id }, { point: second.point, name: 'r' })
  expect(w.platform.digest(restored.workload)).toBe(digest)
  await again.stop()
})

test('rolled back database, repository not readable at start: prune does not delete the parent of a child it does not know', async () => {
  let broken = false
  const inner = memoryRepository({ clock: systemClock })
  const w = parts(
    'ovirtLike',
    observeCalls(
      inner,
      () => {
        if (broken) throw new Error('not mounted')
      },
      { seam: 'r' },
    ),
  )
  const engine = await w.make()
  await engine.start()
  const first = (await engine.run(order(w.id, 'k1'))) as { point: string }
  await engine.idle()
  await engine.stop()
  const copy = w.store.dump()
  const e2 = await w.make()
  await e2.start()
  const second = (await e2.run(order(w.id, 'k2'))) as { point: string }
  const digest = w.platform.digest(w.id)
  await e2.stop()
  w.store.load(copy)
  broken = true
  const again = await w.make()
  await again.start()
  broken = false
  await Promise.resolve(again.prune({ repository: 'main', points: [first.point] })).catch(() => {})
  await again.run({ key: 'rs', operation: 'rescan', repository: 'main' })
  const restored = await again.restore({ provider: 'p', id: w.id }, { point: second.point, name: 'r' })
  expect(w.platform.digest(restored.workload)).toBe(digest)
  await again.stop()
})

test('rolled back database, rescan fails at start: prune does not delete the parent of a child it does not know', async () => {
  let broken = false
  const inner = memoryRepository({ clock: systemClock })
  const w = parts(
    'ovirtLike',
    observeCalls(
      inner,
      ({ method }) => {
        if (broken && method.startsWith('list')) throw new Error('list fails')
      },
      { seam: 'r' },
    ),
  )
  const engine = await w.make()
  await engine.start()
  const first = (await engine.run(order(w.id, 'k1'))) as { point: string }
  await engine.idle()
  await engine.stop()
  const copy = w.store.dump()
  const e2 = await w.make()
  await e2.start()
  const second = (await e2.run(order(w.id, 'k2'))) as { point: string }
  const digest = w.platform.digest(w.id)
  await e2.stop()
  w.store.load(copy)
  broken = true
  const again = await w.make()
  await again.start().catch(() => {})
  broken = false
  await Promise.resolve(again.prune({ repository: 'main', points: [first.point] })).catch(() => {})
  await again.run({ key: 'rs', operation: 'rescan', repository: 'main' })
  const restored = await again.restore({ provider: 'p', id: w.id }, { point: second.point, name: 'r' })
  expect(w.platform.digest(restored.workload)).toBe(digest)
  await again.stop()
})

test('a manifest of another workload in the folder does not fail the whole rescan', async () => {
  const w = parts('tarVolume')
  const engine = await w.make()
  await engine.start()
  await engine.run(order(w.id))
  await engine.run(order(w.id, 'k2'))
  const [one] = await manifests(w.repository)
  await put(w.repository, { ...(one as Manifest), number: 2, workload: { ...(one as Manifest).workload, id: 'somebody-else' } })
  const result = (await engine.run({ key: 'r1', operation: 'rescan', repository: 'main' })) as { findings: unknown[] }
  expect(result.findings.length).toBe(1)
  await engine.stop()
})

test('a manifest that is too large is a finding and does not fail the whole rescan, verify or start', async () => {
  const w = parts('tarVolume')
  const engine = await w.make()
  await engine.start()
  await engine.run(order(w.id))
  const [one] = await manifests(w.repository)
  await w.repository.put(`${one?.folder}/manifest.2.json`, bytesOf(new Uint8Array(65 * 1024 * 1024)), { signal })
  const result = (await engine.run({ key: 'r1', operation: 'rescan', repository: 'main' })) as { findings: unknown[] }
  expect(result.findings.length).toBe(1)
  await engine.run(order(w.id, 'k3'))
  await engine.stop()
})

test('parents in a circle: verify, restore, prune and backup end', async () => {
  const w = parts()
  const engine = await w.make()
  await engine.start()
  const first = (await engine.run(order(w.id, 'k1'))) as { point: string }
  w.platform.mutate(seededRandom(1))
  const second = (await engine.run(order(w.id, 'k2'))) as { point: string }
  const all = await manifests(w.repository)
  const a = all.find((m) => m.point === first.point) as Manifest
  const circle: Manifest = {
    ...a,
    parents: Object.fromEntries(a.items.flatMap((i) => (i.type === 'disk' ? [[i.disk.key, second.point]] : []))),
    items: a.items.map((i) => (i.type === 'disk' ? { ...i, form: 'incremental', parent: second.point } : i)),
  }
  await put(w.repository, circle)
  await engine.run({ key: 'r1', operation: 'rescan', repository: 'main' })
  const { findings } = await engine.verify({ repository: 'main' })
  expect(findings.length).toBeGreaterThan(0)
  await expect(engine.restore({ provider: 'p', id: w.id }, { point: second.point, name: 'r' })).rejects.toThrow()
  await engine.run(order(w.id, 'k3'))
  await engine.prune({ repository: 'main', points: [first.point, second.point] })
  expect((await engine.points({ repository: 'main' })).length).toBe(1)
  await engine.stop()
})

test('huge sizes in a manifest that verifies: verify and restore refuse', async () => {
  const w = parts()
  const engine = await w.make()
  await engine.start()
  await engine.run(order(w.id, 'k1'))
  const [a] = await manifests(w.repository)
  const huge = Number.MAX_SAFE_INTEGER
  await put(w.repository, {
    ...(a as Manifest),
    items: (a as Manifest).items.map((i) =>
      i.type === 'disk'
        ? {
            ...i,
            disk: { ...i.disk, size: huge },
            file: { ...i.file, size: huge },
            metadata: { ...i.metadata, size: huge },
            sums: { ...i.sums, size: huge },
          }
        : i,
    ),
  })
  const { findings } = await engine.verify({ repository: 'main' })
  expect(findings.length).toBeGreaterThan(0)
  await expect(engine.restore({ provider: 'p', id: w.id }, { name: 'r' })).rejects.toThrow()
  await engine.run(order(w.id, 'k2'))
  await engine.stop()
})

test('pinning a condemned point says POINT_CONDEMNED', async () => {
  const w = parts('tarVolume', undefined)
  const engine = await w.make()
  await engine.start()
  const first = (await engine.run(order(w.id, 'k1'))) as { point: string }
  const row = await w.store.points.catalog('main', `p/${w.id}`, { signal })
  await engine.stop()
  const [created] = await w.store.runs.create(
    [{ key: 'x', operation: 'prune', needs: ['provider:none'], resources: [], input: {}, delay: 0, priority: 0, maxFailures: 3 }],
    { signal },
  )
  await w.store.runs.take({ id: 'z', offers: ['provider:none'] }, 100000, 1, { signal })
  await w.store.points.condemn({ runId: created?.run.id as string, attempt: 1 }, 'main', `p/${w.id}`, row.version, row.points, { signal })
  const e2 = await w.make()
  await expect(e2.pin({ repository: 'main', point: first.point }, 'x')).rejects.toMatchObject({ code: 'POINT_CONDEMNED' })
  await e2.stop()
})

test('database replaced by a copy of the same epoch: start() knows the points again', async () => {
  const w = parts()
  const engine = await w.make()
  await engine.start()
  await engine.run(order(w.id, 'k1'))
  const copy = w.store.dump()
  const second = (await engine.run(order(w.id, 'k2'))) as { point: string }
  await engine.stop()
  w.store.load(copy)
  const again = await w.make()
  await again.start()
  expect((await again.points({ repository: 'main' })).map((p) => p.id)).toContain(second.point)
  await again.stop()
})

test('a point of another repository whose workload sorts first is a finding and bricks nothing', async () => {
  const w = parts('tarVolume')
  const other = memoryRepository({ clock: systemClock })
  const platform = memoryPlatform()
  const id = platform.addVolume('aaa')
  const o = parts('tarVolume', other)
  const e1 = await o.make({ store: o.store, providers: { p: scriptedProvider(platform, { shape: 'tarVolume', name: 'p' }) } })
  await e1.start()
  await e1.run(order(id, 'other'))
  await e1.stop()
  const engine = await w.make()
  await engine.start()
  await engine.run(order(w.id))
  for await (const file of other.list('', { signal }))
    if (file.path !== 'repository.json') await w.repository.put(file.path, bytesOf(await read(other, file.path)), { signal })
  const { findings } = (await engine.run({ key: 'r1', operation: 'rescan', repository: 'main' })) as { findings: unknown[] }
  expect(findings.length).toBe(1)
  await engine.run(order(w.id, 'k2'))
  expect((await engine.verify({ repository: 'main' })).findings).toEqual([])
  await engine.stop()
  const again = await w.make()
  await again.start()
  await again.run(order(w.id, 'k3'))
  await again.stop()
})

test('files with the names of numbers beyond all reason are left alone, and keep nothing from its work', { timeout: 20_000 }, async () => {
  let opened = 0
  const inner = memoryRepository({ clock: systemClock })
  const w = parts(
    'ovirtLike',
    observeCalls(inner, ({ method, phase }) => void (method === 'open' && phase === 'before' && opened++), { seam: 'r' }),
  )
  const engine = await w.make({ retry: { maxFailures: 1 } })
  await engine.start()
  const first = (await engine.run(order(w.id, 'k1'))) as { point: string }
  w.platform.mutate(seededRandom(1))
  const second = (await engine.run(order(w.id, 'k2'))) as { point: string }
  const strays: string[] = []
  for (const { folder } of await manifests(w.repository)) strays.push(`${folder}/manifest.999999999.json`, `${folder}/999999999/x`)
  for (const path of strays) await w.repository.put(path, bytesOf(Buffer.from('stray')), { signal })
  expect(await engine.rescan({ repository: 'main' })).toMatchObject({ added: 0, removed: 0, findings: [] })
  await engine.run({ key: 'sweep', operation: 'sweep', repository: 'main' })
  expect(await engine.merge({ repository: 'main', point: second.point })).toMatchObject({ number: 2 })
  await engine.idle()
  expect((await engine.verify({ repository: 'main' })).findings).toEqual([])
  expect(await engine.prune({ repository: 'main', points: [first.point, second.point] })).toMatchObject({
    points: [first.point, second.point].sort(),
  })
  await engine.stop()
  const left = [...inner.snapshot()].filter(([path, bytes]) => path.includes('/') && bytes.length > 0).map(([path]) => path)
  expect(left.sort()).toEqual(strays.sort())
  expect(opened).toBeLessThan(2000)
})

test('when the last number of a folder is taken, nothing is written under a name that nobody sees', { timeout: 60_000 }, async () => {
  const inner = memoryRepository({ clock: systemClock })
  const w = parts('ovirtLike', inner)
  const engine = await w.make({ retry: { maxFailures: 1 }, leaseMs: 10_000 })
  await engine.start()
  await engine.run(order(w.id, 'k1'))
  w.platform.mutate(seededRandom(1))
  const { point } = (await engine.run(order(w.id, 'k2'))) as { point: string }
  const folder = (await manifests(w.repository)).find((manifest) => manifest.point === point)?.folder
  await w.repository.put(`${folder}/manifest.99999.json`, bytesOf(new Uint8Array(0)), { signal })
  const before = [...inner.snapshot().keys()]
  await expect(engine.merge({ repository: 'main', point })).rejects.toMatchObject({
    code: 'POINT_DAMAGED',
    message: `Nothing can be written to ${folder} any more: number 99999, the last one, is taken.`,
  })
  await engine.idle()
  expect([...inner.snapshot().keys()].filter((path) => !before.includes(path) && !path.endsWith('verified.json'))).toEqual([])
  await engine.stop()
})
