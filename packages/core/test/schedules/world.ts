import {
  type Cursor,
  codeOf,
  HoldfastError,
  type Json,
  type Lease,
  type ManifestRef,
  type OutboxEvent,
  type Outcome,
  type PointRow,
  type Run,
  type RunRequest,
} from '@holdfast/core/spec'
import {
  countingIds,
  type FaultyRepository,
  faultyRepository,
  type MemoryPlatform,
  type MemoryStore,
  memoryPlatform,
  memoryStore,
  noFaults,
  type ProviderShape,
  providerShapes,
  type Random,
  scriptedProvider,
  seededRandom,
} from '@holdfast/testkit'
import { createEngine } from '../../src/engine/create-engine.ts'
import type { Engine } from '../../src/engine/engine.ts'
import { manifestPath } from '../../src/model/names.ts'
import { createLedger, type Ledger, stateOf } from './ledger.ts'
import { checkCondemned, createTimed, type Timed } from './timed.ts'
import { createTraffic, type Process, quiet, type Traffic } from './traffic.ts'
import { platformView, repositoryView, type StoreObserver, storeView } from './views.ts'

export const leaseMs = 4_000
export const graceMs = 3_600_000
/** Of the schedules, so many have plans that are due, people who are told, and clocks that jump. */
const timedShare = 0.25
/** With which the engine asks what is due; others ask only for the time. */
const firingBatch = 1000

export interface WorkloadOfWorld {
  readonly provider: string
  readonly id: string
  /** On the platform. */
  readonly name: string
  readonly shape: ProviderShape
}

/** A process with its engine. */
export interface Node extends Process {
  readonly engine: Engine
  readonly store: MemoryStore
  started: boolean
}

/** A repository, and what must be true of it. */
export interface Site {
  readonly name: string
  readonly repository: FaultyRepository
  readonly ledger: Ledger
}

/** Everything one schedule plays with. */
export interface World {
  readonly random: Random
  readonly traffic: Traffic
  readonly repository: FaultyRepository
  readonly disk: { mounted: boolean; full: boolean }
  readonly platform: MemoryPlatform
  readonly workloads: readonly WorkloadOfWorld[]
  readonly ledger: Ledger
  /** Where points are copied to, in some worlds. */
  readonly offsite: Site | undefined
  /** Points are merged and copied more often than anything else happens. */
  readonly rewrites: boolean
  readonly coverage: Set<string>
  /** Absent: nothing is ever due, and nobody is told. */
  readonly timed: Timed | undefined
  store: MemoryStore
  /** The highest number of nodes ever made, for their names. */
  nodes: number
  violation: string | undefined
  /** What the point that a restore was made from held, by run key. */
  readonly restored: Map<string, unknown>
  /** Options of every backup. */
  backupOptions: Json
  say(text: string): void
  makeStore(): MemoryStore
  makeNode(options?: { readonly store: MemoryStore; readonly name: string }): Promise<Node>
  violate(text: string): void
}

/** The main repository first. */
export function sitesOf({ repository, ledger, offsite }: World): readonly Site[] {
  return [{ name: 'main', repository, ledger }, ...(offsite ? [offsite] : [])]
}

const usualFaults = {
  lostRequest: 0.006,
  lostAnswer: 0.01,
  lateRequest: 0.05,
  doubledRequest: 0.15,
  ownExists: 0.03,
  diskFull: 0.004,
  failed: 0.002,
  listLag: 0.3,
  lagMs: 500,
}
const platformFaults = { requestLost: 0.006, answerLost: 0.006, late: 0.01, doubled: 0.03, broken: 0.004, cut: 0.004 }

/** A world for a schedule written by hand: these workloads, no faults, and every call waits. */
export interface ByHand {
  readonly shapes: readonly ProviderShape[]
  /** With plans that are due. */
  readonly timed?: true
  /** Of each machine. Default 1. */
  readonly disks?: number
  /** With a repository to which points are copied. */
  readonly offsite?: true
}

