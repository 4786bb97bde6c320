import { describe, expect, it } from 'vitest'
import { isoTime } from '../model/names.ts'
import { decideDue, mostMissed } from './decide-due.ts'
import { parseSchedule } from './schedule-schema.ts'

const at = (time: string): number => Date.parse(`2026-11-${time}:00.000Z`)
const hourly = (missed?: object) => parseSchedule({ type: 'simple', every: 'hour', ...(missed && { missed }) }, 'x')
const daily = (missed?: object) => parseSchedule({ type: 'simple', every: 'day', at: '02:00', ...(missed && { missed }) }, 'x')

describe('a due time that has come', () => {
  it('runs when it is looked at in time', () => {
    for (const schedule of [daily(), daily({ policy: 'skip' }), daily({ policy: 'latest', window: 0 })]) {
      for (const late of [0, 1, 5 * 60_000]) {
        expect(decideDue(schedule, at('20T02:00'), at('20T02:00') + late)).toEqual({
          fire: at('20T02:00'),
          next: at('21T02:00'),
          missed: 0,
          reason: 'The run due at 2026-11-20T02:00:00.000Z is in time.',
        })
      }
    }
  })

  it('is skipped after five minutes, when the schedule skips', () => {
    expect(decideDue(daily({ policy: 'skip' }), at('20T02:00'), at('20T02:00') + 5 * 60_000 + 1)).toEqual({
      fire: null,
      next: at('21T02:00'),
      missed: 1,
      reason: 'Nobody looked at 2026-11-20T02:00:00.000Z or soon after; it is 5 minutes late now, and the schedule skips what it missed.',
    })
  })

  it('is made up once, however many were missed and however late it is', () => {
    expect(decideDue(hourly(), at('20T02:00'), at('20T05:40'))).toEqual({
      fire: at('20T05:00'),
      next: at('20T06:00'),
      missed: 3,
      reason: 'The run due at 2026-11-20T05:00:00.000Z is made up, 40 minutes late.',
    })
    const monthly = parseSchedule({ type: 'simple', every: 'month', on: 1, at: '02:00' }, 'x')
    expect(decideDue(monthly, at('01T02:00'), at('28T02:00'))).toMatchObject({
      fire: at('01T02:00'),
      missed: 0,
      reason: 'The run due at 2026-11-01T02:00:00.000Z is made up, 27 days late.',
    })
  })

  it('is not made up when it is older than the window', () => {
    const schedule = daily({ policy: 'latest', window: '3h' })
    expect(decideDue(schedule, at('20T02:00'), at('20T05:00')).fire).toBe(at('20T02:00'))
    expect(decideDue(schedule, at('18T02:00'), at('20T05:01'))).toEqual({
      fire: null,
      next: at('21T02:00'),
      missed: 3,
      reason:
        'Nobody looked at 2026-11-20T02:00:00.000Z or soon after; it is 3 hours late now, and the schedule makes up for at most 3 hours.',
    })
  })

  it('gives way to a later one that is in time, also when the schedule skips', () => {
    expect(decideDue(hourly({ policy: 'skip' }), at('20T02:00'), at('20T05:02'))).toMatchObject({ fire: at('20T05:00'), missed: 3 })
  })

  it('decides nothing when the clock has gone back behind it', () => {
    const decision = { fire: null, next: at('20T02:00'), missed: 0, reason: 'It is not due yet.' }
    expect(decideDue(daily(), at('20T02:00'), at('20T01:59'))).toEqual(decision)
  })

  it('counts what was missed up to a limit', () => {
    const minutely = parseSchedule({ type: 'every', interval: '1m', missed: { policy: 'skip' } }, 'x')
    const decision = decideDue(minutely, at('01T00:00'), at('28T00:00'))
    expect(decision).toMatchObject({ fire: at('28T00:00'), missed: mostMissed })
    expect(isoTime(decision.next ?? 0)).toBe('2026-11-28T00:01:00.000Z')
  })

  it('is the last one when nothing is due any more', () => {
    const last = Date.parse('2999-12-31T02:00:00Z')
    expect(decideDue(daily(), last, last)).toMatchObject({ fire: last, next: null, missed: 0 })
  })
})
