import type { Random } from '@holdfast/testkit'
import type { PlanInput } from '../../src/model/plan.ts'
import { type Claims, createClaims } from './claims.ts'
import { type StoreView, stateOf } from './ledger.ts'
import { type Policy, wrongByPolicy } from './policy.ts'
import { createReceivers, type Receivers } from './receivers.ts'
import type { Process } from './traffic.ts'
import { chainOf, type Node, type WorkloadOfWorld, type World } from './world.ts'

const minuteMs = 60_000
/** Smaller steps of a clock are believed. */
const toleranceMs = 5 * minuteMs

/** What happens by itself in some of the worlds: plans are due, people are told, clocks jump. */
export interface Timed {
  readonly random: Random
  readonly claims: Claims
  readonly receivers: Receivers
  readonly policies: ReadonlyMap<string, Policy>
  /** With what each node is made. */
  plans(): { readonly [id: string]: PlanInput }
  /** By how much the wall clocks went away from the time, and when. */
  readonly jump: { wallMs: number; step: number }
}

interface Draw {
  readonly id: string
  readonly workload: WorkloadOfWorld
  readonly minutes: number
  readonly retention: Policy | undefined
  readonly glob: boolean
  readonly copy: readonly { readonly repository: string; readonly retention: Policy }[] | undefined
  readonly schedule: { readonly overlap: 'skip' | 'queue-one'; readonly jitter: number; readonly missed: Missed }
}
type Missed = { readonly policy: 'skip' } | { readonly policy: 'latest'; readonly window?: number }

const retentions: readonly (Policy | undefined)[] = [
  { last: 1 },
  { last: 1, chains: 'merge' },
  { last: 2 },
  { last: 2, chains: 'merge' },
  { within: 3 * minuteMs },
  undefined,
]

export function createTimed(
  random: Random,
  workloads: readonly WorkloadOfWorld[],
  optionsOf: PlanOptions,
  offsite: boolean,
  violate: (text: string) => void,
): Timed {
  const draw = (id: string, minutes: number, workload: WorkloadOfWorld, retention: Policy | undefined): Draw => ({
    id,
    workload,
    minutes,
    retention,
    glob: random.chance(0.3),
    copy:
      offsite && random.chance(0.5)
        ? [{ repository: 'offsite', retention: random.pick([{ last: 2 }, { last: 2, chains: 'merge' }]) }]
        : undefined,
    schedule: {
      overlap: random.pick(['skip', 'queue-one']),
      jitter: random.pick([0, 0, 20_000]),
      missed: random.pick([{ policy: 'skip' }, { policy: 'latest' }, { policy: 'latest', window: 7 * minuteMs }]),
    },
  })
  const [first] = workloads
  if (!first) throw new Error('a world without workloads')
  const draws = [
    draw('often', 1, first, random.pick(retentions.slice(0, -1))),
    // Sometimes on the same workload: then points of one plan build on those of the other.
    draw('seldom', 10, random.pick(workloads), random.pick(retentions)),
  ]
  const tidies = random.chance(0.5)
  const intervals = new Map([...draws.map(({ id, minutes }) => [id, minutes * minuteMs] as const), ['tidy', 4 * minuteMs] as const])
  return {
    random,
    claims: createClaims(intervals, violate),
    receivers: createReceivers(random.fork('receivers'), violate),
    policies: new Map(draws.flatMap(({ id, retention }) => (retention ? [[id, retention] as const] : []))),
    plans: () => ({
      ...Object.fromEntries(draws.map((each) => [each.id, planOf(each, optionsOf)])),
      ...(tidies && { tidy: { kind: 'maintenance', task: 'clean-up', schedule: { type: 'every', interval: 4 * minuteMs } } }),
    }),
    jump: { wallMs: 0, step: 0 },
  }
}

/** Options of a backup, by the shape of its provider. */
type PlanOptions = (workload: WorkloadOfWorld) => unknown

