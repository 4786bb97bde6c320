import type { Clock, Repository, Store } from '@holdfast/core/spec'
import {
  countingIds,
  type MemoryPlatform,
  type MemoryStore,
  type MemoryStoreOptions,
  memoryPlatform,
  memoryStore,
  type Random,
  scriptedProvider,
  seededRandom,
} from '@holdfast/testkit'
import { systemClock } from '../../src/clock.ts'
import { createEngine } from '../../src/engine/create-engine.ts'
import type { Engine } from '../../src/engine/engine.ts'
import type { BackupOutcome } from '../../src/model/run-outcome.ts'
import type { WorkloadRef } from '../../src/spec/workload.ts'

/** The real clock, but handles look at once whether their run has ended: thousands of runs wait for nothing. */
export const hastyClock: Clock = { ...systemClock, sleep: (ms, options) => systemClock.sleep(ms === 100 ? 0 : ms, options) }

/** A restore point and what the machine or volume was like when it was made. */
export interface MadePoint {
  readonly id: string
  readonly workload: WorkloadRef
  readonly digest: string
}

export interface DamageWorld {
  readonly seed: number
  readonly random: Random
  readonly platform: MemoryPlatform
  readonly store: Store
  readonly repository: Repository
  readonly engine: Engine
  /** A volume, a machine kept as VMDK, a machine kept as a chain of qcow2. */
  readonly workloads: readonly WorkloadRef[]
  /** In the order in which they were made. */
  readonly points: readonly MadePoint[]
}

export interface WorldOptions {
  readonly seed: number
  readonly store?: Store
  readonly repository: Repository
  /** Backups of each of the three workloads. */
  readonly rounds?: number
}

export function engineOver(world: Pick<DamageWorld, 'platform'>, store: Store, repository: Repository): Promise<Engine> {
  const { platform } = world
  return createEngine({
    name: 'node-a',
    store,
    repositories: { main: repository },
    providers: {
      tar: scriptedProvider(platform, { shape: 'tarVolume', name: 'tar' }),
      esxi: scriptedProvider(platform, { shape: 'esxiLike', name: 'esxi' }),
      ovirt: scriptedProvider(platform, { shape: 'ovirtLike', name: 'ovirt' }),
    },
    clock: hastyClock,
    retry: { maxFailures: 1 },
    concurrency: 8,
  })
}

export function newStore(seed: number, name = 's', turn?: MemoryStoreOptions['turn']): MemoryStore {
  return memoryStore({ clock: hastyClock, ids: countingIds(`${name}${seed}x`), ...(turn && { turn }) })
}

/** A repository with points of a volume (zstd, the third gzip), of a machine kept as VMDK, and of a machine as a chain of qcow2. */
export async function damageWorld({ seed, repository, rounds = 4, store = newStore(seed) }: WorldOptions): Promise<DamageWorld> {
  const random = seededRandom(seed)
  const platform = memoryPlatform({ random: random.fork('platform'), clusters: 2, fileBytes: 300 })
  const workloads = [
    { provider: 'tar', id: platform.addVolume('files') },
    { provider: 'esxi', id: platform.addMachine('web', 1) },
    { provider: 'ovirt', id: platform.addMachine('db', 2) },
  ]
  const engine = await engineOver({ platform }, store, repository)
  await engine.start()
  const points: MadePoint[] = []
  for (let round = 0; round < rounds; round++) {
    for (const workload of workloads) points.push(await backUp(engine, platform, workload, round))
    const changes = random.fork(`round ${round}`)
    for (let count = 0; count < 6; count++) platform.mutate(changes)
  }
  return { seed, random, platform, store, repository, engine, workloads, points }
}

export async function backUp(engine: Engine, platform: MemoryPlatform, workload: WorkloadRef, round: number): Promise<MadePoint> {
  const digest = platform.digest(workload.id) ?? ''
  const compression = round === 2 ? 'gzip' : 'zstd'
  const key = `backup/${workload.id}/${round}`
  // The first exports are kept as they came; later ones have sums beside them, and increments.
  const whole = workload.provider === 'esxi' && round < 2 && { chain: { maxIncrementals: 0 } }
  const order = { key, operation: 'backup', repository: 'main', workload, compression, ...whole } as const
  const made = (await engine.run(order)) as unknown as BackupOutcome
  return { id: made.point, workload, digest }
}

/** Every file kind is there: a pin, a hold, a quarantine and verification results beside the points. */
export async function setAllFlags(world: DamageWorld, files: StoredFiles): Promise<void> {
  const { engine, points } = world
  const [pinned, held, quarantined] = [points[0], points[4], points[1]].map((point) => ({ repository: 'main', point: point?.id ?? '' }))
  await engine.pin(pinned as never, 'before the upgrade')
  await engine.hold(held as never, '2099-01-31T00:00:00.000Z')
  const paths = await files.paths()
  const spoiled = paths.find((path) => path.includes(quarantined?.point ?? '?') && path.endsWith('.vmdk')) ?? ''
  const bytes = await files.read(spoiled)
  await files.write(spoiled, flipped(bytes, 999))
  await engine.verify({ repository: 'main', points: [quarantined?.point ?? ''] })
  await files.write(spoiled, bytes)
  await engine.verify({ repository: 'main' })
}

/** The files of a repository as a disk that rots sees them. */
export interface StoredFiles {
  paths(): Promise<readonly string[]>
  read(path: string): Promise<Uint8Array>
  /** Undefined: the file is gone. */
  write(path: string, bytes: Uint8Array | undefined): Promise<void>
}

export function flipped(bytes: Uint8Array, bit: number): Uint8Array {
  const copy = new Uint8Array(bytes)
  const at = (bit >> 3) % copy.length
  copy[at] = (copy[at] as number) ^ (1 << (bit & 7))
  return copy
}

export const allKinds = [
  'manifest',
  'zst',
  'gz',
  'index zst',
  'index gz',
  'vmdk',
  'bytes',
  'SHA256SUMS',
  'qcow2 full',
  'qcow2 incremental',
  'sums',
  'pin',
  'hold',
  'quarantine',
  'verified',
  'repository.json',
] as const
export type FileKind = (typeof allKinds)[number]

/** What kind of file a path is; `fulls` are the ids of the points whose disks build on nothing. */
export function kindOf(path: string, fulls: ReadonlySet<string>): FileKind {
  const name = path.slice(path.lastIndexOf('/') + 1)
  if (name === 'repository.json' || name === 'SHA256SUMS') return name
  const flag = /^(pin|hold|quarantine|verified)\.json$/.exec(name)
  if (flag) return flag[1] as FileKind
  if (/^manifest\.\d+\.json$/.test(name)) return 'manifest'
  const index = /\.index\.(zst|gz)$/.exec(name)
  if (index) return `index ${index[1]}` as FileKind
  if (name.endsWith('.qcow2')) return fulls.has(pointOfPath(path)) ? 'qcow2 full' : 'qcow2 incremental'
  const suffix = /\.(zst|gz|vmdk|sums)$/.exec(name)
  return suffix ? (suffix[1] as FileKind) : 'bytes'
}

/** The id of the point that a path belongs to; empty for `repository.json`. */
export const pointOfPath = (path: string): string => path.split('/')[1] ?? ''
