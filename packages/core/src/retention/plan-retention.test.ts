import { describe, expect, it } from 'vitest'
import { planRetention } from './plan-retention.ts'
import type { RetentionPoint } from './retention-plan.ts'
import type { RetentionPolicy } from './retention-policy.ts'

const hour = 3_600_000
const day = 24 * hour
const now = Date.parse('2026-11-21T12:00:00Z')

/** The newest is `p1` and `gap` old, `p2` one gap older, and so on: all of them full and good. */
const row = (count: number, gap = day): readonly RetentionPoint[] =>
  Array.from({ length: count }, (_, at) => ({ id: `p${at + 1}`, sequence: count - at, createdAt: now - (at + 1) * gap, parents: [] }))

const change = (
  points: readonly RetentionPoint[],
  changes: { readonly [id: string]: Partial<RetentionPoint> },
): readonly RetentionPoint[] => points.map((point) => ({ ...point, ...changes[point.id] }))

const plan = (points: readonly RetentionPoint[], policy?: Partial<RetentionPolicy>) =>
  planRetention(points, policy && { zone: 'UTC', ...policy }, now)

const keptOf = (points: readonly RetentionPoint[], policy: Partial<RetentionPolicy>) =>
  plan(points, policy).decisions.flatMap(({ point, keep }) => (keep ? [point.id] : []))

const decisionOf = (points: readonly RetentionPoint[], policy: Partial<RetentionPolicy> | undefined, id: string) =>
  plan(points, policy).decisions.find(({ point }) => point.id === id)

describe('without a rule', () => {
  it('everything is kept', () => {
    expect(plan(row(2))).toEqual({
      decisions: row(2).map((point) => ({ point, keep: true, reasons: ['no policy: everything is kept'], rules: ['no-policy'] })),
      warnings: [],
    })
    expect(keptOf(row(3), { last: 0, maxAge: 1 })).toEqual(['p1', 'p2', 'p3'])
  })

  it('no points are no decisions', () => {
    expect(plan([], { last: 1 })).toEqual({ decisions: [], warnings: [] })
  })
})