export function createWorld(seed: number, trace?: (text: string) => void, byHand?: ByHand): World {
  const random = seededRandom(seed)
  const say = (text: string) => trace?.(`${String(world.traffic.step).padStart(4)} ${text}`)
  const traffic = createTraffic(random.fork('traffic'), trace && say, byHand !== undefined)
  const repository = faultyRepository({ random: random.fork('repository'), clock: traffic.clock, faults: byHand ? noFaults : usualFaults })
  const platform = memoryPlatform({ random: random.fork('platform'), clusters: 2, fileBytes: 300, faults: byHand ? {} : platformFaults })
  const coverage = new Set<string>()
  const violate = (text: string) => {
    world.violation ??= text
    say(`VIOLATION ${text}`)
  }
  const ids = countingIds('i')
  const busyResources = random.chance(0.5)
  const makeStore = () => memoryStore({ clock: traffic.clock, ids })
  const chooser = random.fork('workloads')
  const workloads = makeWorkloads(byHand?.shapes ?? twoShapes(chooser), platform, byHand ? (byHand.disks ?? 1) : 1 + chooser.below(2))
  const times = random.fork('times')
  const offsite = byHand ? byHand.offsite === true : chooser.chance(0.4)
  const copies = faultyRepository({ random: random.fork('offsite'), clock: traffic.clock, faults: byHand ? noFaults : usualFaults })
  const rewrites = byHand === undefined && chooser.chance(0.25)
  const isTimed = byHand ? byHand.timed === true : times.chance(timedShare)
  const world: World = {
    random: random.fork('driver'),
    traffic,
    repository,
    disk: { mounted: true, full: false },
    platform,
    workloads,
    ledger: createLedger(repository, 'main', violate),
    offsite: offsite ? { name: 'offsite', repository: copies, ledger: createLedger(copies, 'offsite', violate) } : undefined,
    rewrites,
    coverage,
    timed: isTimed ? createTimed(times, workloads, (workload) => optionsOf(world, workload), offsite, violate) : undefined,
    store: makeStore(),
    nodes: 0,
    violation: undefined,
    restored: new Map(),
    backupOptions: {},
    say,
    makeStore,
    makeNode: (options) => makeNode(world, ids, busyResources, options),
    violate,
  }
  return world
}

function twoShapes(random: Random): readonly ProviderShape[] {
  const first = random.pick(providerShapes)
  return [first, random.pick(providerShapes.filter((shape) => shape !== first))]
}

function makeWorkloads(shapes: readonly ProviderShape[], platform: MemoryPlatform, disks: number): readonly WorkloadOfWorld[] {
  return shapes.map((shape, index) => {
    const name = `w${index}`
    if (shape === 'tarVolume') return { provider: shape.toLowerCase(), shape, name, id: platform.addVolume(name) }
    if (shape === 'tarProject') return { provider: shape.toLowerCase(), shape, name, id: platform.addProject(name) }
    return { provider: shape.toLowerCase(), shape, name, id: platform.addMachine(name, disks) }
  })
}

async function makeNode(
  world: World,
  ids: { next(): string },
  busyResources: boolean,
  options: { readonly store: MemoryStore; readonly name: string } | undefined,
): Promise<Node> {
  const { traffic } = world
  const store = options?.store ?? world.store
  const timed = options ? undefined : world.timed
  const process: Process = {
    name: options?.name ?? `node-${++world.nodes}`,
    dead: false,
    frozenUntil: 0,
    failures: 0,
    wallAtStart: timed?.jump.wallMs ?? 0,
    taken: new Map(),
  }
  const platform = platformView(world.platform, process, traffic)
  const viewOf = ({ repository, ledger }: Site) =>
    repositoryView(repository, process, traffic, world.disk, (label) => {
      if (!label.startsWith('put visible') || label.endsWith('.json')) ledger.inspect()
    })
  const view = storeView(store, process, traffic, observerOf(world, store, process))
  const runs = busyResources ? view.runs : { ...view.runs, create: withoutResources(view.runs.create) }
  const plans = busyResources ? view.plans : { ...view.plans, advance: dueWithoutResources(view.plans.advance) }
  const wasOpen = traffic.open
  traffic.open = true
  const made = createEngine({
    name: process.name,
    system: options?.name ?? 'holdfast',
    store: { ...view, runs, plans },
    repositories: Object.fromEntries(sitesOf(world).map((site) => [site.name, viewOf(site)])),
    providers: Object.fromEntries(
      world.workloads.map(({ provider, shape }) => [provider, scriptedProvider(platform, { shape, name: provider })]),
    ),
    clock: traffic.clockOf(process),
    ids,
    leaseMs,
    graceMs,
    retry: { maxFailures: 40, delayMs: 5 },
    concurrency: 2,
    ...(timed && { plans: timed.plans(), notifiers: timed.receivers.views(process, traffic) }),
  })
  const engine = await made
  await quiet()
  traffic.open = wasOpen
  return Object.assign(process, { engine, store, started: false })
}

