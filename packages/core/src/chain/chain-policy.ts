import * as z from 'zod'
import { type DurationInput, durationSchema } from '../model/duration.ts'
import { weekdays } from '../schedule/calendar.ts'
import { zoneSchema } from '../schedule/schedule-schema.ts'
import type { Weekday } from '../schedule/types.ts'

/** The day from which on one full backup is made. `monthDay`: 1 to 31, or `last`; a month that has no such day takes its last one. */
export type FullDay =
  /** `zone`: IANA name of the time zone of the day. Default: that of the plan's schedule, else `UTC`. */
  { readonly weekday: Weekday; readonly zone?: string } | { readonly monthDay: number | 'last'; readonly zone?: string }

/** When disks are backed up whole again, as an application writes it. Whatever comes first counts. */
export interface ChainPolicyInput {
  /** Increments in a row before a full backup; 0 makes every backup full. Default 10. */
  readonly maxIncrementals?: number | undefined
  /** A full backup when the last one is this old: `7d`, `36h` or milliseconds. It is elapsed time: a day has 24 hours. */
  readonly fullEvery?: DurationInput
  /** A full backup on this day, once; if the day passes without a backup, the next backup is full. */
  readonly fullOn?: FullDay
}

/** A policy with its defaults filled in. It parses to itself. */
export interface ChainPolicy {
  readonly maxIncrementals: number
  /** Milliseconds. */
  readonly fullEvery?: number
  readonly fullOn?: FullDay
}

/** Increments in a row before a full backup is made again, unless told otherwise. */
export const defaultMaxIncrementals = 10

const dayExpected = 'expected { weekday: "sunday" } or { monthDay: 1 }, with a zone if need be'
const monthDayExpected = 'expected a day of the month, 1 to 31, or "last"'

/** One object instead of a union of two: a mistake in a member is told with the name of that member. */
const fullDaySchema = z
  .strictObject({
    weekday: z.enum(weekdays as readonly [Weekday, ...Weekday[]]).exactOptional(),
    monthDay: z
      .union([z.int().min(1, monthDayExpected).max(31, monthDayExpected), z.literal('last')], { error: monthDayExpected })
      .exactOptional(),
    zone: zoneSchema.exactOptional(),
  })
  .refine((day) => (day.weekday === undefined) !== (day.monthDay === undefined), {
    when: ({ issues }) => issues.length === 0,
    error: ({ input }) => (Object.hasOwn(input as object, 'weekday') ? 'it has weekday and monthDay; say only one of them' : dayExpected),
  })
  .meta({ oneOf: [{ required: ['weekday'] }, { required: ['monthDay'] }] }) as z.ZodType<unknown> as z.ZodType<FullDay, FullDay>

/** The part `chain` of a plan. Strict. The parsed policy parses to itself. */
export const chainSchema: z.ZodType<ChainPolicy, ChainPolicyInput> = z.strictObject({
  maxIncrementals: z.int().min(0, 'expected a whole number, 0 or more').default(defaultMaxIncrementals),
  fullEvery: durationSchema
    .refine((age) => age > 0, 'expected more than 0; for nothing but full backups write maxIncrementals: 0')
    .exactOptional(),
  fullOn: fullDaySchema.exactOptional(),
})
