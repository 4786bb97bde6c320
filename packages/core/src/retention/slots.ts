import { localDays } from './local-days.ts'
import { countedRules, type RetentionPolicy } from './retention-policy.ts'

export type CountedRule = (typeof countedRules)[number]

/** The places of one counted rule, which points take from newest to oldest. */
export interface Slots {
  readonly rule: CountedRule
  readonly limit: number
  /** How many are taken. */
  taken: number
  /** Whether the hour, day, week, month or year of this time has no place yet. Of `last`: always. */
  isNew(time: number): boolean
  /** From now on it has one. */
  mark(time: number): void
}

/** The rules of a policy that keep a number of points; those of zero are left out. */
export function slotsOf(policy: RetentionPolicy): readonly Slots[] {
  const periods = periodsIn(policy.zone)
  return countedRules.flatMap((rule) => {
    const limit = policy[rule] ?? 0
    if (limit <= 0) return []
    return rule === 'last' ? [lastSlots(limit)] : [periodSlots(rule, limit, periods[rule])]
  })
}

const lastSlots = (limit: number): Slots => ({ rule: 'last', limit, taken: 0, isNew: () => true, mark: () => undefined })

/** A period has one place, also when a clock that was set back comes to it again. */
function periodSlots(rule: CountedRule, limit: number, periodOf: (time: number) => number): Slots {
  const seen = new Set<number>()
  let latest = Number.NaN
  return {
    rule,
    limit,
    taken: 0,
    isNew(time) {
      const period = periodOf(time)
      return period !== latest && !seen.has(period)
    },
    mark(time) {
      latest = periodOf(time)
      seen.add(latest)
    },
  }
}

const hourMs = 3_600_000

/** Numbers that are the same for times of the same period, and only for those. */
function periodsIn(zone: string): { readonly [rule in Exclude<CountedRule, 'last'>]: (time: number) => number } {
  const dayOf = localDays(zone)
  const monthOf = months()
  return {
    hourly: (time) => Math.floor(time / hourMs),
    daily: dayOf,
    // 1970-01-01 was a Thursday; ISO weeks begin on Monday, three days before.
    weekly: (time) => Math.floor((dayOf(time) + 3) / 7),
    monthly: (time) => monthOf(dayOf(time)),
    yearly: (time) => Math.floor(monthOf(dayOf(time)) / 12),
  }
}

/** Months since the year 0 of a day; the last answer is remembered. */
function months(): (day: number) => number {
  let known = Number.NaN
  let month = 0
  return (day) => {
    if (day !== known) {
      const date = new Date(day * 24 * hourMs)
      known = day
      month = date.getUTCFullYear() * 12 + date.getUTCMonth()
    }
    return month
  }
}
