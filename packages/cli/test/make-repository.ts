import { createEngine, localRepository } from '@holdfast/core'
import { type Clock, systemClock } from '@holdfast/core/spec'
import { countingIds, type MemoryPlatform, memoryPlatform, memoryStore, scriptedProvider, seededRandom } from '@holdfast/testkit'

/** A point that was made, and what its workload held then. */
export interface MadePoint {
  readonly id: string
  readonly contents: ReadonlyMap<string, Uint8Array>
}

/** Three workloads with two or three points each. */
export interface MadeRepository {
  readonly platform: MemoryPlatform
  /** Newest last. A volume as tar, zstd, the last one gzip. */
  readonly volume: readonly MadePoint[]
  /** A machine with two disks: a full, then increments. */
  readonly chain: readonly MadePoint[]
  /** A machine kept as VMDK, with descriptor and NVRAM. */
  readonly vmdk: readonly MadePoint[]
}

/** The real clock, but handles look at once whether their run has ended. */
const hastyClock: Clock = { ...systemClock, sleep: (ms, options) => systemClock.sleep(ms === 100 ? 0 : ms, options) }

/** Makes a repository with an engine, which is gone afterwards, its store too. */
export async function makeRepository(folder: string, { seed = 1, rounds = 3, clusters = 12 } = {}): Promise<MadeRepository> {
  const random = seededRandom(seed)
  const platform = memoryPlatform({ random: random.fork('platform'), clusters, fileBytes: 5000 })
  const engine = await createEngine({
    name: 'node-a',
    store: memoryStore({ clock: hastyClock, ids: countingIds('store') }),
    repositories: { main: localRepository({ folder }) },
    providers: {
      files: scriptedProvider(platform, { shape: 'tarVolume', name: 'files' }),
      ovirt: scriptedProvider(platform, { shape: 'ovirtLike', name: 'ovirt' }),
      esxi: scriptedProvider(platform, { shape: 'esxiLike', name: 'esxi' }),
    },
    clock: hastyClock,
    retry: { maxFailures: 1 },
  })
  const made = { volume: [] as MadePoint[], chain: [] as MadePoint[], vmdk: [] as MadePoint[] }
  const workloads = [
    { list: made.volume, workload: { provider: 'files', id: platform.addVolume('shop-data') } },
    { list: made.chain, workload: { provider: 'ovirt', id: platform.addMachine('db', 2) } },
    { list: made.vmdk, workload: { provider: 'esxi', id: platform.addMachine('web', 1) } },
  ]
  try {
    await engine.start()
    for (let round = 0; round < rounds; round++) {
      for (const { list, workload } of workloads) {
        const contents = platform.contents(workload.id) ?? new Map<string, Uint8Array>()
        const order = { operation: 'backup', repository: 'main', workload, compression: round === 2 ? 'gzip' : 'zstd' } as const
        // What is exported is kept as it came each time.
        const whole = list === made.vmdk && ({ chain: { maxIncrementals: 0 } } as const)
        const { point } = (await engine.run({ key: `${workload.id}/${round}`, ...order, ...whole })) as { point: string }
        list.push({ id: point, contents })
      }
      const changes = random.fork(`round ${round}`)
      for (let count = 0; count < 8; count++) platform.mutate(changes)
    }
    await engine.pin({ repository: 'main', point: made.volume[0]?.id ?? '' }, 'before the move')
    await engine.verify({ repository: 'main', points: [made.volume[1]?.id ?? made.volume[0]?.id ?? ''] })
  } finally {
    await engine.stop()
  }
  return { platform, ...made }
}