describe('each rule by itself', () => {
  it('last keeps the newest by sequence, whatever the clock says, and by id among equals', () => {
    const points = change(row(4), { p1: { createdAt: now - 90 * day }, p3: { sequence: 3 } })
    expect(plan(points, { last: 2 }).decisions.map(({ point, keep }) => [point.id, keep])).toEqual([
      ['p1', true],
      ['p3', true],
      ['p2', false],
      ['p4', false],
    ])
  })

  it('daily keeps the newest of each day in the zone, and days without a point do not count', () => {
    const times = ['2026-11-20T22:30:00Z', '2026-11-20T23:30:00Z', '2026-11-10T12:00:00Z', '2026-11-10T11:00:00Z', '2026-10-01T00:00:00Z']
    const points = row(5).map((point, at) => ({ ...point, createdAt: Date.parse(times[at] ?? '') }))
    const sorted = change(points, { p1: { sequence: 4 }, p2: { sequence: 5 } })
    expect(keptOf(sorted, { daily: 2 })).toEqual(['p2', 'p3'])
    expect(keptOf(sorted, { daily: 2, zone: 'Europe/Berlin' })).toEqual(['p2', 'p1'])
  })

  it('hourly takes the two hours of the overlap in autumn for two', () => {
    const overlap = Date.parse('2026-10-25T00:30:00Z')
    const points = row(2).map((point, at) => ({ ...point, createdAt: overlap + (1 - at) * hour }))
    const before = { ...(points[1] as RetentionPoint), id: 'p3', sequence: 0, createdAt: overlap - hour }
    expect(keptOf([...points, before], { hourly: 2, zone: 'Europe/Berlin' })).toEqual(['p1', 'p2'])
  })

  it('weekly follows ISO 8601: a week begins on Monday and may be of two years', () => {
    const times = [
      '2026-01-05T00:00:00Z',
      '2026-01-04T23:59:59Z',
      '2025-12-31T00:00:00Z',
      '2025-12-29T00:00:00Z',
      '2025-12-28T23:59:59Z',
      '2025-01-01T00:00:00Z',
    ]
    const points = row(6).map((point, at) => ({ ...point, createdAt: Date.parse(times[at] ?? '') }))
    expect(keptOf(points, { weekly: 3 })).toEqual(['p1', 'p2', 'p5'])
  })

  it('monthly and yearly keep the newest of each, and the oldest point takes a place that is left', () => {
    const points = row(30, 20 * day)
    expect(keptOf(points, { yearly: 2 })).toEqual(['p1', 'p17'])
    expect(keptOf(points, { yearly: 3 })).toEqual(['p1', 'p17', 'p30'])
    expect(decisionOf(points, { yearly: 3 }, 'p30')?.reasons).toEqual(['yearly 3 of 3, as the oldest point'])
    const months = Object.groupBy(points.slice(0, 29), ({ createdAt }) => new Date(createdAt).toISOString().slice(0, 7))
    expect(keptOf(points, { monthly: 30 })).toEqual([...Object.values(months).map((each) => each?.[0]?.id), 'p30'])
    expect(keptOf(points, { monthly: 4 })).toEqual(['p1', 'p2', 'p3', 'p5'])
  })

  it('within counts from the newest good point, not from now, and leaves out a point just on the limit', () => {
    const old = row(5).map((point) => ({ ...point, createdAt: point.createdAt - 1000 * day }))
    expect(keptOf(old, { within: 3 * day })).toEqual(['p1', 'p2', 'p3'])
    expect(keptOf(old, { within: 3 * day + 1 })).toEqual(['p1', 'p2', 'p3', 'p4'])
  })

  it('a day that a clock comes back to has one place', () => {
    const points = change(row(4, hour), { p2: { createdAt: now - 40 * day } })
    expect(keptOf(points, { daily: 3 })).toEqual(['p1', 'p2', 'p4'])
  })

  it('a point that several rules keep tells all of them', () => {
    expect(decisionOf(row(3), { last: 1, daily: 2, within: day }, 'p1')).toMatchObject({
      keep: true,
      reasons: ['newest good point', 'last 1 of 1', 'daily 1 of 2', 'within 1 day of the newest good point'],
      rules: ['newest-good', 'last', 'daily', 'within'],
    })
    expect(decisionOf(row(3), { last: 1 }, 'p3')).toMatchObject({ keep: false, reasons: ['no rule keeps it'], rules: ['none'] })
  })
})

describe('what no rule overrules', () => {
  const policy = { last: 1, maxAge: 2 * day }
  it.each([
    ['a pin', { pinned: 'audit' }, 'pinned: audit'],
    ['a hold', { heldUntil: now + 1 }, 'held until 2026-11-21T12:00:00.001Z'],
    ['a lock', { lockedUntil: now + day }, 'locked until 2026-11-22T12:00:00.000Z'],
    ['a run', { inUse: true }, 'in use by a run'],
    ['that it is the newest verified one', { verifiedAt: 0 }, 'newest verified good point'],
  ])('%s', (_name, flags, reason) => {
    const points = change(row(6), { p6: flags })
    expect(decisionOf(points, policy, 'p6')).toMatchObject({ keep: true, reasons: [reason] })
    expect(keptOf(points, policy)).toEqual(['p1', 'p6'])
  })

  it('a hold or lock that has ended keeps nothing', () => {
    expect(keptOf(change(row(3), { p3: { heldUntil: now, lockedUntil: now } }), { last: 1 })).toEqual(['p1'])
  })

  it('the newest good point stays though newer ones are quarantined, and however old it is', () => {
    const points = change(row(4, 400 * day), { p1: { quarantined: 'bad sum' }, p2: { parents: ['p1'] } })
    expect(decisionOf(points, { within: 1 }, 'p3')).toMatchObject({ keep: true, rules: ['newest-good', 'within'] })
    expect(keptOf(points, { daily: 1 })).toContain('p3')
  })

  it('without any good point nothing is deleted, and that is told', () => {
    const points = row(3).map((point) => ({ ...point, quarantined: 'bad sum' }))
    const { decisions, warnings } = plan(points, { last: 1, maxAge: 1 })
    expect(decisions.map(({ keep, reasons }) => [keep, ...reasons])).toEqual(points.map(() => [true, 'no good point: nothing is deleted']))
    expect(warnings).toMatchObject([{ code: 'NO_GOOD_POINT' }])
  })
})