function planOf({ workload, minutes, retention, glob, copy, schedule }: Draw, optionsOf: PlanOptions): PlanInput {
  const { provider, id, name } = workload
  return {
    kind: 'backup',
    repository: 'main',
    workloads: [glob ? { provider, glob: name } : { provider, id }],
    options: optionsOf(workload),
    compression: 'none',
    ...chainOf(workload),
    schedule: { type: 'every', interval: minutes * minuteMs, ...schedule },
    ...(retention && { retention }),
    ...(copy && { copy }),
  }
}

/** True if time did something out of the ordinary in this step. */
export function disturbTime(world: World, nodes: readonly (Node | undefined)[]): boolean {
  const { timed, traffic } = world
  if (!timed) return false
  const { random } = timed
  const chance = random.next()
  if (chance < 0.02) {
    const passed = random.pick([minuteMs, minuteMs, 2 * minuteMs, 12 * minuteMs])
    world.say(`TIME: ${passed / minuteMs} minutes pass`)
    traffic.pass(passed)
  } else if (chance < 0.022) jump(world, timed)
  else if (chance < 0.03) {
    const started = nodes.filter((node): node is Node => node?.started === true && !traffic.frozen(node))
    if (started.length > 0) hold(world, random.pick(started), random)
  } else return false
  return true
}

/** Forwards or back, and the next time to where it should be. */
function jump(world: World, { random, jump: jumped }: Timed): void {
  jumped.wallMs = jumped.wallMs === 0 ? random.pick([-20, -7, 7, 20]) * minuteMs : 0
  jumped.step = world.traffic.step
  world.traffic.setWall(jumped.wallMs)
  world.say(`TIME: the clocks are ${jumped.wallMs / minuteMs} minutes ahead`)
  world.coverage.add('clock jumped')
}

function hold(world: World, node: Node, random: Random): void {
  const folders = [...world.ledger.current().keys()]
  if (folders.length === 0) return
  const folder = random.pick(folders)
  const { store } = world
  world.say(`${node.name} holds ${folder}`)
  node.engine.hold({ repository: 'main', point: folder.slice(folder.indexOf('/') + 1) }, '2027-01-01T00:00:00Z').then(
    () => {
      if (world.store !== store) return
      world.ledger.held.add(folder)
      world.coverage.add('hold acknowledged')
      world.ledger.inspect()
    },
    () => undefined,
  )
}

/** A prune that only goes by age must not delete what the policy keeps, nor anything at all while its own clock is not to be trusted. */
export function checkCondemned(
  world: World,
  process: Process,
  lease: { readonly runId: string },
  condemned: Parameters<typeof wrongByPolicy>[0]['condemned'],
): void {
  const { timed } = world
  const state = stateOf(world.store)
  const run = state.runs.get(lease.runId)
  if (!timed || !run || !isByRetention(run.input)) return
  world.coverage.add('points condemned by retention')
  const wrong = wrongByPolicy({ state, manifests: world.ledger.current(), policies: timed.policies, condemned })
  if (wrong !== undefined) world.violate(`${run.key}: ${wrong}`)
  if (isOfOldNumbers(run.input)) return
  const away = Math.abs(timed.jump.wallMs - process.wallAtStart)
  const tookAt = process.taken.get(run.id) ?? 0
  if (away > toleranceMs && tookAt > timed.jump.step) world.violate(`${run.key} prunes by age on clocks that have jumped`)
}

const isByRetention = (input: unknown): boolean => (input as { readonly retention?: unknown }).retention === true

/** No age counts for what a merge has left. */
const isOfOldNumbers = (input: unknown): boolean => (input as { readonly replaced?: unknown }).replaced === true

/** Everything that was due has had its turn. */
export function isUpToDate({ cursors }: StoreView, now: number): boolean {
  return [...cursors.values()].every(({ due }) => due === null || due > now)
}
