import { dayMs, lastDay, type Month, modulo, monthOf, weekdayOf, weekdays } from './calendar.ts'
import type { NthWeekday, WallRule } from './types.ts'

/** The first day from `day` on, that one included, on which a rule is due. Null: there is none. */
export type DueDays = (day: number) => number | null

/** The calendar repeats itself after 400 years: what is not due in that time never is. */
const months = 400 * 12

/** The days of a rule that has times of day. */
export function dueDays(rule: Exclude<WallRule, { readonly type: 'cron' } | { readonly every: 'hour' }>): DueDays {
  if (rule.type === 'custom') return onWeekdays((weekday) => rule.days[weekday] === '1')
  if (rule.type === 'advanced') return inMonths((month) => advancedDays(rule, month))
  switch (rule.every) {
    case 'day':
      return (day) => day
    case 'weekday':
      return onWeekdays((weekday) => weekday < 5)
    case 'weekend':
      return onWeekdays((weekday) => weekday >= 5)
    case 'week':
      return onWeekdays((weekday) => weekdays[weekday] === rule.on)
    case 'two-weeks': {
      const anchor = Date.parse(rule.anchor) / dayMs
      return (day) => day + modulo(anchor - day, 14)
    }
    case 'month':
      return inMonths((month) => monthlyDay(rule, month))
  }
}

/** The schema has seen to it that there is at least one. */
function onWeekdays(isDue: (weekday: number) => boolean): DueDays {
  return (day) => {
    for (let later = 0; later < 7; later++) if (isDue(weekdayOf(day + later))) return day + later
    return null
  }
}

function inMonths(daysOf: (month: Month) => readonly number[]): DueDays {
  return (day) => {
    for (let later = 0; later <= months; later++) {
      const month = monthOf(day, later)
      if (month.first > lastDay) return null
      const due = daysOf(month).filter((dayOfMonth) => month.first + dayOfMonth - 1 >= day)
      if (due.length > 0) return month.first + Math.min(...due) - 1
    }
    return null
  }
}

type MonthlyRule = Extract<WallRule, { readonly every: 'month' }>

function monthlyDay({ on, shortMonth }: MonthlyRule, { length }: Month): readonly number[] {
  if (on === 'last') return [length]
  if (on <= length) return [on]
  return shortMonth === 'last-day' ? [length] : []
}

type AdvancedRule = Extract<WallRule, { readonly type: 'advanced' }>

function advancedDays(rule: AdvancedRule, month: Month): readonly number[] {
  if (!rule.months.includes(month.month)) return []
  const found = rule.days.filter((dayOfMonth) => dayOfMonth <= month.length)
  for (const each of rule.weekdays) found.push(...nthWeekday(each, month))
  if (rule.lastDay) found.push(month.length)
  if (rule.lastWeekday) found.push(month.length - Math.max(0, weekdayOf(month.first + month.length - 1) - 4))
  return found
}

function nthWeekday({ nth, weekday }: NthWeekday, { first, length }: Month): readonly number[] {
  const earliest = 1 + modulo(weekdays.indexOf(weekday) - weekdayOf(first), 7)
  const count = Math.floor((length - earliest) / 7) + 1
  const wanted = nth === 'last' ? count : nth
  return wanted <= count ? [earliest + (wanted - 1) * 7] : []
}