/** Half of the schedules run without any exclusive resource: safety must not need it. */
function withoutResources(create: Node['store']['runs']['create']): Node['store']['runs']['create'] {
  return (requests, options) =>
    create(
      requests.map((request) => ({ ...request, resources: [] })),
      options,
    )
}

function dueWithoutResources(advance: Node['store']['plans']['advance']): Node['store']['plans']['advance'] {
  return (from, next, requests, options) =>
    advance(
      from,
      next,
      requests.map((request) => ({ ...request, resources: [] })),
      options,
    )
}

/** Increments of a stream go through files of this machine, which take their own time: no schedule could be played again. */
export function chainOf({ shape }: WorkloadOfWorld): { readonly chain?: { readonly maxIncrementals: number } } {
  return shape === 'esxiLike' ? { chain: { maxIncrementals: 0 } } : {}
}

/** What the backup of this workload is told. */
export function optionsOf(world: World, { shape }: WorkloadOfWorld): Json {
  return shape === 'tarVolume' || shape === 'tarProject' ? world.backupOptions : {}
}

/** Keeps the ledger in step with what the store acknowledges, and counts what the schedules reach. */
function observerOf(world: World, store: MemoryStore, process: Process): StoreObserver {
  return (method, given, result, error) => {
    if (error !== undefined) {
      if (codeOf(error) === 'STALE_LEASE') world.coverage.add('stale write refused')
      return
    }
    if (method === 'runs.take') {
      for (const run of result as readonly Run[]) if (run.attempt > 1) world.coverage.add('takeover or retry')
      for (const run of result as readonly Run[]) process.taken.set(run.id, world.traffic.step)
      for (const run of result as readonly Run[]) world.say(`take ${run.key} attempt ${run.attempt}`)
    }
    if (world.store !== store) return
    if (method === 'runs.finish') noteFinish(world, store, given[0] as Lease, given[1] as Outcome)
    if (world.timed) noteTime(world, world.timed, { process, method, given, result })
    if (method === 'runs.save') noteTarget(world, given[1] as { readonly target?: ManifestRef | null })
    if (method === 'points.sync' && result === true) {
      const ledger = ledgerOf(world, given[1])
      ledger.dropped(given[5] as readonly ManifestRef[])
      ledger.finished(store, given[4] as readonly PointRow[])
    }
    if (method === 'points.condemn' && result === true) {
      if (!world.traffic.open) world.coverage.add('points condemned')
      world.say(`condemn ${(given[4] as readonly ManifestRef[]).map((ref) => manifestPath(ref.folder, ref.number)).join(' ')}`)
      ledgerOf(world, given[1]).condemned(store, given[4] as readonly ManifestRef[])
      if (given[1] === 'main') checkCondemned(world, process, given[0] as Lease, given[4] as readonly ManifestRef[])
    }
    if (method === 'points.forget' && !world.traffic.open) world.coverage.add('prune deletes')
  }
}

const ledgerOf = (world: World, repository: unknown): Ledger =>
  repository === 'offsite' && world.offsite ? world.offsite.ledger : world.ledger

interface SeenCall {
  readonly process: Process
  readonly method: string
  readonly given: readonly unknown[]
  readonly result: unknown
}

