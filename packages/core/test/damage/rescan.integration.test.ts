import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { PointRow, Store } from '@holdfast/core/spec'
import { sqlite } from '@holdfast/store-sqlite'
import { memoryRepository, observeCalls } from '@holdfast/testkit'
import { describe, expect, it, onTestFinished } from 'vitest'
import type { Engine } from '../../src/engine/engine.ts'
import { localRepository } from '../../src/repository/local-repository.ts'
import { backUp, type DamageWorld, damageWorld, engineOver, newStore, setAllFlags } from './damage-world.ts'
import { filesInFolder, filesInMemory } from './stored-files.ts'

const seed = Number(process.env.HOLDFAST_SEED ?? 20261123)
const never = { signal: new AbortController().signal }

/** Every row of a repository with its flags, as a catalog keeps it, in an order of its own. */
async function catalogOf(store: Store): Promise<readonly unknown[]> {
  const rows: (PointRow & object)[] = []
  for await (const workload of store.points.workloads('main', never))
    rows.push(...(await store.points.catalog('main', workload, never)).points)
  return rows.sort((one, two) => (`${one.folder}/${one.number}` < `${two.folder}/${two.number}` ? -1 : 1))
}

async function ownerOf(read: (path: string) => Promise<Uint8Array>): Promise<string> {
  return JSON.parse(Buffer.from(await read('repository.json')).toString()).owner
}

async function worldInMemory(): Promise<DamageWorld & { readonly files: ReturnType<typeof filesInMemory> }> {
  const repository = memoryRepository()
  const world = await damageWorld({ seed, repository, rounds: 3 })
  const files = filesInMemory(repository)
  await setAllFlags(world, files)
  onTestFinished(() => world.engine.stop())
  return { ...world, files }
}

async function taker(world: DamageWorld, store: Store = newStore(seed, 'second')): Promise<Engine> {
  const engine = await engineOver(world, store, world.repository)
  onTestFinished(() => engine.stop())
  return engine
}

describe('a catalog that was lost', () => {
  it(`is the same after a rescan, field by field: points, pins, holds, quarantine, verification (seed ${seed})`, async () => {
    const folder = await mkdtemp(join(tmpdir(), 'holdfast-rescan-'))
    onTestFinished(() => rm(folder, { recursive: true, force: true }))
    const repository = localRepository({ folder: join(folder, 'repository') })
    const files = filesInFolder(join(folder, 'repository'))
    const file = join(folder, 'catalog.db')
    const store = sqlite({ file })
    const world = await damageWorld({ seed, repository, store, rounds: 3 })
    await setAllFlags(world, files)
    const [first] = world.points
    await world.engine.prune({ repository: 'main', points: [world.points[3]?.id ?? ''] })
    const [rows, points, before] = [await catalogOf(store), await world.engine.points({ repository: 'main' }), await files.paths()]
    expect(points).toHaveLength(8)
    for (const flag of ['pin', 'holdUntil', 'quarantine', 'verifiedAt'] as const)
      expect(
        points.some(({ flags }) => flags[flag] !== undefined),
        flag,
      ).toBe(true)
    await world.engine.stop()
    for (const path of [file, `${file}-wal`, `${file}-shm`]) await rm(path, { force: true })

    const rebuilt = sqlite({ file })
    const engine = await taker(world, rebuilt)
    await engine.start()
    const owner = await ownerOf(files.read)
    const outcome = await engine.rescan({ repository: 'main', takeOver: owner })
    expect(outcome).toMatchObject({ added: 8, removed: 0, findings: [] })
    expect(await catalogOf(rebuilt)).toEqual(rows)
    expect(await engine.points({ repository: 'main' })).toEqual(points)
    expect(await files.paths()).toEqual(before)
    expect(await ownerOf(files.read)).not.toBe(owner)
    expect((await engine.verify({ repository: 'main' })).findings).toEqual([])
    await expect(engine.prune({ repository: 'main', points: [first?.id ?? ''] })).rejects.toMatchObject({ code: 'POINT_NEEDED' })
    for (const workload of world.workloads) {
      const next = await backUp(engine, world.platform, workload, 8)
      const { workload: restored } = await engine.restore(workload, { name: `again-${workload.id}` })
      expect(world.platform.digest(restored)).toBe(next.digest)
    }
  }, 120_000)

  it('has a point again whose row was never written', async () => {
    const repository = memoryRepository()
    const files = filesInMemory(repository)
    let armed = false
    let dead = false
    // The process dies between the manifest and the row: nothing it asks its store from then on is answered.
    const turn = async (label: string) => {
      if (armed && label === 'runs.finish') dead = true
      if (dead) await new Promise(() => undefined)
    }
    const world = await damageWorld({ seed, repository, rounds: 2, store: newStore(seed, 'dying', turn) })
    const workload = world.workloads[2] as (typeof world.workloads)[number]
    armed = true
    const lost = world.platform.digest(workload.id)
    void backUp(world.engine, world.platform, workload, 7)
    while (!dead) await new Promise((resolve) => setTimeout(resolve, 5))
    const engine = await taker(world)
    await engine.start()
    expect(await engine.rescan({ repository: 'main', takeOver: await ownerOf(files.read) })).toMatchObject({ added: 7, findings: [] })
    const [newest] = await engine.points({ repository: 'main', workload })
    expect(world.points.map(({ id }) => id)).not.toContain(newest?.id)
    const { point, workload: restored } = await engine.restore(workload, { name: 'copy' })
    expect(point).toBe(newest?.id)
    expect(world.platform.digest(restored)).toBe(lost)
  }, 60_000)
})

