import { expect, it } from 'vitest'
import { parseRetention } from '../../retention/index.ts'
import type { Catalog } from '../../spec/store.ts'
import { decideWorkload } from './retention-decisions.ts'

const day = 86_400_000
const now = Date.UTC(2026, 10, 20)

/** `F1 by a` or `I1 by b on F1`, oldest first. */
function catalogOf(points: readonly string[]): Catalog {
  const rows = points.map((text, index) => {
    const [, pointId = '', plan = '', parent] = /^(\w+) by (\w+)(?: on (\w+))?$/.exec(text) ?? []
    return {
      repository: 'main',
      folder: `w/${pointId}`,
      number: 1,
      pointId,
      workload: 'p/w',
      parents: parent === undefined ? [] : [parent],
      sequence: index + 1,
      createdAt: now - (points.length - index) * day,
      summary: { plan },
      condemned: false,
      flags: {},
    }
  })
  return { version: 1, points: rows, inUse: [] }
}
const last = (count: number) => parseRetention({ last: count }, 'test')
const kept = (catalog: Catalog, policies: Parameters<typeof decideWorkload>[1]) =>
  decideWorkload(catalog, policies, now)
    .decisions.filter(({ keep }) => keep)
    .map(({ point }) => point.id)

it('lets two plans on one workload prune their own points, also those whose base the other plan has made', () => {
  const catalog = catalogOf(['F1 by a', 'I1 by b on F1', 'F2 by a', 'I2 by b on F2'])
  const policies = new Map([
    ['a', last(1)],
    ['b', last(1)],
  ])
  expect(kept(catalog, policies)).toEqual(['I2', 'F2'])
})

it('keeps the base of a kept point, whichever plan has made it', () => {
  const catalog = catalogOf(['F1 by a', 'I1 by b on F1', 'F2 by a'])
  expect(kept(catalog, new Map([['a', last(1)]]))).toEqual(['F2', 'I1', 'F1'])
  const first = decideWorkload(catalog, new Map([['a', last(1)]]), now).decisions.at(-1)
  expect(first).toMatchObject({ reasons: ['base of I1'], rules: ['base'] })
})
