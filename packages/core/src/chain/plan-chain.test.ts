import { describe, expect, it } from 'vitest'
import type { ChainPolicy } from './chain-policy.ts'
import { type ChainPoint, planChain } from './plan-chain.ts'

const first = Date.UTC(2026, 10, 2, 1, 30)
const hour = 3_600_000
const day = 24 * hour

interface Change extends Partial<ChainPoint> {
  readonly forms?: readonly ('full' | 'incremental')[]
  readonly kind?: string
  readonly due?: number
}

const point = (id: string, parents: readonly string[], change: Change = {}): ChainPoint => {
  const { forms = [parents.length > 0 ? 'incremental' : 'full'], kind = 'files', due = first, ...rest } = change
  const disks = forms.map((form, key) => ({ key: String(key), size: 1, form }))
  const summary = { providerKind: kind, due: new Date(due).toISOString(), disks }
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

/** A full and its increments, a day apart, newest first. */
const line = (length: number): ChainPoint[] =>
  Array.from({ length }, (_, at) =>
    point(`p${length - at}`, at === length - 1 ? [] : [`p${length - at - 1}`], { due: first + (length - at - 1) * day }),
  )

const options = { providerKind: 'files', due: first + day, policy: { maxIncrementals: 3 } }
const bad = { flags: { quarantine: 'a cluster has another sum' } }

describe('what the next backup builds on', () => {
  it.each([
    ['no points', [], 'first backup'],
    ['only a condemned point', [point('a', [], { condemned: true })], 'first backup'],
    ['a newest point without disks', [point('a', [], { forms: [] })], 'streams are always kept whole'],
    ['a newest point in quarantine', [point('a', [], bad)], 'the newest point, a, is quarantined'],
    ['an ancestor in quarantine', [point('b', ['a']), point('a', [], bad)], 'a point that it would build on, a, is quarantined'],
    ['an ancestor that is not there', [point('b', ['a'])], 'a point that it would build on, a, is missing'],
    [
      'an ancestor that is condemned',
      [point('b', ['a']), point('a', [], { condemned: true })],
      'a point that it would build on, a, is missing',
    ],
    ['another kind of provider', [point('a', [], { kind: 'esxi' })], 'the newest point was made by a provider of kind esxi'],
    ['a full chain', line(4), 'the chain has reached its limit of 3 increments'],
    ['a circle', [point('b', ['a']), point('a', ['b'])], 'the 2 points build on each other in a circle'],
  ] as const)('%s: full', (_name, points, reason) => {
    expect(planChain(points, options)).toEqual({ form: 'full', reason })
  })

  it('is the newest point while the chain is short enough', () => {
    expect(planChain(line(3), options)).toMatchObject({ form: 'incremental', base: { pointId: 'p3' }, reason: 'builds on p3' })
    const { policy: _, ...untold } = options
    expect(planChain(line(10), untold)).toMatchObject({ form: 'incremental' })
    expect(planChain(line(11), untold)).toMatchObject({ form: 'full', reason: 'the chain has reached its limit of 10 increments' })
    const one = { ...options, policy: { maxIncrementals: 1 } }
    expect(planChain(line(2), one)).toMatchObject({ form: 'full', reason: 'the chain has reached its limit of 1 increment' })
  })

  it('is nothing when no increments are wanted', () => {
    const none = { ...options, policy: { maxIncrementals: 0 } }
    expect(planChain(line(1), none)).toEqual({ form: 'full', reason: 'every backup is full, because maxIncrementals is 0' })
    expect(planChain([], none)).toEqual({ form: 'full', reason: 'first backup' })
  })

  it('does not build on an older point over a newer one in quarantine', () => {
    expect(planChain([point('b', [], bad), point('a', [])], options)).toMatchObject({ form: 'full' })
  })

  it('may have been made by another plan, with other options', () => {
    const row = point('a', [])
    const other = { ...row, summary: { ...(row.summary as object), plan: 'weekly' } }
    expect(planChain([other], options)).toMatchObject({ form: 'incremental', base: { pointId: 'a' } })
  })
})

const within = (fullEvery: number, maxIncrementals = 100): ChainPolicy => ({ maxIncrementals, fullEvery })

describe('a full backup every so often', () => {
  const policy = within(7 * day)

  it('comes when the last one is so old, to the millisecond, counted between due times', () => {
    const week = line(7)
    expect(planChain(week, { ...options, policy, due: first + 7 * day - 1 })).toMatchObject({ form: 'incremental' })
    expect(planChain(week, { ...options, policy, due: first + 7 * day })).toEqual({
      form: 'full',
      reason: 'the last full backup is of 2026-11-02T01:30:00.000Z, and one is made every 7 days',
    })
  })

  it('counts from the newest point that has every disk whole', () => {
    const mixed = [
      point('c', ['b'], { forms: ['incremental', 'incremental'], due: first + 6 * day }),
      point('b', ['a'], { forms: ['full', 'incremental'], due: first + 5 * day }),
      point('a', [], { forms: ['full', 'full'], due: first }),
    ]
    expect(planChain(mixed, { ...options, policy, due: first + 7 * day })).toMatchObject({ form: 'full' })
    const merged = [mixed[0] as ChainPoint, point('b', [], { forms: ['full', 'full'], due: first + 5 * day })]
    expect(planChain(merged, { ...options, policy, due: first + 7 * day })).toMatchObject({ form: 'incremental' })
  })

  it('comes when no point is known that has every disk whole', () => {
    const halves = [point('b', ['a'], { forms: ['full', 'incremental'] }), point('a', [], { forms: ['full', 'incremental'] })]
    expect(planChain(halves, { ...options, policy })).toEqual({
      form: 'full',
      reason: 'no full backup is known, and one is made every 7 days',
    })
    expect(planChain(halves, options)).toMatchObject({ form: 'incremental' })
  })

  it('does not come again because a run that was due earlier is made late', () => {
    expect(planChain(line(1), { ...options, policy, due: first - 30 * day })).toMatchObject({ form: 'incremental' })
  })
})

describe('a full backup on a day', () => {
  const sunday: ChainPolicy = { maxIncrementals: 100, fullOn: { weekday: 'sunday', zone: 'Europe/Berlin' } }
  const at = (text: string) => Date.parse(text)
  const fullOf = (text: string) => [point('a', [], { due: at(text) })]

  it('begins with the first moment of that day in its zone', () => {
    const points = fullOf('2026-11-15T01:30:00.000Z')
    expect(planChain(points, { ...options, policy: sunday, due: at('2026-11-21T22:59:59.999Z') })).toMatchObject({ form: 'incremental' })
    expect(planChain(points, { ...options, policy: sunday, due: at('2026-11-21T23:00:00.000Z') })).toEqual({
      form: 'full',
      reason: 'the last full backup is of 2026-11-15T01:30:00.000Z, and one is made every Sunday (Europe/Berlin)',
    })
  })

  it('is made up by the next backup when that day passes without one', () => {
    const points = fullOf('2026-11-15T01:30:00.000Z')
    expect(planChain(points, { ...options, policy: sunday, due: at('2026-11-24T01:30:00.000Z') })).toMatchObject({ form: 'full' })
    const madeUp = fullOf('2026-11-24T01:30:00.000Z')
    expect(planChain(madeUp, { ...options, policy: sunday, due: at('2026-11-28T01:30:00.000Z') })).toMatchObject({ form: 'incremental' })
  })

  it.each([
    [15, '2026-02-15', '2026-02-14', 'on day 15 of every month (UTC)'],
    [31, '2026-02-28', '2026-02-27', 'on day 31, or the last day, of every month (UTC)'],
    [30, '2026-03-30', '2026-03-29', 'on day 30, or the last day, of every month (UTC)'],
    ['last', '2026-02-28', '2026-02-27', 'on the last day of every month (UTC)'],
  ] as const)('of the month %s: on %s, not on %s', (monthDay, on, before, text) => {
    const policy: ChainPolicy = { maxIncrementals: 100, fullOn: { monthDay } }
    const points = fullOf('2026-01-31T12:00:00.000Z')
    const later = Date.parse(before) > at('2026-03-01') ? fullOf('2026-02-28T12:00:00.000Z') : points
    expect(planChain(later, { ...options, policy, due: at(`${before}T23:59:59.999Z`) })).toMatchObject({ form: 'incremental' })
    const decision = planChain(later, { ...options, policy, due: at(`${on}T00:00:00.000Z`) })
    expect(decision).toMatchObject({ form: 'full', reason: expect.stringContaining(`and one is made ${text}`) })
  })
})

it.each([
  ['every 7 days', { maxIncrementals: 100, fullEvery: 7 * day }],
  ['on Sunday', { maxIncrementals: 100, fullOn: { weekday: 'sunday', zone: 'UTC' } }],
] as const)('a last full of a clock that was a year ahead puts off no full that is made %s', (_, policy) => {
  const points = [point('b', ['a'], { due: first }), point('a', [], { due: first + 365 * day })]
  expect(planChain(points, { ...options, due: first + day, policy })).toMatchObject({
    form: 'full',
    reason: expect.stringContaining('no full backup is known'),
  })
})
