import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { memoryRepository } from '@holdfast/testkit'
import { describe, expect, it, onTestFinished } from 'vitest'
import { localRepository } from '../../src/repository/local-repository.ts'
import { apply, byKind, type Chains, chainsOf, type Damage, expectNamed, putBack, restoreIsHonest } from './damage-rounds.ts'
import {
  allKinds,
  backUp,
  type DamageWorld,
  damageWorld,
  engineOver,
  type FileKind,
  flipped,
  newStore,
  pointOfPath,
  type StoredFiles,
  setAllFlags,
} from './damage-world.ts'
import { filesInFolder, filesInMemory } from './stored-files.ts'

const seed = Number(process.env.HOLDFAST_SEED ?? 20261122)
const long = process.env.HOLDFAST_LONG === '1'

async function localWorld(rounds?: number): Promise<DamageWorld & { readonly files: StoredFiles; readonly folder: string }> {
  const folder = await mkdtemp(join(tmpdir(), 'holdfast-damage-'))
  onTestFinished(() => rm(folder, { recursive: true, force: true }))
  const world = await damageWorld({ seed, repository: localRepository({ folder }), ...(rounds !== undefined && { rounds }) })
  onTestFinished(() => world.engine.stop())
  return { ...world, folder, files: filesInFolder(folder) }
}

/** What disks and people do to a file, besides flipping a bit. */
async function variantsOf(files: StoredFiles, path: string, kind: FileKind, sameKind: readonly string[]): Promise<readonly Damage[]> {
  const before = await files.read(path)
  const damage = (what: string, after: Uint8Array | undefined): Damage => ({ path, kind, before, after, what })
  const variants = [
    damage('cut at 0:', before.subarray(0, 0)),
    damage('cut at 1:', before.subarray(0, 1)),
    damage('cut in the middle:', before.subarray(0, before.length >> 1)),
    damage('cut at the last byte:', before.subarray(0, before.length - 1)),
    damage('one byte too many:', Buffer.concat([before, Buffer.alloc(1)])),
    damage('deleted:', undefined),
  ]
  for (const other of sameKind) {
    const bytes = await files.read(other)
    if (other !== path && !Buffer.from(bytes).equals(before)) variants.push(damage(`content of ${other} in`, bytes))
  }
  return variants
}

/** Verifies with one damage at a time; restores of the point, and of what builds on it, are honest. */
async function checkOne(world: DamageWorld, files: StoredFiles, chains: Chains, damages: readonly Damage[]): Promise<void> {
  await apply(files, damages)
  const ids = new Set(damages.map(({ path }) => pointOfPath(path)))
  const { findings } = await world.engine.verify({ repository: 'main', points: [...ids] })
  expectNamed(findings, damages, chains, `seed ${seed}`)
  const touched = world.points.filter(({ id }) => ids.has(id) || chains.ancestorsOf(id).some((ancestor) => ids.has(ancestor)))
  await Promise.all(touched.map((point) => restoreIsHonest(world, point, damages, `seed ${seed}`)))
  await putBack(files, damages)
}

