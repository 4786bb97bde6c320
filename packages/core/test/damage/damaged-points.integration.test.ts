import { memoryRepository } from '@holdfast/testkit'
import { describe, expect, it, onTestFinished } from 'vitest'
import { backUp, damageWorld, engineOver, flipped, newStore, type StoredFiles, setAllFlags } from './damage-world.ts'
import { localWorld as worldOf } from './local-world.ts'
import { filesInMemory } from './stored-files.ts'

const seed = Number(process.env.HOLDFAST_SEED ?? 20261122)
const localWorld = (rounds?: number) => worldOf(seed, rounds)

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
    for (const item of next.items)
      expect(item).toMatchObject({ form: 'full', reason: expect.stringMatching(/^the newest point, [^,]+, is quarantined$/) })
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
    for (const item of next.items)
      expect(item).toMatchObject({ form: 'full', reason: expect.stringMatching(/^a point that it would build on, [^,]+, is quarantined$/) })
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