describe('points that are not good', () => {
  const bad = 'bad sum'

  it('take no place, and stay as long as a good one in their place would', () => {
    const points = change(row(6), { p2: { quarantined: bad }, p5: { quarantined: bad } })
    expect(keptOf(points, { last: 2 })).toEqual(['p1', 'p2', 'p3'])
    expect(keptOf(points, { daily: 4 })).toEqual(['p1', 'p2', 'p3', 'p4', 'p5', 'p6'])
    expect(decisionOf(points, { daily: 4, within: 2 * day }, 'p2')).toMatchObject({
      reasons: ['not good (quarantined: bad sum), stays as a good one would and takes no place: daily, within'],
      rules: ['not-good'],
    })
    expect(decisionOf(points, { last: 2 }, 'p5')).toMatchObject({ keep: false, rules: ['none'] })
  })

  it('are those that build on a quarantined or missing point, too', () => {
    const points = change(row(6), { p1: { parents: ['p2'] }, p2: { parents: ['p3'] }, p3: { quarantined: bad }, p4: { parents: ['gone'] } })
    expect(decisionOf(points, { last: 1 }, 'p5')).toMatchObject({ rules: ['newest-good', 'last'] })
    expect(decisionOf(points, { last: 1 }, 'p4')?.reasons[0]).toMatch('not good (builds on a point that is quarantined or missing)')
    expect(keptOf(points, { last: 1 })).toEqual(['p1', 'p2', 'p3', 'p4', 'p5'])
  })

  it('are not those whose base is decided by another policy', () => {
    const points = change(row(3), { p1: { parents: ['theirs'] } })
    const { decisions } = planRetention(points, { last: 1, zone: 'UTC' }, now, { elsewhere: new Set(['theirs']) })
    expect(decisions.map(({ rules }) => rules)).toEqual([['newest-good', 'last'], ['none'], ['none']])
  })

  it('are those that claim to build on a newer one, and circles end', () => {
    const points = change(row(4), { p2: { parents: ['p1'] }, p3: { parents: ['p4'] }, p4: { parents: ['p3'] } })
    expect(decisionOf(points, { last: 3 }, 'p2')).toMatchObject({ keep: true, rules: ['not-good'] })
    expect(keptOf(points, { last: 1 })).toEqual(['p1'])
    expect(keptOf(change(points, { p3: { parents: ['p4'], pinned: 'x' } }), { last: 1 })).toEqual(['p1', 'p3', 'p4'])
  })
})

