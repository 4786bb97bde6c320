import {
  type CallHook,
  countingIds,
  type MemoryRepository,
  memoryPlatform,
  memoryRepository,
  memoryStore,
  observeCalls,
  recordingLogger,
  scriptedProvider,
  seededRandom,
} from '@holdfast/testkit'
import { expect, onTestFinished } from 'vitest'
import { systemClock } from '../../src/clock.ts'
import { createEngine } from '../../src/engine/create-engine.ts'
import type { Repository } from '../../src/spec/repository.ts'
import { flipped } from './damage-world.ts'

const { signal } = new AbortController()

interface Options {
  readonly points: number
  readonly maxFailures?: number
  /** What sees the calls of the engine on its repositories. */
  readonly hooks?: { readonly main?: CallHook; readonly offsite?: CallHook }
  /** How the machine's disks come. `esxiLike`: as VMDKs that are kept. */
  readonly shape?: 'ovirtLike' | 'esxiLike'
  /** Instead of one in memory. */
  readonly offsite?: Repository
}

/** A machine with one disk, points of it in `main`, and a second repository to copy them to. */
export async function twoRepositories({ points, maxFailures = 1, hooks = {}, shape = 'ovirtLike', offsite: given }: Options) {
  const platform = memoryPlatform({ random: seededRandom(11), clusters: 8 })
  const store = memoryStore({ clock: systemClock, ids: countingIds('s') })
  const main = memoryRepository({ clock: systemClock })
  const offsite = memoryRepository({ clock: systemClock })
  const seen = (repository: Repository, hook: CallHook | undefined, seam: string) =>
    hook ? observeCalls(repository, hook, { seam }) : repository
  const make = async (name: string, watched: NonNullable<Options['hooks']> = {}) => {
    const engine = await createEngine({
      name,
      store,
      repositories: { main: seen(main, watched.main, 'main'), offsite: seen(given ?? offsite, watched.offsite, 'offsite') },
      providers: { p: scriptedProvider(platform, { shape, name: 'p' }) },
      logger: recordingLogger(),
      system: 'one',
      leaseMs: 300,
      retry: { maxFailures, delayMs: 10 },
    })
    onTestFinished(() => engine.stop())
    await engine.start()
    return engine
  }
  const engine = await make('a', hooks)
  const workload = { provider: 'p', id: platform.addMachine('shop', 1) }
  const random = seededRandom(5)
  const ids: string[] = []
  const backup = async () => {
    const made = await engine.run({ key: `backup-${ids.length}`, operation: 'backup', repository: 'main', workload })
    ids.push((made as { readonly point: string }).point)
    for (let writes = 0; writes < 4; writes++) platform.mutate(random)
  }
  for (let count = 0; count < points; count++) await backup()
  /** Ends when all that follows has ended, too. Undefined: it failed. */
  const copy = async (...named: readonly (string | undefined)[]) => {
    const order = { from: 'main', repository: 'offsite', workload, ...(named.length > 0 && { points: named.map((id) => id ?? '') }) }
    const copied = await engine.copy(order).then(
      (outcome) => outcome,
      () => undefined,
    )
    await engine.idle()
    return copied
  }
  const flagsOf = async (id: string | undefined, repository: string) => {
    const points = await engine.points({ repository })
    return points.find((point) => point.id === id)?.flags ?? {}
  }
  const idsIn = async (repository: string) => (await engine.points({ repository })).map(({ id }) => id).reverse()
  return { platform, main, offsite, engine, make, workload, ids, backup, copy, flagsOf, idsIn }
}

/** Flips a bit near the end of each file of a number of a point whose name ends like that; of a disk one in each of the last clusters. */
export async function rot(repository: MemoryRepository, number: string, ending: '.qcow2' | '.sums', clusters = 1): Promise<void> {
  const paths = [...repository.snapshot()].filter(([path]) => path.includes(`${number}/`) && path.endsWith(ending))
  expect(paths).not.toEqual([])
  for (const [path, bytes] of paths) {
    let changed = bytes
    for (let back = 0; back < clusters; back++)
      changed = flipped(changed, (bytes.length - back * 65_536 - (ending === '.sums' ? 5 : 100)) * 8)
    await repository.put(path, once(changed), { signal })
  }
}

async function* once(bytes: Uint8Array): AsyncGenerator<Uint8Array, void, undefined> {
  yield bytes
}
