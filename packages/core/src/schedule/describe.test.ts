import { describe, expect, it } from 'vitest'
import { describeSchedule, roughly } from './describe.ts'
import { parseSchedule } from './schedule-schema.ts'

describe('a schedule in words', () => {
  it.each([
    [{ type: 'simple', every: 'hour', minute: 15 }, 'every hour at minute 15 UTC'],
    [{ type: 'simple', every: 'day', at: '02:30', zone: 'Europe/Berlin' }, 'every day at 02:30 Europe/Berlin'],
    [{ type: 'simple', every: 'weekday', at: ['14:00', '02:30'] }, 'every Monday to Friday at 02:30 and 14:00 UTC'],
    [{ type: 'simple', every: 'weekend', at: ['01:00', '02:00', '03:00'] }, 'every Saturday and Sunday at 01:00, 02:00 and 03:00 UTC'],
    [{ type: 'simple', every: 'week', on: 'sunday', at: '02:30', jitter: '10m' }, 'every Sunday at 02:30 UTC, up to 10 minutes later'],
    [{ type: 'simple', every: 'two-weeks', anchor: '2026-11-20', at: '02:30' }, 'every two weeks from 2026-11-20 at 02:30 UTC'],
    [{ type: 'simple', every: 'month', on: 15, at: '02:30' }, 'on day 15 of every month at 02:30 UTC'],
    [{ type: 'simple', every: 'month', on: 31, at: '02:30' }, 'on day 31, or the last day, of every month at 02:30 UTC'],
    [{ type: 'simple', every: 'month', on: 31, shortMonth: 'skip', at: '02:30' }, 'on day 31 of every month at 02:30 UTC'],
    [{ type: 'simple', every: 'month', on: 'last', at: '02:30' }, 'on the last day of every month at 02:30 UTC'],
    [{ type: 'advanced', days: [1], at: '02:30' }, 'on day 1 of every month at 02:30 UTC'],
    [
      { type: 'advanced', days: [1, 15], weekdays: [{ nth: 2, weekday: 'tuesday' }], lastDay: true, months: [1, 7], at: '02:30' },
      'on days 1 and 15, the second Tuesday and the last day of January and July at 02:30 UTC',
    ],
    [
      { type: 'advanced', weekdays: [{ nth: 'last', weekday: 'friday' }], lastWeekday: true, at: '22:00' },
      'on the last Friday and the last Monday to Friday of every month at 22:00 UTC',
    ],
    [{ type: 'custom', days: '1010100', at: '02:30' }, 'every Monday, Wednesday and Friday at 02:30 UTC'],
    [{ type: 'cron', expression: '30 2 * * 1-5', zone: 'Asia/Kolkata' }, 'by cron expression 30 2 * * 1-5 Asia/Kolkata'],
    [{ type: 'every', interval: '36h' }, 'every 36 hours counted from 1970-01-01T00:00:00Z'],
    [{ type: 'every', interval: '1d', anchor: '2026-11-20T02:00:00Z' }, 'every day counted from 2026-11-20T02:00:00Z'],
  ])('%j', (schedule, words) => {
    expect(describeSchedule(parseSchedule(schedule, 'x'))).toBe(words)
  })

  it('says how late something is as people do', () => {
    const told = [1, 90_000, 119 * 60_000, 150 * 60_000, 47 * 3_600_000, 60 * 3_600_000].map(roughly)
    expect(told).toEqual(['1 minute', '2 minutes', '119 minutes', '3 hours', '47 hours', '3 days'])
  })
})
