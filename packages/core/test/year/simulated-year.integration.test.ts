import {
  countingIds,
  type FakeClock,
  fakeClock,
  type MemoryPlatform,
  memoryPlatform,
  memoryRepository,
  memoryStore,
  scriptedProvider,
  seededRandom,
} from '@holdfast/testkit'
import { expect, it } from 'vitest'
import { createEngine } from '../../src/engine/create-engine.ts'
import type { Engine, PointInfo } from '../../src/engine/engine.ts'
import { parseRetention, planRetention, type RetentionPolicyInput } from '../../src/retention/index.ts'
import type { Provider, Scheduler } from '../../src/spec/index.ts'

const hour = 3_600_000
const stepHours = 3
const start = Date.UTC(2027, 0, 1)
const seed = Number(process.env.HOLDFAST_SEED ?? 1)
/** Two months in every run; the whole year in a long run. */
const daysOfTest = process.env.HOLDFAST_LONG === '1' ? 365 : 60
const repository = 'main'
const zone = 'Europe/Berlin'

/** Two workloads with a policy of their own each, and a verification of both. */
const policies: { readonly [plan: string]: RetentionPolicyInput } = {
  nightly: { last: 2, daily: 7, weekly: 4, monthly: 6, zone },
  'four-times-a-day': { hourly: 8, daily: 5, within: '1d', maxAge: '20d', zone },
}

interface Day {
  readonly off: boolean
  readonly broken: boolean
}

/** Now and then the host is off for a day or a few, or the platform fails all day. */
function calendar(days: number): readonly Day[] {
  const random = seededRandom(seed)
  const found: Day[] = []
  while (found.length < days) {
    const kind = random.below(30)
    const length = 1 + random.below(4)
    for (let count = 0; count < (kind < 2 ? length : 1); count++) found.push({ off: kind === 0, broken: kind === 1 })
  }
  return found.slice(0, days)
}

interface ExpectedPoint {
  readonly id: string
  readonly sequence: number
  readonly createdAt: number
  readonly parents: readonly string[]
  readonly verifiedAt: number | undefined
}

/** What a plan's points must be: its policy, applied after each backup to those that were there. */
function expectedOf(plan: string) {
  const policy = parseRetention(policies[plan], plan)
  let points: readonly ExpectedPoint[] = []
  return {
    made({ id, sequence, createdAt, parents }: PointInfo): void {
      const now = Date.parse(createdAt)
      const { decisions } = planRetention([...points, { id, sequence, createdAt: now, parents, verifiedAt: undefined }], policy, now)
      points = decisions.filter(({ keep }) => keep).map(({ point }) => point)
    },
    /** What the verification of this step has found good. */
    verified(known: readonly PointInfo[]): void {
      const flags = new Map(
        known.map(({ id, flags: { verifiedAt } }) => [id, verifiedAt === undefined ? undefined : Date.parse(verifiedAt)]),
      )
      points = points.map((point) => ({ ...point, verifiedAt: flags.get(point.id) }))
    },
    ids: (): readonly string[] => points.map(({ id }) => id).sort(),
  }
}
type Expected = ReturnType<typeof expectedOf>

/** Finds out which points were made, from the events, and what was told of those that were not. */
function listen(engine: Engine, plans: ReadonlyMap<string, Expected>) {
  const told: string[] = []
  const committed: { readonly plan: string; readonly point: string }[] = []
  engine.on('point-committed', ({ plan = '', point }) => committed.push({ plan, point }))
  engine.on('run-finished', ({ plan, operation, state }) => {
    if (state === 'failed' && operation === 'backup') told.push(`${plan} failed`)
  })
  engine.on('schedule-missed', ({ plan, missed }) => told.push(`${plan} missed ${missed}`))
  return { told, committed, plans }
}

it(`a year of three plans: each day everything is whole, what stays is what the policies name, and each gap is explained (seed ${seed})`, {
  timeout: 900_000,
}, async () => {
  console.info(`seed ${seed}, ${daysOfTest} days`)
  const clock = fakeClock({ start })
  const platform = memoryPlatform({ random: seededRandom(seed) })
  const days = calendar(daysOfTest)
  const world = { broken: false }
  const { engine, workloads } = await openEngine(clock, platform, world)
  const plans = new Map(Object.keys(policies).map((plan) => [plan, expectedOf(plan)]))
  const heard = listen(engine, plans)
  const random = seededRandom(seed + 1)
  await clock.runUntil(engine.runDue())
  const totals = { made: 0, explained: 0, late: 0 }
  const heap: number[] = []
  for (const [index, day] of days.entries()) {
    world.broken = day.broken
    const before = { told: heard.told.length, made: heard.committed.length }
    for (let step = 0; step < 24 / stepHours; step++) {
      platform.mutate(random)
      await clock.advance(stepHours * hour)
      if (day.off) continue
      const from = heard.committed.length
      await clock.runUntil(engine.runDue())
      await learnPoints(engine, heard, from, workloads)
    }
    if (day.off) continue
    totals.late += await checkDay(engine, clock, heard, workloads)
    const made = heard.committed.length - before.made
    const explained = heard.told.length - before.told
    // One backup at night and four over the day are due; the first day after a gap makes up for one of each.
    if (made < 5) expect(explained, `day ${index}: ${made} points and nobody says why`).toBeGreaterThan(0)
    totals.made += made
    totals.explained += explained
    if (index % 20 === 19 || index === days.length - 1) heap.push(process.memoryUsage().heapUsed)
  }
  console.info(
    `${totals.made} points made, ${totals.explained} gaps explained, ${totals.late} points a day late to go, heap ${heap.map((size) => Math.round(size / 2 ** 20)).join(', ')} MiB`,
  )
  expect(totals.made).toBeGreaterThan(daysOfTest * 3)
  expect(totals.explained).toBeGreaterThan(0)
  expect(totals.late).toBeLessThan(daysOfTest / 10)
  expect(Math.max(...heap)).toBeLessThan(400 * 2 ** 20)
  await clock.runUntil(engine.stop({ graceMs: 1 }))
})