describe('damaged files in a folder', () => {
  it(`cut, grown, deleted and exchanged files of each kind are named (seed ${seed})`, async () => {
    const { files, ...world } = await localWorld()
    await setAllFlags(world, files)
    const chains = await chainsOf(world)
    const found = await byKind(files, chains)
    expect([...found.keys()].sort()).toEqual([...allKinds].sort())
    const count = { damages: 0 }
    for (const [kind, paths] of found) {
      if (kind === 'repository.json') continue
      for (const path of long ? paths : [world.random.pick(paths)])
        for (const damage of await variantsOf(files, path, kind, paths)) {
          await checkOne(world, files, chains, [damage])
          count.damages++
        }
    }
    expect(count.damages).toBeGreaterThan(100)
    expect((await world.engine.verify({ repository: 'main' })).findings).toEqual([])
    expect(world.platform.leftovers()).toEqual([])
  }, 600_000)

  it(`two files of the same kind that changed places are both named, manifests too (seed ${seed})`, async () => {
    const { files, ...world } = await localWorld()
    await setAllFlags(world, files)
    const chains = await chainsOf(world)
    const swapped: FileKind[] = []
    for (const [kind, paths] of await byKind(files, chains)) {
      const [one, two] = paths.filter((path, index) => paths.findIndex((other) => pointOfPath(other) === pointOfPath(path)) === index)
      if (one === undefined || two === undefined) continue
      const [first, second] = [await files.read(one), await files.read(two)]
      if (Buffer.from(first).equals(second)) continue
      swapped.push(kind)
      await checkOne(world, files, chains, [
        { path: one, kind, before: first, after: second, what: 'swapped' },
        { path: two, kind, before: second, after: first, what: 'swapped' },
      ])
    }
    expect(swapped).toEqual(
      expect.arrayContaining(['manifest', 'zst', 'index zst', 'vmdk', 'SHA256SUMS', 'qcow2 incremental', 'sums', 'verified']),
    )
    // Two manifests of points that build on each other: neither may take the other's place.
    const db = world.points.filter(({ workload }) => workload.provider === 'ovirt').slice(-2)
    const paths = (await files.paths()).filter((path) => path.endsWith('manifest.1.json') && db.some(({ id }) => path.includes(id)))
    const [first, second] = [await files.read(paths[0] ?? ''), await files.read(paths[1] ?? '')]
    await checkOne(world, files, chains, [
      { path: paths[0] ?? '', kind: 'manifest', before: first, after: second, what: 'swapped' },
      { path: paths[1] ?? '', kind: 'manifest', before: second, after: first, what: 'swapped' },
    ])
  }, 300_000)

  it('old flags that are put back, and flags that are lost, are named', async () => {
    const { files, ...world } = await localWorld(2)
    const { engine } = world
    const point = { repository: 'main', point: world.points[0]?.id ?? '' }
    const path = (flag: string) =>
      files.paths().then((all) => all.find((each) => each.endsWith(`${point.point}/${flag}.json`)) ?? `no ${flag}`)
    await engine.pin(point, 'the first reason')
    await engine.hold(point, '2098-01-01T00:00:00.000Z')
    await engine.verify({ repository: 'main' })
    const old = new Map<string, Uint8Array>()
    for (const flag of ['pin', 'hold', 'verified']) old.set(await path(flag), await files.read(await path(flag)))
    await engine.pin(point, 'another reason')
    await engine.hold(point, '2099-01-01T00:00:00.000Z')
    await engine.verify({ repository: 'main' })
    for (const [file, bytes] of old) await files.write(file, bytes)
    const named = async () => (await engine.verify({ repository: 'main', mode: 'quick' })).findings.map(({ file }) => file).sort()
    expect(await named()).toEqual([...old.keys()].sort())
    for (const file of old.keys()) await files.write(file, undefined)
    expect(await named()).toEqual([...old.keys()].sort())
    await engine.unpin(point)
    await engine.release(point)
    const [pin = '', bytes = new Uint8Array()] = [...old].find(([file]) => file.endsWith('pin.json')) ?? []
    await engine.verify({ repository: 'main' })
    expect(await named()).toEqual([])
    await files.write(pin, bytes)
    expect(await named()).toEqual([pin])
  }, 120_000)

  it('a manifest of a deleted point that is put back is a point whose files are gone, and is not restored', async () => {
    const { files, ...world } = await localWorld(2)
    const [point] = world.points
    const path = (await files.paths()).find((each) => each.endsWith(`${point?.id}/manifest.1.json`)) ?? ''
    const manifest = await files.read(path)
    await world.engine.prune({ repository: 'main', points: [point?.id ?? ''] })
    await files.write(path, manifest)
    await world.engine.rescan({ repository: 'main' })
    const { findings } = await world.engine.verify({ repository: 'main' })
    expect(findings.map(({ point: id, message }) => [id, message])).toEqual([
      [point?.id, expect.stringContaining('missing')],
      [point?.id, expect.stringContaining('missing')],
    ])
    await expect(world.engine.restore(point?.workload as never, { point: point?.id ?? '', name: 'x' })).rejects.toMatchObject({
      code: 'POINT_DAMAGED',
    })
  }, 120_000)

  it('repository.json: cut, exchanged with another repository and deleted, each time it is named and nothing is written', async () => {
    const { files, folder: _, ...world } = await localWorld(1)
    const other = await localWorld(1)
    const path = 'repository.json'
    const good = await files.read(path)
    const before = await files.paths()
    for (const bad of [0, 1, good.length >> 1, good.length - 1].map((length) => good.subarray(0, length))) {
      await files.write(path, bad)
      const { findings } = await world.engine.verify({ repository: 'main' })
      expect(findings).toMatchObject([{ point: '', file: path, message: expect.stringContaining(path) }])
      await expect(world.engine.prune({ repository: 'main', points: [world.points[0]?.id ?? ''] })).rejects.toMatchObject({
        code: 'REPOSITORY_DAMAGED',
      })
    }
    await files.write(path, await other.files.read(path))
    await expect(world.engine.verify({ repository: 'main' })).rejects.toMatchObject({ code: 'REPOSITORY_CHANGED' })
    await files.write(path, undefined)
    await expect(world.engine.verify({ repository: 'main' })).rejects.toMatchObject({ code: 'REPOSITORY_MISSING' })
    expect(await files.paths()).toEqual(before.filter((each) => each !== path))
    await files.write(path, good)
    expect((await world.engine.verify({ repository: 'main' })).findings).toEqual([])
  }, 120_000)
})

