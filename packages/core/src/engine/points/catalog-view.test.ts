import { expect, test } from 'vitest'
import type { Catalog, Flags } from '../../spec/store.ts'
import { chainOf, dependantsOf, highestSequence, isGood, pointsOf } from './catalog-view.ts'
import { planPrune } from './prune-plan.ts'

type Row = Catalog['points'][number]

function row(pointId: string, sequence: number, more: Partial<Row> = {}): Row {
  return {
    repository: 'main',
    folder: `w/${pointId}`,
    number: 1,
    pointId,
    workload: 'p/w',
    parents: [],
    sequence,
    createdAt: 0,
    summary: {},
    condemned: false,
    flags: {},
    ...more,
  }
}

function catalog(points: readonly Row[], inUse: Catalog['inUse'] = []): Catalog {
  return { version: 1, points, inUse }
}

const chain = [row('a', 1), row('b', 2, { parents: ['a'] }), row('c', 3, { parents: ['b'] }), row('d', 4)]

test('the newest point has the highest sequence, whatever its clock said', () => {
  const points = pointsOf(catalog([row('late', 1, { createdAt: 9e12 }), row('early', 2, { createdAt: 1 })]))
  expect(points.map((point) => point.current.pointId)).toEqual(['early', 'late'])
})

test('two points of one sequence are ordered by their folders', () => {
  const points = pointsOf(catalog([row('x', 5), row('y', 5)]))
  expect(points.map((point) => point.current.pointId)).toEqual(['y', 'x'])
})

test('the highest number of a point is the point; condemned rows do not count', () => {
  const points = pointsOf(catalog([row('a', 1, { number: 3, condemned: true }), row('a', 1, { number: 1 }), row('a', 1, { number: 2 })]))
  expect(points).toHaveLength(1)
  expect(points[0]?.current.number).toBe(2)
  expect(points[0]?.rows).toHaveLength(2)
})

test('a chain is the point and all it builds on, or undefined when one is gone', () => {
  const points = pointsOf(catalog(chain))
  expect(chainOf(points, 'c')?.map((point) => point.current.pointId)).toEqual(['c', 'b', 'a'])
  expect(chainOf(pointsOf(catalog(chain.slice(1))), 'c')).toBeUndefined()
})

test('dependants are near and far', () => {
  const ids = dependantsOf(pointsOf(catalog(chain)), 'a').map((point) => point.current.pointId)
  expect(ids.sort()).toEqual(['b', 'c'])
})

test('a point on a quarantined one is not good', () => {
  const quarantined = chain.map((each) => (each.pointId === 'a' ? { ...each, flags: { quarantine: 'bit rot' } } : each))
  const points = pointsOf(catalog(quarantined))
  expect(isGood(points, 'c')).toBe(false)
  expect(isGood(points, 'd')).toBe(true)
})

test('the highest sequence counts condemned rows too', () => {
  expect(highestSequence(catalog([row('a', 7, { condemned: true }), row('b', 2)]))).toBe(7)
})

const refused: readonly (readonly [string, string, Catalog, readonly string[], RegExp])[] = [
  ['a pinned point', 'POINT_NEEDED', catalog([row('a', 1, { flags: { pin: 'audit' } })]), ['a'], /pinned: audit/],
  [
    'a held point',
    'POINT_NEEDED',
    catalog([row('a', 1, { flags: { holdUntil: 5_000 } satisfies Flags })]),
    ['a'],
    /held until 1970-01-01T00:00:05/,
  ],
  ['a point that a kept one builds on', 'POINT_NEEDED', catalog(chain), ['a', 'b'], /point c builds on it/],
  [
    'a point that a run reads',
    'IN_USE',
    catalog(chain, [{ repository: 'main', folder: 'w/d', number: 1 }]),
    ['d'],
    /read or written by a run/,
  ],
]

for (const [what, code, view, wanted, message] of refused) {
  test(`prune refuses ${what}`, () => {
    expect(() => planPrune(view, new Set(wanted), 1_000)).toThrow(
      expect.objectContaining({ code, message: expect.stringMatching(message) }),
    )
  })
}

test('prune takes every number of the named points, and a hold that is over does not keep them', () => {
  const view = catalog([row('a', 1, { number: 2, flags: { holdUntil: 10 } }), row('a', 1, { flags: { holdUntil: 10 } }), row('z', 2)])
  expect(
    planPrune(view, new Set(['a']), 1_000)
      .map((each) => each.number)
      .sort(),
  ).toEqual([1, 2])
})

test('a whole chain may go at once', () => {
  expect(planPrune(catalog(chain), new Set(['a', 'b', 'c']), 0)).toHaveLength(3)
})
