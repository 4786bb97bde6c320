import { type MemoryStore, type MemoryStoreCopy, memoryRepository } from '@holdfast/testkit'
import { describe, expect, it } from 'vitest'
import { apply, byKind, type Chains, chainsOf, type Damage, expectNamed, putBack, restoreIsHonest } from './damage-rounds.ts'
import {
  allKinds,
  type DamageWorld,
  damageWorld,
  type FileKind,
  flipped,
  kindOf,
  newStore,
  pointOfPath,
  type StoredFiles,
  setAllFlags,
} from './damage-world.ts'
import { filesInMemory } from './stored-files.ts'

const long = process.env.HOLDFAST_LONG === '1'
const flipsPerKind = long ? 2000 : 500
/** One round in so many tries restores too. */
const restoreEvery = long ? 1 : 20
const seed = Number(process.env.HOLDFAST_SEED ?? 20261121)

const diskKinds = new Set<FileKind>(['qcow2 full', 'qcow2 incremental', 'sums'])
/** `repository.json` has rounds of its own: while it is bad no flag is written. */
const kinds = allKinds.filter((kind) => kind !== 'repository.json')

/** One flipped bit in a file of each kind, as far as they do not hide each other: a bad manifest hides its files, bad sums their disk. */
async function chooseFlips(world: DamageWorld, files: StoredFiles, chains: Chains, left: ReadonlyMap<FileKind, number>) {
  const candidates = await byKind(files, chains)
  const damages: Damage[] = []
  const taken = new Set<string>()
  for (const kind of kinds) {
    if ((left.get(kind) ?? 0) <= 0) continue
    const isFlag = ['pin', 'hold', 'quarantine', 'verified'].includes(kind)
    const free = (candidates.get(kind) ?? []).filter((path) => isFlag || !taken.has(pointOfPath(path)))
    if (free.length === 0) continue
    const path = world.random.pick(free)
    if (kind === 'manifest' || diskKinds.has(kind)) taken.add(pointOfPath(path))
    const before = await files.read(path)
    // Half of them at the beginning, where headers and tables are.
    const bit = world.random.below((world.random.chance(0.5) ? Math.min(before.length, 600) : before.length) * 8)
    damages.push({ path, kind, before, after: flipped(before, bit), what: `bit ${bit} of` })
  }
  return damages
}

describe('flipped bits', () => {
  it(`faults F5: ${flipsPerKind} flips of each kind of file are named, and no restore says that damage is good (seed ${seed})`, async () => {
    const repository = memoryRepository()
    const files = filesInMemory(repository)
    const world = await damageWorld({ seed, repository })
    await setAllFlags(world, files)
    const chains = await chainsOf(world)
    const found = await byKind(files, chains)
    expect([...found.keys()].sort()).toEqual([...allKinds].sort())
    expect(world.points).toHaveLength(12)
    const left = new Map<FileKind, number>(kinds.map((kind) => [kind, flipsPerKind]))
    let refused = 0
    for (let round = 0; [...left.values()].some((count) => count > 0); round++) {
      const note = `seed ${seed} round ${round}`
      const damages = await chooseFlips(world, files, chains, left)
      await apply(files, damages)
      const { findings } = await world.engine.verify({ repository: 'main' })
      expectNamed(findings, damages, chains, note)
      if (round % restoreEvery === 0) {
        const bad = world.points.filter(({ id }) => damages.some(({ path }) => pointOfPath(path) === id))
        const outcomes = await Promise.all(bad.map((point) => restoreIsHonest(world, point, damages, note)))
        refused += outcomes.filter(Boolean).length
      }
      await putBack(files, damages)
      for (const { kind } of damages) left.set(kind, (left.get(kind) ?? 0) - 1)
    }
    expect(refused).toBeGreaterThan(flipsPerKind / restoreEvery)
    expect(world.platform.leftovers()).toEqual([])
    const { findings } = await world.engine.verify({ repository: 'main' })
    expect(findings).toEqual([])
    await world.engine.stop()
  }, 7_200_000)

  it('every bit of one manifest, and of repository.json, is named', async () => {
    const repository = memoryRepository()
    const files = filesInMemory(repository)
    const store = newStore(seed)
    const world = await damageWorld({ seed, repository, rounds: 1, store })
    const chains = await chainsOf(world)
    const { id } = world.points[0] ?? { id: '' }
    const before = store.dump()
    for (const path of (await files.paths()).filter(
      (each) => kindOf(each, chains.fulls) === 'repository.json' || each.includes(`${id}/manifest`),
    )) {
      const bytes = await files.read(path)
      for (let bit = 0; bit < bytes.length * 8; bit++) {
        const damage: Damage = { path, kind: kindOf(path, chains.fulls), before: bytes, after: flipped(bytes, bit), what: `bit ${bit} of` }
        await apply(files, [damage])
        const { findings } = await world.engine.verify({ repository: 'main', points: [id], mode: 'quick' })
        expectNamed(findings, [damage], chains, 'every bit')
        // A catalog of many thousand runs is not what is tested here.
        if (bit % 500 === 499) await forgetRuns(world, store, files, before)
      }
      await forgetRuns(world, store, files, before)
      await files.write(path, bytes)
    }
    const { findings } = await world.engine.verify({ repository: 'main' })
    expect(findings).toEqual([])
    await world.engine.stop()
  }, 7_200_000)
})

async function forgetRuns(world: DamageWorld, store: MemoryStore, files: StoredFiles, before: MemoryStoreCopy): Promise<void> {
  await world.engine.idle()
  store.load(before)
  for (const path of await files.paths()) if (path.endsWith('/quarantine.json')) await files.write(path, undefined)
}