describe('rescan of a repository that another catalog owns', () => {
  it('reads only: its points are seen and restored, and not a byte is written', async () => {
    const world = await worldInMemory()
    const calls: string[] = []
    const repository = observeCalls(world.repository, ({ method }) => void calls.push(method), { seam: 'repository' })
    const engine = await taker({ ...world, repository })
    await engine.start()
    expect(await engine.rescan({ repository: 'main' })).toMatchObject({ added: 9, removed: 0, findings: [] })
    const good = world.points.at(-1)
    const { workload } = await engine.restore(good?.workload as never, { point: good?.id ?? '', name: 'copy' })
    expect(world.platform.digest(workload)).toBe(good?.digest)
    expect((await engine.verify({ repository: 'main' })).findings).toEqual([])
    expect(calls.filter((call) => call === 'put' || call === 'delete')).toEqual([])
    const owner = await ownerOf(world.files.read)
    const refusal = {
      code: 'FOREIGN_OWNER',
      message: expect.stringContaining(owner),
      remedy: expect.stringContaining(`takeOver: '${owner}'`),
    }
    await expect(backUp(engine, world.platform, good?.workload as never, 7)).rejects.toMatchObject(refusal)
    await expect(engine.prune({ repository: 'main', points: [good?.id ?? ''] })).rejects.toMatchObject(refusal)
    await expect(engine.pin({ repository: 'main', point: good?.id ?? '' }, 'mine')).rejects.toMatchObject(refusal)
    expect(calls.filter((call) => call === 'put' || call === 'delete')).toEqual([])
  }, 60_000)

  it('is refused a take-over that names another owner, and one from nobody', async () => {
    const world = await worldInMemory()
    const engine = await taker(world)
    await engine.start()
    const owner = await ownerOf(world.files.read)
    await expect(engine.rescan({ repository: 'main', takeOver: 'somebody' })).rejects.toMatchObject({
      code: 'INVALID_OPTIONS',
      message: expect.stringMatching(new RegExp(`somebody.*${owner}`)),
    })
    expect(await ownerOf(world.files.read)).toBe(owner)
  }, 60_000)

  it('after a take-over the old catalog finds itself foreign, and still reads', async () => {
    const world = await worldInMemory()
    const engine = await taker(world)
    await engine.start()
    const owner = await ownerOf(world.files.read)
    await engine.rescan({ repository: 'main', takeOver: owner })
    const old = world.engine
    const good = world.points.at(-1)
    await expect(backUp(old, world.platform, good?.workload as never, 7)).rejects.toMatchObject({ code: 'FOREIGN_OWNER' })
    await expect(old.prune({ repository: 'main', points: [good?.id ?? ''] })).rejects.toMatchObject({ code: 'FOREIGN_OWNER' })
    await expect(old.hold({ repository: 'main', point: good?.id ?? '' }, '2099-01-01T00:00:00Z')).rejects.toMatchObject({
      code: 'FOREIGN_OWNER',
    })
    const before = await world.files.paths()
    expect((await old.verify({ repository: 'main' })).findings).toEqual([])
    const { workload } = await old.restore(good?.workload as never, { point: good?.id ?? '', name: 'copy' })
    expect(world.platform.digest(workload)).toBe(good?.digest)
    expect(await world.files.paths()).toEqual(before)
    const next = await backUp(engine, world.platform, good?.workload as never, 7)
    expect((await engine.points({ repository: 'main' })).map(({ id }) => id)).toContain(next.id)
    expect((await old.verify({ repository: 'main' })).findings).toEqual([])
  }, 60_000)
})
