import { describe, expect, it } from 'vitest'
import { weekdays } from '../schedule/calendar.ts'
import type { ChainPolicy, FullDay } from './chain-policy.ts'
import { type ChainOptions, type ChainPoint, planChain } from './plan-chain.ts'

const seed = Number(process.env.HOLDFAST_SEED ?? 20261121)
const hour = 3_600_000
const day = 24 * hour
const start = Date.UTC(2026, 0, 1)

describe(`on random catalogs (seed ${seed})`, () => {
  it('never builds on a point that is quarantined, condemned or missing, nor on a longer chain than allowed', () => {
    const random = randomFrom(seed)
    const forms = { full: 0, incremental: 0 }
    for (let round = 0; round < 5000; round++) {
      const points = randomCatalog(random)
      const options = randomOptions(random)
      const decision = planChain(points, options)
      forms[decision.form]++
      const why = `round ${round}`
      const { maxIncrementals = 10 } = options.policy ?? {}
      const alive = points.filter((each) => !each.condemned)
      const [newest] = alive
      const below = newest === undefined ? undefined : walk(newest, alive)
      if (below === undefined || below.depth + 1 > maxIncrementals) expect(decision.form, why).toBe('full')
      // By the clock nothing is due: then it is an increment whenever it can be.
      else if (options.policy?.fullEvery === undefined && options.policy?.fullOn === undefined)
        expect(decision.form, why).toBe('incremental')
      expect(decision.reason, why).toMatch(/^[a-z].{8,}[^.]$/)
      if (decision.form === 'full') continue
      expect(decision.base, why).toBe(newest)
      expect(new Set(decision.chain), why).toEqual(below?.all)
      expect(decision.chain[0], why).toBe(newest)
      const usable = decision.chain.every((each) => !each.condemned && each.flags.quarantine === undefined)
      expect(usable, why).toBe(true)
    }
    expect(Math.min(forms.full, forms.incremental)).toBeGreaterThan(500)
  })

  it('decides by its arguments alone, and leaves them as they are', () => {
    const random = randomFrom(seed + 1)
    const zone = process.env.TZ
    try {
      for (let round = 0; round < 300; round++) {
        const points = frozen(randomCatalog(random))
        const options = frozen(randomOptions(random))
        const decisions = ['UTC', 'Pacific/Kiritimati', 'America/New_York'].map((local) => {
          process.env.TZ = local
          return planChain(points, options)
        })
        expect(planChain(structuredClone(points), structuredClone(options)), `round ${round}`).toEqual(decisions[0])
        for (const decision of decisions) expect(decision, `round ${round}`).toEqual(decisions[0])
      }
    } finally {
      if (zone === undefined) delete process.env.TZ
      else process.env.TZ = zone
    }
  })
})

describe(`in years of backups (seed ${seed})`, () => {
  it('never makes more increments in a row than allowed, and never lets the last full get too old', () => {
    const random = randomFrom(seed + 2)
    for (let round = 0; round < 40; round++) {
      const maxIncrementals = below(random, 8)
      const fullEvery = (1 + below(random, 10)) * day
      const years = backUp({ maxIncrementals, fullEvery }, everyFew(random, 400))
      let inARow = 0
      let lastFull = Number.NEGATIVE_INFINITY
      for (const { due, form } of years) {
        inARow = form === 'full' ? 0 : inARow + 1
        if (form === 'full') lastFull = due
        expect(inARow, `round ${round}`).toBeLessThanOrEqual(maxIncrementals)
        expect(due - lastFull, `round ${round}`).toBeLessThan(fullEvery)
      }
      expect(
        years.some(({ form }) => form === 'full'),
        `round ${round}`,
      ).toBe(true)
    }
  })

  // Clocks change at midnight in Beirut and Havana, and by half an hour on Lord Howe Island; Kiritimati is 14 hours ahead of UTC.
  it.each(['Europe/Berlin', 'America/Havana', 'Asia/Beirut', 'Australia/Lord_Howe', 'Pacific/Kiritimati'])(
    'makes one full on each day of the rule and none on another, however many runs a day has: %s',
    (zone) => {
      const random = randomFrom(seed + 3)
      const dayOf = localDays(zone)
      const rules: readonly FullDay[] = [
        { weekday: 'sunday', zone },
        { weekday: weekdays[below(random, 6)] as (typeof weekdays)[number], zone },
        { monthDay: 31, zone },
      ]
      for (const fullOn of rules) {
        const [beginning, ...others] = backUp({ maxIncrementals: 10_000, fullOn }, everyFew(random, 400))
        expect(beginning?.form).toBe('full')
        const begun = dayOf(beginning?.due ?? 0)
        const fulls = others.filter(({ form }) => form === 'full').map(({ due }) => dayOf(due))
        const wanted = [...new Set(others.map(({ due }) => dayOf(due)))].filter((each) => isOn(fullOn, each) && each !== begun)
        expect(fulls, JSON.stringify(fullOn)).toEqual(wanted)
        expect(fulls.length).toBeGreaterThan(10)
      }
    },
    60_000,
  )
})

