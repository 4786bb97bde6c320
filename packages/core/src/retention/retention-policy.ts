import * as z from 'zod'
import { type DurationInput, durationSchema } from '../model/duration.ts'
import { zoneSchema } from '../schedule/schedule-schema.ts'
import { parseStrict } from '../spec/helpers/parse-options.ts'

/** The rules that keep a number of points, in the order in which reasons name them. */
export const countedRules = ['last', 'hourly', 'daily', 'weekly', 'monthly', 'yearly'] as const

/** How long restore points are kept, as an application writes it. At least one rule besides `maxAge` is above zero. */
export interface RetentionPolicyInput {
  /** The newest points, this many. */
  readonly last?: number | undefined
  /** The newest point of an hour, for this many hours that have one. Hours are those of UTC, so none is lost when clocks change. */
  readonly hourly?: number | undefined
  /** The newest point of a day in `zone`, for this many days that have one. */
  readonly daily?: number | undefined
  /** The same for weeks, which begin on Monday (ISO 8601). */
  readonly weekly?: number | undefined
  /** The same for months. */
  readonly monthly?: number | undefined
  /** The same for years. */
  readonly yearly?: number | undefined
  /** Every point less than this much older than the newest good point: `36h`, `30d` or milliseconds. */
  readonly within?: DurationInput | undefined
  /** No rule above keeps a point more than this much older than the newest good point: `36h`, `30d` or milliseconds. */
  readonly maxAge?: DurationInput | undefined
  /** IANA name of the time zone of days, weeks, months and years. Default `UTC`. */
  readonly zone?: string | undefined
  /**
   * What becomes of a point that goes, but that a kept one builds on. `keep`: it stays as long as that one. `merge`: its part is written into that one, and
   * then it goes. Default `keep`.
   */
  readonly chains?: 'keep' | 'merge' | undefined
}

/** A policy with its defaults filled in. Durations are milliseconds. It parses to itself. */
export interface RetentionPolicy {
  readonly last?: number | undefined
  readonly hourly?: number | undefined
  readonly daily?: number | undefined
  readonly weekly?: number | undefined
  readonly monthly?: number | undefined
  readonly yearly?: number | undefined
  readonly within?: number | undefined
  readonly maxAge?: number | undefined
  readonly zone: string
  readonly chains?: 'keep' | 'merge' | undefined
}

/** A policy with no rule that keeps anything would delete every point but the newest, which nobody means. */
export function keepsSomething(policy: RetentionPolicy): boolean {
  return countedRules.some((rule) => (policy[rule] ?? 0) > 0) || (policy.within ?? 0) > 0
}

const countSchema = z.int().min(0, 'expected a whole number, 0 or more').optional()

/** The part `retention` of a plan. Strict. The parsed policy parses to itself. */
export const retentionSchema: z.ZodType<RetentionPolicy, RetentionPolicyInput> = z
  .strictObject({
    last: countSchema,
    hourly: countSchema,
    daily: countSchema,
    weekly: countSchema,
    monthly: countSchema,
    yearly: countSchema,
    within: durationSchema.optional(),
    maxAge: durationSchema.refine((age) => age > 0, 'expected more than 0').optional(),
    zone: zoneSchema.default('UTC'),
    chains: z.enum(['keep', 'merge']).optional(),
  })
  .refine(keepsSomething, {
    // One mistake at a time: a misspelt rule is not a policy of zeros as well.
    when: ({ issues }) => issues.length === 0,
    error: ({ input }) =>
      (input as RetentionPolicy).maxAge === undefined
        ? `expected at least one of ${countedRules.join(', ')}, within above 0; leave the whole policy out to keep everything`
        : 'maxAge keeps nothing by itself; to keep every point for some time write within instead, such as { within: "30d" }',
  })

/** Parses a policy. Throws INVALID_OPTIONS with the path of each mistake; `subject` names the policy in messages. */
export function parseRetention(input: unknown, subject: string): RetentionPolicy {
  return parseStrict(retentionSchema, input, subject)
}