describe('maxAge', () => {
  it('beats the rules that keep, counts from the newest good point, and spares a point just on the limit', () => {
    const old = row(5).map((point) => ({ ...point, createdAt: point.createdAt - 1000 * day }))
    expect(keptOf(old, { last: 5, maxAge: 3 * day })).toEqual(['p1', 'p2', 'p3', 'p4'])
    expect(keptOf(old, { last: 5, maxAge: 3 * day - 1 })).toEqual(['p1', 'p2', 'p3'])
    expect(decisionOf(old, { last: 5, maxAge: 3 * day }, 'p5')).toMatchObject({
      keep: false,
      reasons: ['older than 3 days (maxAge), counted from the newest good point'],
      rules: ['max-age'],
    })
  })

  it('an older point takes no place, not even as the oldest', () => {
    const points = change(row(5), { p2: { createdAt: now - 50 * day } })
    expect(keptOf(points, { last: 2, maxAge: 10 * day })).toEqual(['p1', 'p3'])
    expect(keptOf(row(5), { yearly: 9, maxAge: 3 * day })).toEqual(['p1', 'p4'])
  })

  it('does not part a chain', () => {
    const points = change(row(4), { p1: { parents: ['p2'] }, p2: { parents: ['p3'] }, p3: { parents: ['p4'] } })
    expect(keptOf(points, { last: 1, maxAge: day })).toEqual(['p1', 'p2', 'p3', 'p4'])
  })

  it('warns of rules that it leaves no room for', () => {
    const messages = (policy: Partial<RetentionPolicy>) => plan([], policy).warnings.map(({ message }) => message)
    expect(messages({ monthly: 12, daily: 30, within: 31 * day, maxAge: 30 * day })).toEqual([
      '"monthly 12" reaches back 308 days, but maxAge deletes after 30 days.',
      '"within 31 days" reaches back 31 days, but maxAge deletes after 30 days.',
    ])
    expect(messages({ monthly: 2, weekly: 5, daily: 31, last: 99, hourly: 0, within: 30 * day, maxAge: 30 * day })).toEqual([])
    expect(plan([], { yearly: 2, maxAge: day }).warnings).toMatchObject([{ code: 'RULE_UNREACHABLE' }])
  })
})

describe('chains', () => {
  const chain = change(row(6), { p1: { parents: ['p2'] }, p2: { parents: ['p3'] }, p4: { parents: ['p5'] } })

  it('whatever a kept point builds on stays, and says for whom', () => {
    const { decisions } = plan(chain, { last: 1 })
    expect(decisions.map(({ keep, reasons }) => (keep ? reasons[0] : 'goes'))).toEqual([
      'newest good point',
      'base of p1',
      'base of p2',
      'goes',
      'goes',
      'goes',
    ])
  })

  it('a base far away is found, and one that is kept anyhow keeps its own reason', () => {
    const points = change(row(20), { p1: { parents: ['p2', 'p18'] } })
    expect(keptOf(points, { last: 2 })).toEqual(['p1', 'p2', 'p18'])
    expect(decisionOf(points, { last: 2 }, 'p2')?.reasons).toEqual(['last 2 of 2'])
  })
})

describe('points in the future', () => {
  const points = change(row(4), { p1: { createdAt: now + 1 }, p3: { createdAt: Number.NaN } })

  it('are kept and count for nothing', () => {
    const { decisions, warnings } = plan(points, { last: 1, within: 1 })
    expect(decisions.map(({ reasons }) => reasons)).toEqual([
      ['dated in the future: 2026-11-21T12:00:00.001Z'],
      ['newest good point', 'last 1 of 1', 'within 1 millisecond of the newest good point'],
      ['dated in the future: NaN'],
      ['no rule keeps it'],
    ])
    expect(warnings).toEqual([
      {
        code: 'FUTURE_POINT',
        message: '2 points (the newest is p1) are dated in the future: kept, and counted by no rule. Look at the clocks.',
      },
    ])
  })
})

describe('any catalog', () => {
  it('is sorted also with sequences that are no whole numbers or enormous', () => {
    const points = row(4).map((point, at) => ({ ...point, sequence: [0.5, Number.MAX_SAFE_INTEGER, -1, 7][at] ?? 0 }))
    expect(plan(points, { last: 1 }).decisions.map(({ point }) => point.id)).toEqual(['p2', 'p4', 'p1', 'p3'])
  })

  it('stays as it was given', () => {
    const points = Object.freeze(row(3).map((point) => Object.freeze({ ...point, parents: Object.freeze([]) })))
    expect(plan(points, { daily: 1 }).decisions[0]?.point).toBe(points[0])
  })
})
