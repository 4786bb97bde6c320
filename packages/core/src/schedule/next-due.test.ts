import { describe, expect, it } from 'vitest'
import { latestDue, nextDue } from './next-due.ts'
import { parseSchedule } from './schedule-schema.ts'

const daily = parseSchedule({ type: 'simple', every: 'day', at: '02:30', zone: 'Europe/Berlin' }, 'x')
const at = (time: string): number => Date.parse(`${time}Z`)

describe('next due time', () => {
  it('is never the time it was asked for', () => {
    expect(nextDue(daily, at('2026-11-20T01:29:59.999'))).toBe(at('2026-11-20T01:30'))
    expect(nextDue(daily, at('2026-11-20T01:30'))).toBe(at('2026-11-21T01:30'))
  })

  it.each(['daily', 'cron', 'every'])('ends with the year 2999: %s', (type) => {
    const rules = { daily, cron: { type: 'cron', expression: '30 2 * * *' }, every: { type: 'every', interval: '1d' } }
    const schedule = parseSchedule(rules[type as keyof typeof rules], 'x')
    expect(nextDue(schedule, at('2999-12-30T12:00'))).not.toBeNull()
    expect(nextDue(schedule, at('2999-12-31T12:00'))).toBeNull()
    for (const never of [8.64e15, 8.64e15 + 1, Number.POSITIVE_INFINITY, Number.NaN]) expect(nextDue(schedule, never)).toBeNull()
  })
})

describe('latest due time', () => {
  it('lies after the beginning and may be the end', () => {
    const [first, second] = [at('2026-11-20T01:30'), at('2026-11-21T01:30')]
    expect(latestDue(daily, first, second)).toBe(second)
    expect(latestDue(daily, first, second - 1)).toBeNull()
    expect(latestDue(daily, first - 1, second - 1)).toBe(first)
  })

  it('is found in years of minutes', () => {
    const minutely = parseSchedule({ type: 'cron', expression: '* 2 * 3 *', zone: 'America/St_Johns' }, 'x')
    expect(latestDue(minutely, 0, at('2026-11-20T00:00'))).toBe(at('2026-04-01T05:29') - 24 * 3_600_000)
  })
})