/** Nothing polls: `runDue` is called every few hours, and a poll every few seconds of a year would be all that this test does. */
const noTimer: Scheduler = {
  specVersion: 1,
  async start() {},
  async notify() {},
  async stop() {},
  async [Symbol.asyncDispose]() {},
}

async function openEngine(clock: FakeClock, platform: MemoryPlatform, world: { readonly broken: boolean }) {
  const provider = scriptedProvider(platform, { shape: 'tarVolume', name: 'p' })
  const breaking: Provider = {
    ...provider,
    async backup(...given) {
      if (world.broken) throw new Error('the platform is broken today')
      return await provider.backup(...given)
    },
  }
  const workloads = { nightly: platform.addVolume('a'), 'four-times-a-day': platform.addVolume('b') }
  const backup = (plan: keyof typeof workloads) =>
    ({ kind: 'backup', repository, workloads: [{ provider: 'p', id: workloads[plan] }], compression: 'none' }) as const
  const engine = await createEngine({
    name: 'node',
    store: memoryStore({ clock, ids: countingIds('s') }),
    repositories: { main: memoryRepository({ clock }) },
    providers: { p: breaking },
    scheduler: noTimer,
    clock,
    ids: countingIds('e'),
    plans: {
      nightly: { ...backup('nightly'), retention: policies.nightly ?? {}, schedule: { type: 'simple', every: 'day', at: '02:30', zone } },
      'four-times-a-day': {
        ...backup('four-times-a-day'),
        retention: policies['four-times-a-day'] ?? {},
        schedule: { type: 'every', interval: '6h' },
      },
      // At an hour when nothing is made, so that the model knows what was verified when the next point came.
      weekly: { kind: 'verification', repository, schedule: { type: 'simple', every: 'week', on: 'sunday', at: '13:00' } },
    },
  })
  return { engine, workloads }
}

type Heard = ReturnType<typeof listen>
type Workloads = Readonly<Record<string, string>>

/** The model learns of each new point before the next one is made. The newest point is never deleted. */
async function learnPoints(engine: Engine, { committed, plans }: Heard, from: number, workloads: Workloads): Promise<void> {
  for (const { plan, point } of committed.slice(from)) {
    const points = await engine.points({ repository, workload: { provider: 'p', id: workloads[plan] ?? '' } })
    const info = points.find((each) => each.id === point)
    expect(info, `${point} of ${plan}`).toBeDefined()
    if (info) plans.get(plan)?.made(info)
  }
  for (const [plan, id] of Object.entries(workloads))
    plans.get(plan)?.verified(await engine.points({ repository, workload: { provider: 'p', id } }))
}

/**
 * The structure of the repository is whole, and what stays is what the policy names. A point that a verification reads while a prune decides stays until the
 * next one, which says already now that it goes. Gives how many such there are.
 */
async function checkDay(engine: Engine, clock: FakeClock, { plans }: Heard, workloads: Workloads): Promise<number> {
  const { findings } = await clock.runUntil(Promise.resolve(engine.verify({ repository, mode: 'quick' })))
  expect(findings).toEqual([])
  const going = (await engine.previewPrune({ repository })).points.filter(({ keep }) => !keep).map(({ point }) => point)
  let late = 0
  for (const [plan, id] of Object.entries(workloads)) {
    const ids = (await engine.points({ repository, workload: { provider: 'p', id } })).map((point) => point.id).sort()
    const named = plans.get(plan)?.ids() ?? []
    const more = ids.filter((point) => !named.includes(point))
    expect(
      ids.filter((point) => !more.includes(point)),
      plan,
    ).toEqual(named)
    expect(
      more.filter((point) => !going.includes(point)),
      `${plan}: nobody says why these stay`,
    ).toEqual([])
    late += more.length
  }
  return late
}
