import { type Random, seededRandom } from '@holdfast/testkit'
import { expect, it } from 'vitest'
import { planRetention } from './plan-retention.ts'
import type { RetentionPoint } from './retention-plan.ts'
import type { RetentionPolicy } from './retention-policy.ts'

const long = process.env.HOLDFAST_LONG === '1'
const seed = Number(process.env.HOLDFAST_SEED ?? 20261121)
const minute = 60_000
const day = 24 * 60 * minute
const counted = ['last', 'hourly', 'daily', 'weekly', 'monthly', 'yearly'] as const

/** Each zone with moments near which histories lie: both changes of clocks, if it has them, and the turn of a year. */
const zones: readonly (readonly [string, readonly string[]])[] = [
  ['UTC', ['2026-01-01T00:00:00Z', '2026-02-28T23:00:00Z']],
  ['Europe/Berlin', ['2026-03-29T01:00:00Z', '2026-10-25T01:00:00Z', '2025-12-31T23:00:00Z']],
  ['America/New_York', ['2026-03-08T07:00:00Z', '2026-11-01T06:00:00Z', '2027-01-01T05:00:00Z']],
  ['Australia/Lord_Howe', ['2026-04-04T15:00:00Z', '2026-10-03T15:30:00Z', '2026-12-31T13:00:00Z']],
  ['Asia/Kolkata', ['2026-05-01T18:30:00Z', '2026-12-31T18:30:00Z']],
]

interface Situation {
  readonly points: readonly RetentionPoint[]
  readonly policy: RetentionPolicy
  readonly now: number
}

function situation(random: Random): Situation {
  const [zone, moments] = random.pick(zones)
  const gap = random.pick([10 * minute, 30 * minute, 60 * minute, 5 * 60 * minute, day, 3 * day, 20 * day, 100 * day])
  const count = random.below(26)
  const now = Date.parse(random.pick(moments)) + random.below(count + 2) * gap
  const points: RetentionPoint[] = []
  for (let at = 0; at < count; at++) points.push(randomPoint(random, points, { now, gap, left: count - at }))
  for (let at = points.length - 1; at > 0; at--) {
    const other = random.below(at + 1)
    ;[points[at], points[other]] = [points[other] as RetentionPoint, points[at] as RetentionPoint]
  }
  return { points, policy: randomPolicy(random, zone, gap), now }
}

function randomPoint(
  random: Random,
  older: readonly RetentionPoint[],
  { now, gap, left }: { now: number; gap: number; left: number },
): RetentionPoint {
  const previous = older.at(-1)
  const jump = random.chance(0.05) ? (random.next() - 0.3) * 40 * gap : 0
  const parents = new Set<string>()
  if (previous !== undefined && random.chance(0.5)) parents.add(previous.id)
  if (older.length > 0 && random.chance(0.05)) parents.add(random.pick(older).id)
  if (random.chance(0.01)) parents.add('gone')
  return {
    id: `p${random.below(1_000_000)}-${older.length}`,
    sequence: (previous?.sequence ?? 0) + (random.chance(0.9) ? 1 + random.below(3) : 0),
    createdAt: Math.floor(now - left * gap + random.next() * gap * random.pick([0, 1, 1, 3]) + jump),
    parents: [...parents],
    ...(random.chance(0.04) && { pinned: 'why' }),
    ...(random.chance(0.04) && { heldUntil: now + random.pick([-1, 0, 1, day]) }),
    ...(random.chance(0.02) && { lockedUntil: now + random.pick([-1, 0, 1, day]) }),
    ...(random.chance(0.02) && { inUse: true }),
    ...(random.chance(0.08) && { quarantined: 'bad' }),
    ...(random.chance(0.15) && { verifiedAt: now - 1 }),
  }
}

function randomPolicy(random: Random, zone: string, gap: number): RetentionPolicy {
  const counts = counted.filter(() => random.chance(0.35)).map((rule) => [rule, random.below(6)])
  const policy = {
    ...Object.fromEntries(counts),
    ...(random.chance(0.25) && { within: random.below(12) * gap }),
    ...(random.chance(0.25) && { maxAge: (1 + random.below(30)) * gap }),
    zone,
  } as RetentionPolicy
  return keepsAnything(policy) ? policy : { ...policy, [random.pick(counted)]: 1 + random.below(6) }
}

const keepsAnything = (policy: RetentionPolicy) => counted.some((rule) => (policy[rule] ?? 0) > 0) || (policy.within ?? 0) > 0

// ---------- the naive model: slow, and as short as the rules can be said ----------

const formats = new Map(
  zones.map(([zone]) => [zone, new Intl.DateTimeFormat('en-CA', { timeZone: zone, year: 'numeric', month: '2-digit', day: '2-digit' })]),
)

function labelOf(rule: (typeof counted)[number], point: RetentionPoint, zone: string): string {
  if (rule === 'last') return point.id
  if (rule === 'hourly') return new Date(point.createdAt).toISOString().slice(0, 13)
  const date = formats.get(zone)?.format(point.createdAt) ?? ''
  if (rule !== 'weekly') return date.slice(0, { daily: 10, monthly: 7, yearly: 4 }[rule])
  const monday = new Date(`${date}T00:00:00Z`)
  monday.setUTCDate(monday.getUTCDate() - ((monday.getUTCDay() + 6) % 7))
  return monday.toISOString()
}

