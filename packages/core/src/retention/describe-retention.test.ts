import { readFileSync } from 'node:fs'
import { expect, it } from 'vitest'
import { describeRetention } from './describe-retention.ts'
import { planRetention } from './plan-retention.ts'

const at = (text: string) => Date.parse(text)

it('is a table that a person reads: newest first, with reasons, warnings and totals', () => {
  const points = [
    { id: 'a', sequence: 1, createdAt: at('2026-03-01T02:00:00Z'), parents: [], pinned: 'before\nthe migration' },
    { id: 'b', sequence: 2, createdAt: at('2026-03-02T02:00:00Z'), parents: [] },
    { id: 'a-longer-name', sequence: 3, createdAt: at('2026-03-03T02:00:00Z'), parents: [] },
    { id: 'late', sequence: 4, createdAt: at('2099-01-01T00:00:00Z'), parents: [] },
  ]
  const plan = planRetention(points, { last: 1, zone: 'UTC' }, at('2026-03-03T03:00:00Z'))
  expect(describeRetention(plan)).toBe(
    [
      'POINT          CREATED                   DECISION  REASONS',
      'late           2099-01-01T00:00:00.000Z  keep      dated in the future: 2099-01-01T00:00:00.000Z',
      'a-longer-name  2026-03-03T02:00:00.000Z  keep      newest good point; last 1 of 1',
      'b              2026-03-02T02:00:00.000Z  delete    no rule keeps it',
      'a              2026-03-01T02:00:00.000Z  keep      pinned: before\\u000athe migration',
      'warning: Point late is dated in the future: kept, and counted by no rule. Look at the clocks.',
      '3 to keep, 1 to delete',
      '',
    ].join('\n'),
  )
})

it('shows a time that is none as it is', () => {
  const plan = planRetention([{ id: 'a', sequence: 1, createdAt: Number.NaN, parents: [] }], undefined, 0)
  expect(describeRetention(plan)).toContain('a      NaN      keep      no policy: everything is kept\n')
})

it('is what the example of the guide shows', () => {
  const rows: readonly (readonly [time: string, more?: object])[] = [
    ['2026-09-30T00:30:00Z'],
    ['2026-10-18T00:30:00Z'],
    ['2026-10-24T00:30:00Z'],
    ['2026-10-25T00:30:00Z'],
    ['2026-10-26T01:30:00Z', { pinned: 'before the migration' }],
    ['2026-10-27T01:30:00Z'],
    ['2026-10-28T01:30:00Z', { parents: ['p06'] }],
    ['2026-10-29T01:30:00Z', { parents: ['p07'] }],
    ['2026-10-30T01:30:00Z', { quarantined: 'a cluster has another sum' }],
    ['2026-10-31T01:30:00Z'],
    ['2026-10-31T13:30:00Z', { parents: ['p10'] }],
  ]
  const idOf = (index: number) => `p${String(index + 1).padStart(2, '0')}`
  const points = rows.map(([time, more], index) => ({ id: idOf(index), sequence: index + 1, createdAt: at(time), parents: [], ...more }))
  const policy = { last: 1, daily: 3, weekly: 2, monthly: 3, zone: 'Europe/Berlin' }
  const guide = readFileSync(new URL('../../../../docs/guide/retention.md', import.meta.url), 'utf8')
  expect(guide).toContain(`\`\`\`\n${describeRetention(planRetention(points, policy, at('2026-11-01T00:00:00Z')))}\`\`\`\n`)
})
