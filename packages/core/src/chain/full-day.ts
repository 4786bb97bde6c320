import { dayMs, modulo, monthOf, weekdayOf, weekdays } from '../schedule/calendar.ts'
import { zoneOf } from '../schedule/zone.ts'
import type { FullDay } from './chain-policy.ts'

/** The days of a rule in its zone, counted from 1970-01-01. Pure. */
export interface FullDays {
  /** The latest day of the rule that is not after the day of `time`. */
  latest(time: number): number
  /** The day that `time` falls on. */
  dayOf(time: number): number
  /** `every Sunday (Europe/Berlin)`. */
  readonly text: string
}

/** Times are milliseconds since 1970. Throws RangeError for a zone that is none. */
export function fullDays(rule: FullDay): FullDays {
  const { zone = 'UTC' } = rule
  const { offsetAt } = zoneOf(zone)
  const dayOf = (time: number): number => Math.floor((time + offsetAt(time)) / dayMs)
  const latest = (time: number): number =>
    'weekday' in rule ? latestWeekday(rule.weekday, dayOf(time)) : latestOf(rule.monthDay, dayOf(time))
  return { latest, dayOf, text: `${daysText(rule)} (${zone})` }
}

function latestWeekday(weekday: (typeof weekdays)[number], day: number): number {
  return day - modulo(weekdayOf(day) - weekdays.indexOf(weekday), 7)
}

function latestOf(monthDay: number | 'last', day: number): number {
  const dayIn = (months: number): number => {
    const { first, length } = monthOf(day, months)
    return first - 1 + (monthDay === 'last' ? length : Math.min(monthDay, length))
  }
  return dayIn(0) <= day ? dayIn(0) : dayIn(-1)
}

function daysText(rule: FullDay): string {
  if ('weekday' in rule) return `every ${rule.weekday.charAt(0).toUpperCase()}${rule.weekday.slice(1)}`
  if (rule.monthDay === 'last') return 'on the last day of every month'
  return rule.monthDay > 28 ? `on day ${rule.monthDay}, or the last day, of every month` : `on day ${rule.monthDay} of every month`
}