/** Keeps in step what is due and what is to be told. */
function noteTime(world: World, { claims, receivers }: Timed, { process, method, given, result }: SeenCall): void {
  const state = () => stateOf(world.store)
  if (method === 'plans.due' && given[0] === firingBatch) claims.looked(process, state)
  if (method === 'plans.advance') {
    const [from, next, requests, told] = given as [
      Cursor,
      number | null,
      readonly RunRequest[],
      { readonly events?: readonly OutboxEvent[] },
    ]
    receivers.announced(told.events ?? [])
    if (result === true && told.events?.some(({ id }) => id.includes('/missed/'))) world.coverage.add('due time missed')
    world.say(`${process.name} claims ${from.planId} ${from.due} to ${next}: ${result}`)
    world.coverage.add(result === true ? 'due time claimed' : 'due time claimed by another')
    if (result === true) claims.won(process, from, next, requests, state)
  }
  if (method === 'plans.setBack' && result === true) {
    const [{ planId }, due] = given as [Cursor, number]
    claims.setBack(planId, due)
    world.say(`${process.name} sets ${planId} back to ${due}`)
  }
  if (method === 'outbox.add') {
    const events = given[0] as readonly OutboxEvent[]
    receivers.announced(events)
  }
  if (method === 'runs.finish') {
    const [, outcome, , events] = given as [Lease, Outcome, unknown, readonly OutboxEvent[]]
    receivers.announced(events)
    if (outcome.state !== 'queued' && events.length === 0) world.violate(`a run that ended as ${outcome.state} tells nobody`)
  }
}

function noteFinish(world: World, store: MemoryStore, lease: Lease, outcome: Outcome): void {
  const run = stateOf(store).runs.get(lease.runId)
  world.say(`finish ${run?.key} ${outcome.state}${'error' in outcome ? ` ${JSON.stringify(outcome.error)}` : ''}`)
  if (outcome.state !== 'succeeded') return
  if (!world.traffic.open) world.coverage.add(`${run?.operation} succeeded`)
  for (const { name, ledger } of sitesOf(world)) {
    const rows = outcome.points.filter(({ repository }) => repository === name)
    ledger.finished(store, rows)
    if (name !== 'main' && rows.length > 0 && !world.traffic.open) world.coverage.add('point copied')
  }
  if (run?.operation === 'restore') noteRestored(world, run)
  if (run?.planId !== undefined && !world.traffic.open) world.coverage.add(`due ${run.operation} succeeded`)
  for (const point of outcome.points) {
    const manifest = ledgerOf(world, point.repository).current().get(point.folder)
    if (manifest && (manifest.rewritten ?? manifest).attempt !== lease.attempt) world.coverage.add('commit adopted')
  }
}

function noteTarget(world: World, { target }: { readonly target?: ManifestRef | null }): void {
  if (!target) return
  const path = manifestPath(target.folder, target.number)
  const bytes = sitesOf(world)
    .find(({ name }) => name === target.repository)
    ?.repository.snapshot()
    .get(path)
  if (bytes && bytes.length > 0) world.coverage.add('commit found by probe')
}

/** A point id may be used again after its point was deleted, also while a copy of the old one lies elsewhere, so what it holds is noted now. */
function noteRestored(world: World, run: Run): void {
  const { point } = run.result as { readonly point: string }
  const { repository } = run.input as { readonly repository: string }
  const ledger = sitesOf(world).find(({ name }) => name === repository)?.ledger
  for (const manifest of ledger?.current().values() ?? [])
    if (manifest.point === point) world.restored.set(run.key, (manifest.description as { readonly digest: string }).digest)
}

/** No call waits or fails. */
export function calm(world: World): void {
  world.traffic.open = true
  for (const { repository } of sitesOf(world)) repository.setFaults(noFaults)
  world.platform.setFaults({})
  world.timed?.receivers.fail(false)
}

export function storm(world: World): void {
  world.traffic.open = false
  for (const { repository } of sitesOf(world)) repository.setFaults(usualFaults)
  world.platform.setFaults(platformFaults)
  world.timed?.receivers.fail(true)
}

export function busy(what: string): HoldfastError {
  return new HoldfastError('STORE_BUSY', `${what}: injected`)
}
