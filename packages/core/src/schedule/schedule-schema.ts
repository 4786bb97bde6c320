import * as z from 'zod'
import { durationSchema } from '../model/duration.ts'
import { plainJson } from '../model/plain-json.ts'
import { parseStrict } from '../spec/helpers/parse-options.ts'
import { weekdays } from './calendar.ts'
import { cronMistake } from './cron.ts'
import { dueDays } from './due-days.ts'
import type { NthWeekday, Schedule, ScheduleInput, Weekday } from './types.ts'
import { isZone, nearestZone } from './zone.ts'

const minuteMs = 60_000
const dayMs = 24 * 60 * minuteMs

const timeSchema = z.string().regex(/^([01]\d|2[0-3]):[0-5]\d$/, 'expected a time of day from 00:00 to 23:59, such as 02:30')
const timesSchema = z
  .union([timeSchema, z.array(timeSchema).min(1, 'expected at least one time of day')], {
    error: 'expected a time of day such as 02:30, or a list of them',
  })
  .transform((at): readonly string[] => (typeof at === 'string' ? [at] : inOrder(at)))

const weekdaySchema = z.enum(weekdays as readonly [Weekday, ...Weekday[]])
const nthSchema = z.strictObject({
  nth: z.union([z.literal(1), z.literal(2), z.literal(3), z.literal(4), z.literal(5), z.literal('last')], {
    error: 'expected 1, 2, 3, 4, 5 or "last"',
  }),
  weekday: weekdaySchema,
}) satisfies z.ZodType<NthWeekday>

const dayOfMonthSchema = z.int().min(1, 'expected a day of the month, 1 to 31').max(31, 'expected a day of the month, 1 to 31')
const monthSchema = z.int().min(1, 'expected a month, 1 to 12').max(12, 'expected a month, 1 to 12')
const numbers = (each: z.ZodType<number, number>) => z.array(each).transform((list): readonly number[] => inOrder(list))

/** The IANA name of a time zone. */
export const zoneSchema = z.string().superRefine((name, context) => {
  if (isZone(name)) return
  const message = 'expected the IANA name of a time zone, such as Europe/Berlin or UTC'
  context.addIssue({ code: 'custom', message, params: { meant: nearestZone(name) } })
})

const settings = {
  zone: zoneSchema.default('UTC'),
  missed: z
    .discriminatedUnion('policy', [
      z.strictObject({ policy: z.literal('skip') }),
      z.strictObject({ policy: z.literal('latest'), window: durationSchema.exactOptional() }),
    ])
    .default({ policy: 'latest' }),
  overlap: z.enum(['skip', 'queue-one']).default('skip'),
  jitter: durationSchema.refine((jitter) => jitter <= dayMs, 'expected at most 24h').default(0),
}

const simple = z.literal('simple')
const simpleSchema = z.discriminatedUnion('every', [
  z.strictObject({
    type: simple,
    every: z.literal('hour'),
    minute: z.int().min(0, 'expected a minute, 0 to 59').max(59, 'expected a minute, 0 to 59').default(0),
    ...settings,
  }),
  z.strictObject({ type: simple, every: z.literal(['day', 'weekday', 'weekend']), at: timesSchema, ...settings }),
  z.strictObject({ type: simple, every: z.literal('week'), on: weekdaySchema, at: timesSchema, ...settings }),
  z.strictObject({
    type: simple,
    every: z.literal('two-weeks'),
    anchor: z.iso.date('expected one of the days, such as 2026-11-20'),
    at: timesSchema,
    ...settings,
  }),
  z.strictObject({
    type: simple,
    every: z.literal('month'),
    on: z.union([dayOfMonthSchema, z.literal('last')], { error: 'expected a day of the month, 1 to 31, or "last"' }),
    shortMonth: z.enum(['last-day', 'skip']).default('last-day'),
    at: timesSchema,
    ...settings,
  }),
])

const advancedSchema = z
  .strictObject({
    type: z.literal('advanced'),
    days: numbers(dayOfMonthSchema).default([]),
    weekdays: z.array(nthSchema).default([]),
    lastDay: z.boolean().default(false),
    lastWeekday: z.boolean().default(false),
    months: numbers(monthSchema).default([1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12]),
    at: timesSchema,
    ...settings,
  })
  .refine((rule) => dueDays(rule)(0) !== null, 'it is never due; name days that its months have by days, weekdays, lastDay or lastWeekday')

const cronSchema = z.strictObject({
  type: z.literal('cron'),
  expression: z
    .string()
    .max(200, 'expected at most 200 characters')
    .superRefine((expression, context) => {
      const mistake = cronMistake(expression)
      if (mistake !== undefined) context.addIssue({ code: 'custom', message: mistake })
    }),
  ...settings,
})

const customSchema = z.strictObject({
  type: z.literal('custom'),
  days: z
    .string()
    .regex(/^(?=.*1)[01]{7}$/, 'expected seven digits, Monday first, 1 for a day on which it is due and 0 for another, such as 1111100'),
  at: timesSchema,
  ...settings,
})

const everySchema = z.strictObject({
  type: z.literal('every'),
  interval: durationSchema.refine((interval) => interval >= minuteMs, 'expected at least one minute'),
  anchor: z.iso.datetime('expected a time in UTC, such as 2026-11-20T02:00:00Z').default('1970-01-01T00:00:00Z'),
  ...settings,
})

/** The part `schedule` of a plan. Strict. The parsed schedule parses to itself. */
export const scheduleSchema: z.ZodType<Schedule, ScheduleInput> = z.discriminatedUnion('type', [
  simpleSchema,
  advancedSchema,
  cronSchema,
  customSchema,
  everySchema,
])

/** Parses a schedule. Throws INVALID_OPTIONS with the path of each mistake; `subject` names the schedule in messages. */
export function parseSchedule(input: unknown, subject: string): Schedule {
  return parseStrict(scheduleSchema, plainJson(input, subject), subject)
}

/** Sorted, each once: `HH:MM` as text sorts like the times. */
function inOrder<Value extends string | number>(values: readonly Value[]): readonly Value[] {
  return [...new Set(values)].sort((left, right) => (left < right ? -1 : 1))
}
