import { describe, expect, it } from 'vitest'
import { toJsonSchema } from '../model/schemas.ts'
import { HoldfastError } from '../spec/errors.ts'
import { parseSchedule, scheduleSchema } from './schedule-schema.ts'

const daily = { type: 'simple', every: 'day', at: '02:30' }
const settings = { zone: 'UTC', missed: { policy: 'latest' }, overlap: 'skip', jitter: 0 }
const refusal = (input: unknown): HoldfastError => {
  try {
    parseSchedule(input, 'plan "nightly"')
  } catch (error) {
    if (HoldfastError.isInstance(error)) return error
    throw error
  }
  throw new Error('it was taken')
}

describe('schedule', () => {
  it('fills in its defaults, and parses to itself', () => {
    const parsed = parseSchedule(daily, 'x')
    expect(parsed).toEqual({ ...daily, at: ['02:30'], ...settings })
    expect(parseSchedule(parsed, 'x')).toEqual(parsed)
    expect(parseSchedule({ ...daily, zone: undefined, missed: undefined, jitter: undefined }, 'x')).toEqual(parsed)
    expect(parseSchedule({ type: 'simple', every: 'hour' }, 'x')).toEqual({ type: 'simple', every: 'hour', minute: 0, ...settings })
    expect(parseSchedule({ type: 'every', interval: '36h' }, 'x')).toEqual({
      type: 'every',
      interval: 129_600_000,
      anchor: '1970-01-01T00:00:00Z',
      ...settings,
    })
  })

  it('reads durations in its settings', () => {
    const input = { ...daily, missed: { policy: 'latest', window: '36h' }, overlap: 'queue-one', jitter: '10m' }
    expect(parseSchedule(input, 'x')).toMatchObject({
      missed: { policy: 'latest', window: 129_600_000 },
      overlap: 'queue-one',
      jitter: 600_000,
    })
  })

  it('puts lists in order, each value once, so that one schedule is written in one way', () => {
    expect(parseSchedule({ ...daily, at: ['14:30', '02:30', '14:30'] }, 'x')).toMatchObject({ at: ['02:30', '14:30'] })
    const advanced = { type: 'advanced', days: [15, 1, 15], months: [10, 9, 2], at: '02:30' }
    expect(parseSchedule(advanced, 'x')).toMatchObject({ days: [1, 15], months: [2, 9, 10] })
  })

  it.each([
    ['no type', {}, 'type is missing; allowed: "simple", "advanced", "cron", "custom", "every"', 'Mend'],
    ['a misspelt type', { type: 'simpel' }, 'type is "simpel"; allowed:', 'Did you mean "simple"?'],
    ['a misspelt period', { ...daily, every: 'dya' }, 'every is "dya"; allowed: "hour", "day"', 'Did you mean "day"?'],
    ['a key of another type', { ...daily, minute: 5 }, 'minute is not known here', 'Mend'],
    ['no time', { type: 'simple', every: 'day' }, 'at is undefined: expected a time of day such as 02:30, or a list of them', 'Mend'],
    ['a time without its zero', { ...daily, at: '2:30' }, 'at is "2:30": expected a time of day from 00:00 to 23:59', 'Mend'],
    ['a time that no clock shows', { ...daily, at: ['02:30', '24:00'] }, 'at[1] is "24:00": expected a time of day', 'Mend'],
    ['no times', { ...daily, at: [] }, 'at is a list of 0: expected at least one time of day', 'Mend'],
    ['a minute too many', { type: 'simple', every: 'hour', minute: 60 }, 'minute is 60: expected a minute, 0 to 59', 'Mend'],
    ['a misspelt weekday', { ...daily, every: 'week', on: 'munday' }, 'on is "munday"; allowed: "monday"', 'Did you mean "monday"?'],
    ['a day that no month has', { ...daily, every: 'month', on: 32 }, 'on is 32: expected a day of the month, 1 to 31', 'Mend'],
    [
      'an anchor that is no date',
      { ...daily, every: 'two-weeks', anchor: '2026-02-29' },
      'anchor is "2026-02-29": expected one of',
      'Mend',
    ],
    ['a short zone', { ...daily, zone: 'berlin' }, 'zone is "berlin": expected the IANA name', 'Did you mean "Europe/Berlin"?'],
    ['a misspelt zone', { ...daily, zone: 'America/New York' }, 'zone is "America/New York"', 'Did you mean "America/New_York"?'],
    ['an offset as zone', { ...daily, zone: '+02:00' }, 'zone is "+02:00": expected the IANA name of a time zone', 'Mend'],
    ['nothing as zone', { ...daily, zone: '' }, 'zone is "": expected the IANA name of a time zone', 'Mend'],
    ['an unknown policy', { ...daily, missed: { policy: 'all' } }, 'missed.policy is "all"; allowed: "skip", "latest"', 'Mend'],
    ['a window of a skip', { ...daily, missed: { policy: 'skip', window: '1h' } }, 'missed.window is not known here', 'Mend'],
    ['a long jitter', { ...daily, jitter: '25h' }, 'jitter is "25h": expected at most 24h', 'Mend'],
    ['advanced without a day', { type: 'advanced', at: '02:30' }, 'the value is an object: it is never due', 'Mend'],
    ['a day that its month lacks', { type: 'advanced', days: [30], months: [2], at: '02:30' }, 'it is never due', 'Mend'],
    ['a sixth Monday', { type: 'advanced', weekdays: [{ nth: 6, weekday: 'monday' }], at: '02:30' }, 'weekdays[0].nth is 6', 'Mend'],
    ['no custom day', { type: 'custom', days: '0000000', at: '02:30' }, 'days is "0000000": expected seven digits, Monday first', 'Mend'],
    ['six custom days', { type: 'custom', days: '111110', at: '02:30' }, 'days is "111110": expected seven digits', 'Mend'],
    ['half a minute', { type: 'every', interval: '30s' }, 'interval is "30s": expected at least one minute', 'Mend'],
    ['a local anchor', { type: 'every', interval: '1h', anchor: '2026-11-20T02:00:00+01:00' }, 'expected a time in UTC', 'Mend'],
    ['a function', { ...daily, at: () => '02:30' }, 'at is a function; expected plain data', 'Mend'],
  ])('refuses %s and says where', (_name, input, message, remedy) => {
    const error = refusal(input)
    expect(error.code).toBe('INVALID_OPTIONS')
    expect(error.message).toContain(`plan "nightly": `)
    expect(error.message).toContain(message)
    expect(error.remedy).toContain(remedy)
  })

  it.each([
    ['0 2 * *', 'expected 5 fields (minute, hour, day of month, month, day of week), not 4'],
    ['0 0 2 * * *', 'expected 5 fields (minute, hour, day of month, month, day of week), not 6'],
    ['@daily', 'expected 5 fields'],
    ['', 'expected 5 fields'],
    ['2026-11-20T02:00:00 * * * *', '":" is not known'],
    ['0 0 ? * 1', '"?" is not known'],
    ['0 0 1 * +MON', '"+" is not known'],
    ['0 0 15W * *', '"W" is not known'],
    ['61 * * * *', 'Invalid value for minute: 61'],
    ['0 24 * * *', 'Invalid value for hour: 24'],
    ['0 0 0 * *', 'Invalid value for day'],
    ['0 0 * * 8', 'Invalid value for dayOfWeek: 8'],
    ['*/0 * * * *', 'illegal stepping: 0'],
    ['5/15 * * * *', 'stepping with numeric prefix'],
    ['0 22-2 * * *', "From value is larger than to value: '22-2'"],
    ['0 0 * * 1#6', 'nth weekday out of range'],
    ['0 0 30 2 *', 'there is no such day'],
    ['0 0 31 4,6,9,11 *', 'there is no such day'],
    [`${'1,'.repeat(200)}1 * * * *`, 'expected at most 200 characters'],
  ])('refuses the cron expression %j', (expression, message) => {
    const error = refusal({ type: 'cron', expression })
    expect(error.message).toContain('plan "nightly": expression is "')
    expect(error.message).toContain(message)
  })

  it.each(['0 2 * * *', ' 0  2 * * * ', '*/30 0-23 1,L JAN-MAR sun', '0 0 * * WED', '0 0 29 2 *', '0 0 * 2 1#5', '0 0 * * 5L'])(
    'takes the cron expression %j',
    (expression) => {
      expect(parseSchedule({ type: 'cron', expression }, 'x')).toEqual({ type: 'cron', expression, ...settings })
    },
  )

  it('has a JSON Schema of what may be written', () => {
    const schema = JSON.stringify(toJsonSchema(scheduleSchema, 'schedule', 'input'))
    for (const word of ['"two-weeks"', '"expression"', '"jitter"', '"queue-one"', '"shortMonth"']) expect(schema).toContain(word)
  })
})