it('a damaged repository.json keeps nobody from a restore or a rescan, and a take-over writes it anew', async () => {
  const { files, folder: _, ...world } = await localWorld(2)
  const before = JSON.parse(Buffer.from(await files.read('repository.json')).toString())
  await files.write('repository.json', flipped(await files.read('repository.json'), 500))
  const last = world.points.at(-1)
  const restored = await world.engine.restore(last?.workload as never, { point: last?.id ?? '', name: 'copy' })
  expect(world.platform.digest(restored.workload)).toBe(last?.digest)
  const fresh = await engineOver(world, newStore(seed, 'fresh'), world.repository)
  onTestFinished(() => fresh.stop())
  const finding = { point: '', file: 'repository.json' }
  expect(await fresh.rescan({ repository: 'main' })).toMatchObject({ added: 6, findings: [finding] })
  await expect(backUp(fresh, world.platform, last?.workload as never, 7)).rejects.toMatchObject({
    code: 'REPOSITORY_DAMAGED',
    remedy: expect.stringContaining("takeOver: 'damaged'"),
  })
  await expect(fresh.rescan({ repository: 'main', takeOver: before.owner })).rejects.toMatchObject({ code: 'INVALID_OPTIONS' })
  await fresh.rescan({ repository: 'main', takeOver: 'damaged' })
  const after = JSON.parse(Buffer.from(await files.read('repository.json')).toString())
  expect(after.repositoryId).toBe(before.repositoryId)
  expect(after.owner).not.toBe(before.owner)
  await backUp(fresh, world.platform, last?.workload as never, 8)
  expect((await fresh.verify({ repository: 'main' })).findings).toEqual([])
}, 60_000)