function model({ points, policy, now }: Situation): ReadonlySet<string> {
  const newer = (a: RetentionPoint, b: RetentionPoint) => b.sequence - a.sequence || (a.id < b.id ? 1 : -1)
  const sorted = [...points].sort(newer)
  const named = (id: string) => sorted.find((point) => point.id === id)
  const isGood = (point: RetentionPoint): boolean =>
    point.quarantined === undefined &&
    point.parents.map(named).every((parent) => parent !== undefined && newer(point, parent) < 0 && isGood(parent))
  const present = sorted.filter((point) => point.createdAt <= now)
  const [newest] = present.filter(isGood)
  if (newest === undefined) return new Set(points.map(({ id }) => id))
  const isFree = (point: RetentionPoint) =>
    point.pinned === undefined &&
    !((point.heldUntil ?? now) > now) &&
    !((point.lockedUntil ?? now) > now) &&
    !point.inUse &&
    point.createdAt <= now
  const kept = new Set<RetentionPoint | undefined>(sorted.filter((point) => !isFree(point)))
  kept.add(newest).add(present.find((point) => isGood(point) && point.verifiedAt !== undefined))
  const age = (point: RetentionPoint) => newest.createdAt - point.createdAt
  const young = present.filter((point) => age(point) <= (policy.maxAge ?? Number.POSITIVE_INFINITY))
  for (const point of young) if (policy.within && age(point) < policy.within) kept.add(point)
  for (const rule of counted) {
    const labels: string[] = []
    for (const point of young) {
      const isNew = !labels.includes(labelOf(rule, point, policy.zone))
      if (labels.length >= (policy[rule] ?? 0) || !(isNew || point === young.findLast(isGood))) continue
      kept.add(point)
      if (isGood(point)) labels.push(labelOf(rule, point, policy.zone))
    }
  }
  for (const point of kept) for (const id of point?.parents ?? []) kept.add(named(id))
  return new Set([...kept].flatMap((point) => (point ? [point.id] : [])))
}

// ---------- what must hold ----------

const keptOf = ({ points, policy, now }: Situation) => planRetention(points, policy, now).decisions.filter(({ keep }) => keep)
const idsOf = (decisions: readonly { readonly point: RetentionPoint }[]) => decisions.map(({ point }) => point.id)

/** The first promise that does not hold, or undefined. */
function brokenPromise(now: Situation, random: Random): string | undefined {
  const { decisions } = planRetention(now.points, now.policy, now.now)
  const kept = decisions.filter(({ keep }) => keep)
  const ids = new Set(idsOf(kept))
  const known = new Set(now.points.map(({ id }) => id))
  const expected = model(now)
  if (ids.symmetricDifference(expected).size > 0) return `the model keeps ${[...expected]}, the plan ${[...ids]}`
  if (new Set(idsOf(decisions)).symmetricDifference(known).size > 0 || decisions.length !== known.size) return 'a decision for each point'
  const left = kept.map(({ point }) => point)
  if (keptOf({ ...now, points: left }).length !== left.length) return 'idempotent: a plan of what is left removes nothing'
  const more = new Set(idsOf(keptOf({ ...now, policy: oneRuleMore(now.policy, random) })))
  if (!ids.isSubsetOf(more)) return `monotone: with a rule more ${[...ids.difference(more)]} goes`
  if (kept.some(({ point }) => point.parents.some((id) => known.has(id) && !ids.has(id)))) return 'whatever a kept point builds on is kept'
  if (!sameDecisions(decisions, planRetention([...now.points].reverse(), now.policy, now.now).decisions))
    return 'the order of the input does not matter'
  if (planRetention(now.points, undefined, now.now).decisions.some(({ keep }) => !keep)) return 'without a policy everything is kept'
  const explained = decisions.every(({ keep, reasons, rules }) => {
    const goes = rules.some((rule) => rule === 'none' || rule === 'max-age')
    return reasons.length > 0 && reasons.length === rules.length && keep === !goes && reasons.every((reason) => reason !== '')
  })
  return explained ? undefined : 'every decision has its reasons'
}

function oneRuleMore(policy: RetentionPolicy, random: Random): RetentionPolicy {
  const rule = random.pick([...counted, 'within'] as const)
  return { ...policy, [rule]: (policy[rule] ?? 0) + (rule === 'within' ? 1 + random.below(30 * day) : 1 + random.below(4)) }
}

const sameDecisions = (a: readonly object[], b: readonly object[]) => JSON.stringify(a) === JSON.stringify(b)

it(`agrees with a naive model on random histories in ${zones.length} zones, and keeps every promise (seed ${seed})`, {
  timeout: 7_200_000,
}, () => {
  const histories = long ? 100_000 : 300
  let removed = 0
  for (let round = 0; round < histories; round++) {
    const random = seededRandom(seed).fork(`history ${round}`)
    const current = situation(random)
    const broken = brokenPromise(current, random)
    if (broken !== undefined) expect.fail(`seed ${seed} history ${round}: ${broken}\n${JSON.stringify(current)}`)
    removed += current.points.length - model(current).size
  }
  if (long) console.log(`seed ${seed}: ${histories} histories, ${removed} points removed`)
  expect(removed).toBeGreaterThan(histories)
})
