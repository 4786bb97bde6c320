import { existsSync } from 'node:fs'
import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { sqlite } from '@holdfast/store-sqlite'
import {
  type CallHook,
  type MemoryPlatform,
  memoryPlatform,
  observeCalls,
  observeProvider,
  type ProviderShape,
  scriptedProvider,
  type Turn,
} from '@holdfast/testkit'
import { createEngine, type Engine, localRepository, nodeFileSystem, type RunOrder } from '../../src/index.ts'
import type { Provider, WorkloadRef } from '../../src/spec/index.ts'

/** Where the three things lie that outlive a process. Copying the folder copies the world. */
export const pathsOf = (folder: string) => ({
  repository: join(folder, 'repository'),
  /** Where points are copied to, in worlds that have it. */
  offsite: join(folder, 'offsite'),
  catalog: join(folder, 'catalog.db'),
  platform: join(folder, 'platform'),
  facts: join(folder, 'facts.json'),
})

/** What is known about a prepared world before a process is killed in it. */
export interface Facts {
  readonly workload: WorkloadRef
  /** Oldest first; the first one is pinned. */
  readonly points: readonly { readonly id: string; readonly digest: string }[]
  /** What the workload holds now: a new point must hold it too. */
  readonly digest: string
  /** The store that owns the repository. */
  readonly owner: string
}

export const factsOf = async (folder: string): Promise<Facts> => JSON.parse(await readFile(pathsOf(folder).facts, 'utf8')) as Facts

/** The run that is interrupted has this key in every case, so that everybody finds it. */
export const runKey = 'crash'

/** One operation to be interrupted, and on what. */
export interface CrashCase {
  readonly name: string
  readonly shape: ProviderShape
  /** The database is deleted before the operation starts. */
  readonly catalogLost?: true
  /** Points of the prepared world. Default 2. */
  readonly points?: number
  /** Before the last point one disk loses what it could build on: it is a full there, the other an increment. */
  readonly oneDiskFull?: true
  /** There is a second repository. */
  readonly offsite?: true
  /** There are two snapshots of a plan that keeps two, and one of somebody else. */
  readonly snapshots?: true
  /** What follows the operation is interrupted too. */
  readonly followed?: true
  order(facts: Facts): Omit<RunOrder, 'key'>
}

const repository = 'main'
const backup = ({ workload }: Facts) => ({ operation: 'backup', plan: 'nightly', repository, workload }) as const
const restore = ({ workload }: Facts) => ({ operation: 'restore', repository, workload, name: 'restored' }) as const

const firstCases: readonly CrashCase[] = [
  { name: 'backup of a machine', shape: 'ovirtLike', order: backup },
  { name: 'backup of a volume', shape: 'tarVolume', order: backup },
  { name: 'restore of a machine', shape: 'ovirtLike', order: restore },
  { name: 'restore of a volume', shape: 'tarVolume', order: restore },
  {
    name: 'restore over a volume',
    shape: 'tarVolume',
    order: ({ workload, points }) => ({ operation: 'restore', repository, workload, target: workload.id, point: points[0]?.id }),
  },
  { name: 'verify', shape: 'ovirtLike', order: () => ({ operation: 'verify', repository }) },
  { name: 'prune', shape: 'ovirtLike', order: ({ points }) => ({ operation: 'prune', repository, points: [points[1]?.id] }) },
  { name: 'rescan', shape: 'ovirtLike', order: () => ({ operation: 'rescan', repository }) },
  {
    name: 'rescan of a lost catalog',
    shape: 'ovirtLike',
    catalogLost: true,
    order: ({ owner }) => ({ operation: 'rescan', repository, takeOver: owner }),
  },
]

const rewriteCases: readonly CrashCase[] = [
  {
    name: 'merge',
    shape: 'ovirtLike',
    points: 4,
    followed: true,
    order: ({ points }) => ({ operation: 'merge', repository, point: points[2]?.id }),
  },
  {
    name: 'merge of one disk of two',
    shape: 'ovirtLike',
    points: 3,
    oneDiskFull: true,
    followed: true,
    order: ({ points }) => ({ operation: 'merge', repository, point: points[2]?.id }),
  },
  {
    name: 'copy',
    shape: 'ovirtLike',
    offsite: true,
    followed: true,
    order: ({ workload }) => ({ operation: 'copy', from: repository, repository: 'offsite', workload }),
  },
]

const snapshotCases: readonly CrashCase[] = [
  {
    name: 'snapshot',
    shape: 'ovirtLike',
    snapshots: true,
    followed: true,
    order: ({ workload }) => ({ operation: 'snapshot', plan: 'hourly', workload, name: 'new' }),
  },
]

export const crashCases = [...firstCases, ...rewriteCases, ...snapshotCases]

export interface World {
  readonly engine: Engine
  readonly platform: MemoryPlatform
}

/** One process' view of the world in a folder. With a hook, every call on store, repository, file system and provider passes it. */
export async function openWorld(folder: string, shape: ProviderShape, node: string, hook?: CallHook): Promise<World> {
  const platform = memoryPlatform({ file: pathsOf(folder).platform, ...(hook && { turn: turnOf(hook) }) })
  const engine = await openEngine(folder, node, scriptedProvider(platform, { shape, name: 'p' }), hook)
  return { engine, platform }
}

/** Requests of the provider to its platform are a seam of their own: most of what can be left behind is made between them. */
function turnOf(hook: CallHook): Turn {
  const counts = new Map<string, number>()
  return async (label, phase) => {
    const count = (counts.get(label + phase) ?? 0) + 1
    counts.set(label + phase, count)
    await hook({ seam: 'platform', method: label, phase, count, arguments: [] })
  }
}

/** All engines of one world are nodes of one system on one host. */
export async function openEngine(
  folder: string,
  node: string,
  provider: Provider,
  hook?: CallHook,
  { system = 'crash', leaseMs = hook ? 200 : 2000 }: { readonly system?: string; readonly leaseMs?: number } = {},
): Promise<Engine> {
  const { catalog, repository: root, offsite } = pathsOf(folder)
  const observed = <T extends object>(seam: string, target: T): T => (hook ? observeCalls(target, hook, { seam }) : target)
  // Seams of their own: a point is named by its seam and how often it was passed.
  const local = (root: string, of: string) =>
    observed(`${of}repository`, localRepository({ folder: root, fileSystem: observed(`${of}file-system`, nodeFileSystem()) }))
  return createEngine({
    name: node,
    system,
    store: observed('store', sqlite({ file: catalog, hostName: 'host' })),
    repositories: { main: local(root, ''), ...(existsSync(offsite) && { offsite: local(offsite, 'offsite-') }) },
    providers: { p: hook ? observeProvider(provider, hook) : provider },
    // Who is interrupted has a short lease, so that nobody waits for it. Who recovers does not race it: several of them share a busy machine.
    leaseMs,
    retry: { delayMs: 20 },
  })
}