describe('a damaged point', () => {
  const damage = async (files: StoredFiles, id: string, suffix: string) => {
    const path = (await files.paths()).find((each) => each.includes(`/${id}/`) && each.endsWith(suffix)) ?? ''
    const bytes = await files.read(path)
    await files.write(path, flipped(bytes, bytes.length * 4))
    return path
  }

  it('is quarantined durably; "latest" is then an older good one, and the next backup is full and says why', async () => {
    const { files, ...world } = await localWorld(3)
    const { engine, platform } = world
    const chain = world.points.filter(({ workload }) => workload.provider === 'ovirt')
    const [, older, newest] = chain
    const workload = newest?.workload as never
    const path = await damage(files, newest?.id ?? '', 'disk-0.qcow2')
    await expect(engine.restore(workload, { name: 'x' })).rejects.toMatchObject({ message: expect.stringContaining(path) })
    await engine.verify({ repository: 'main' })
    expect((await files.paths()).filter((each) => each.endsWith('quarantine.json'))).toEqual([expect.stringContaining(newest?.id ?? '')])
    const restored = await engine.restore(workload, { name: 'y' })
    expect(restored.point).toBe(older?.id)
    expect(platform.digest(restored.workload)).toBe(older?.digest)
    const next = (await engine.run({ key: 'next', operation: 'backup', repository: 'main', workload })) as unknown as {
      items: readonly { form: string; reason: string }[]
    }
    for (const item of next.items) expect(item).toMatchObject({ form: 'full', reason: 'the newest point is quarantined' })
    await damage(files, chain[0]?.id ?? '', 'disk-0.qcow2')
    await engine.verify({ repository: 'main' })
    const after = await backUp(engine, platform, workload, 9)
    expect((await engine.restore(workload, { name: 'z' })).point).toBe(after.id)
  }, 120_000)

  it('makes all that builds on it not good: "latest" goes past it', async () => {
    const { files, ...world } = await localWorld(3)
    const { engine } = world
    const chain = world.points.filter(({ workload }) => workload.provider === 'ovirt')
    const workload = chain[0]?.workload as never
    await damage(files, chain[1]?.id ?? '', 'disk-0.qcow2')
    const { findings } = await engine.verify({ repository: 'main' })
    expect(findings.map(({ point }) => point)).toEqual([chain[1]?.id])
    const restored = await engine.restore(workload, { name: 'y' })
    expect(restored.point).toBe(chain[0]?.id)
    const flags = new Map((await engine.points({ repository: 'main', workload })).map((each) => [each.id, each.flags.quarantine]))
    expect([...flags.values()].filter((each) => each !== undefined)).toHaveLength(1)
    const next = (await engine.run({ key: 'next', operation: 'backup', repository: 'main', workload })) as unknown as {
      items: readonly { form: string; reason: string }[]
    }
    for (const item of next.items) expect(item).toMatchObject({ form: 'full', reason: 'a point it would build on is quarantined' })
  }, 120_000)

  it('whose whole chain is bad leaves nothing good, and "latest" says so', async () => {
    const { files, ...world } = await localWorld(2)
    const { engine } = world
    const chain = world.points.filter(({ workload }) => workload.provider === 'ovirt')
    await damage(files, chain[0]?.id ?? '', 'disk-0.sums')
    await engine.verify({ repository: 'main' })
    await expect(engine.restore(chain[0]?.workload as never, { name: 'y' })).rejects.toMatchObject({ code: 'NOT_FOUND' })
  }, 120_000)
})

describe('an untouched repository', () => {
  it(`reports nothing: 100 of them, to their owner and to a catalog that was rebuilt (seeds ${seed}...)`, async () => {
    for (let count = 0; count < 100; count++) {
      const repository = memoryRepository()
      const rounds = count % 10 === 0 ? 3 : 1 + (count % 3)
      const world = await damageWorld({ seed: seed + count, repository, rounds })
      if (count % 10 === 0) await setAllFlags(world, filesInMemory(repository))
      expect((await world.engine.verify({ repository: 'main' })).findings, `seed ${seed + count}`).toEqual([])
      const second = await engineOver(world, newStore(seed + count, 'second'), repository)
      expect((await second.rescan({ repository: 'main' })).findings, `seed ${seed + count}`).toEqual([])
      const found = await second.verify({ repository: 'main', mode: count % 2 === 0 ? 'quick' : 'full' })
      expect(found, `seed ${seed + count}`).toMatchObject({ findings: [], points: rounds * 3 })
      await second.stop()
      await world.engine.stop()
    }
  }, 300_000)

  it('reports nothing while somebody pins and holds its points', async () => {
    const { engine, points, repository, store, platform } = await damageWorld({ seed, repository: memoryRepository(), rounds: 2 })
    const second = await engineOver({ platform }, store, repository)
    const verifying = Array.from({ length: 30 }, () => engine.verify({ repository: 'main' }))
    for (let count = 0; count < 60; count++) {
      const point = { repository: 'main', point: points[count % points.length]?.id ?? '' }
      if (count % 3 === 0) await second.pin(point, `reason ${count}`)
      else if (count % 3 === 1) await second.unpin(point)
      else await second.hold(point, '2099-01-01T00:00:00.000Z')
      await new Promise((resolve) => setTimeout(resolve, 2))
    }
    for (const { findings } of await Promise.all(verifying)) expect(findings).toEqual([])
    await second.stop()
    await engine.stop()
  }, 120_000)
})
