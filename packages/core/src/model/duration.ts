import * as z from 'zod'

/** A length of time as a person writes it: `90s`, `15m`, `36h`, `30d`, or a number of milliseconds. */
export type DurationInput = string | number

const second = 1000
const minute = 60 * second
const hour = 60 * minute
const day = 24 * hour
const units: { readonly [letter: string]: number } = { s: second, m: minute, h: hour, d: day }

/** Longer ones are mistakes, and they would leave the range of dates. */
const longest = 36_500 * day
const expected = 'expected a whole number with a unit, such as 90s, 15m, 36h or 30d, or a number of milliseconds; at most 36500d'

/**
 * The milliseconds of a length of time, or undefined when it is none. A string is a whole number and one unit: `s`, `m` (minutes), `h` or `d` (24 hours).
 * A number is milliseconds already. At most 36,500 days, never negative.
 */
export function parseDuration(value: unknown): number | undefined {
  if (typeof value === 'number') return Number.isInteger(value) && value >= 0 && value <= longest ? value : undefined
  const [, digits, unit] = typeof value === 'string' ? (/^(\d{1,12})([smhd])$/.exec(value) ?? []) : []
  if (digits === undefined || unit === undefined) return undefined
  const milliseconds = Number(digits) * (units[unit] ?? Number.NaN)
  return milliseconds <= longest ? milliseconds : undefined
}

/** In the largest unit that leaves nothing over, in words: `15 minutes`, `36 hours`, `1 day`. */
export function describeDuration(milliseconds: number): string {
  const words = [
    [day, 'day'],
    [hour, 'hour'],
    [minute, 'minute'],
    [second, 'second'],
    [1, 'millisecond'],
  ] as const
  const [size, word] = words.find(([each]) => milliseconds > 0 && milliseconds % each === 0) ?? [second, 'second']
  const count = milliseconds / size
  return `${count} ${word}${count === 1 ? '' : 's'}`
}

/** A length of time; the parsed value is milliseconds, and parses to itself. Callers refine it with their own bounds. */
export const durationSchema: z.ZodType<number, DurationInput> = z
  .union([z.string().regex(/^\d{1,12}[smhd]$/, expected), z.int({ error: expected }).min(0, expected)], { error: expected })
  .transform((value, context) => {
    const milliseconds = parseDuration(value)
    if (milliseconds === undefined) context.addIssue({ code: 'custom', message: expected })
    return milliseconds ?? z.NEVER
  })
