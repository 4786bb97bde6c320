import { describe, expect, it } from 'vitest'
import { apply, byKind, type Chains, chainsOf, type Damage, expectNamed, putBack, restoreIsHonest } from './damage-rounds.ts'
import { allKinds, type DamageWorld, type FileKind, pointOfPath, type StoredFiles, setAllFlags } from './damage-world.ts'
import { localWorld as worldOf } from './local-world.ts'

const seed = Number(process.env.HOLDFAST_SEED ?? 20261122)
const long = process.env.HOLDFAST_LONG === '1'
const localWorld = (rounds?: number) => worldOf(seed, rounds)

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
    const { findings } = await world.engine.verify({ repository: 'main' })
    expect(findings).toMatchObject([{ point: '', file: path, message: expect.stringContaining('deleted') }])
    expect(await files.paths()).toEqual(before.filter((each) => each !== path))
    await files.write(path, good)
    expect((await world.engine.verify({ repository: 'main' })).findings).toEqual([])
  }, 120_000)
})