interface Made {
  readonly due: number
  readonly form: 'full' | 'incremental'
}

/** At least one run a day, at any minute of it; sometimes many. */
function everyFew(random: () => number, days: number): readonly number[] {
  const times = new Set<number>()
  for (let each = 0; each < days; each++) {
    // Three in a day of 23 hours and in one of 25 as well, whatever the zone: no day is left out.
    for (let part = 0; part < 3; part++) times.add(start + each * day + part * 8 * hour + below(random, 480) * 60_000)
    if (random() < 0.2) for (let extra = 0; extra < 10; extra++) times.add(start + each * day + below(random, 1440) * 60_000)
  }
  return [...times].sort((one, other) => one - other)
}

/** Runs the plan at these times. What the newest point does not need is deleted at once. */
function backUp(policy: ChainPolicy, times: readonly number[]): readonly Made[] {
  const points: ChainPoint[] = []
  const made: Made[] = []
  for (const [index, due] of times.entries()) {
    const decision = planChain(points, { policy, due, providerKind: 'files' })
    if (decision.form === 'full') points.length = 0
    points.unshift(point(`p${index}`, decision.form === 'full' ? [] : [decision.base.pointId], { due }))
    made.push({ due, form: decision.form })
  }
  return made
}

/** `2026-11-22 Sunday`, by a second implementation. */
function localDays(zone: string): (time: number) => string {
  const date = new Intl.DateTimeFormat('en-CA', { timeZone: zone, dateStyle: 'short' })
  const weekday = new Intl.DateTimeFormat('en-GB', { timeZone: zone, weekday: 'long' })
  return (time) => `${date.format(time)} ${weekday.format(time)}`
}

function isOn(rule: FullDay, localDay: string): boolean {
  const [date = '', weekday = ''] = localDay.split(' ')
  if ('weekday' in rule) return weekday.toLowerCase() === rule.weekday
  const [year = 0, month = 0, ofMonth = 0] = date.split('-').map(Number)
  const length = new Date(Date.UTC(year, month, 0)).getUTCDate()
  return ofMonth === (rule.monthDay === 'last' ? length : Math.min(rule.monthDay, length))
}

/** The longest way down and everything on it, or undefined if something of it cannot be used. */
function walk(from: ChainPoint, alive: readonly ChainPoint[]): { depth: number; all: Set<ChainPoint> } | undefined {
  if (from.flags.quarantine !== undefined) return undefined
  const found = { depth: 0, all: new Set([from]) }
  for (const id of from.parents) {
    const parent = alive.find((each) => each.pointId === id)
    const under = parent && walk(parent, alive)
    if (under === undefined) return undefined
    found.depth = Math.max(found.depth, under.depth + 1)
    for (const each of under.all) found.all.add(each)
  }
  return found
}

function point(id: string, parents: readonly string[], change: Partial<ChainPoint> & { readonly due?: number } = {}): ChainPoint {
  const { due = start, ...rest } = change
  const disks = [{ key: 'a', size: 1, form: parents.length === 0 ? 'full' : 'incremental' }]
  const summary = { providerKind: 'files', due: new Date(due).toISOString(), disks }
  const row = {
    repository: 'main',
    folder: `w/${id}`,
    number: 1,
    pointId: id,
    workload: 'p/w',
    parents,
    sequence: 1,
    createdAt: 0,
    summary,
  }
  return { ...row, condemned: false, flags: {}, ...rest }
}

function randomCatalog(random: () => number): ChainPoint[] {
  const points: ChainPoint[] = []
  const count = below(random, 8)
  for (let at = 0; at < count; at++) {
    const parents = points.filter(() => random() < 0.3).map((each) => each.pointId)
    if (random() < 0.02) parents.push('lost')
    const flags = random() < 0.08 ? { quarantine: 'bad' } : {}
    points.unshift(point(`p${at}`, parents, { condemned: random() < 0.08, flags, due: start + at * day }))
  }
  return points
}

function randomOptions(random: () => number): ChainOptions {
  const policy: ChainPolicy = {
    maxIncrementals: below(random, 6),
    ...(random() < 0.3 && { fullEvery: (1 + below(random, 10)) * day }),
    ...(random() < 0.3 && { fullOn: { weekday: weekdays[below(random, 7)] as (typeof weekdays)[number], zone: 'Europe/Berlin' } }),
  }
  return { providerKind: 'files', due: start + below(random, 20 * 24) * hour, ...(random() < 0.9 && { policy }) }
}

function frozen<Value>(value: Value): Value {
  if (typeof value === 'object' && value !== null) {
    for (const each of Object.values(value)) frozen(each)
    Object.freeze(value)
  }
  return value
}

const below = (random: () => number, count: number): number => Math.floor(random() * count)

/** Mulberry32. */
function randomFrom(seed: number): () => number {
  let state = seed
  return () => {
    state = (state + 0x6d2b79f5) | 0
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state)
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32
  }
}
