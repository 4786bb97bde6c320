import { describeDuration } from '../model/duration.ts'
import { weekdays } from './calendar.ts'
import type { NthWeekday, Rule, Schedule, WallRule, Weekday } from './types.ts'

/** A schedule in plain words: `every day at 02:30 Europe/Berlin`. Of its settings only the zone and the jitter are told. */
export function describeSchedule(schedule: Schedule): string {
  const jitter = schedule.jitter > 0 ? `, up to ${describeDuration(schedule.jitter)} later` : ''
  return `${whenText(schedule)}${schedule.type === 'every' ? '' : ` ${schedule.zone}`}${jitter}`
}

/** A length of time in whole hours or minutes, as people say it. */
export function roughly(milliseconds: number): string {
  const minutes = Math.max(1, Math.round(milliseconds / 60_000))
  if (minutes < 120) return describeDuration(minutes * 60_000)
  const hours = Math.round(minutes / 60)
  return hours < 48 ? `${hours} hours` : `${Math.round(hours / 24)} days`
}

function whenText(rule: Rule): string {
  switch (rule.type) {
    case 'simple':
      return rule.every === 'hour' ? `every hour at minute ${rule.minute}` : `${simpleDays(rule)} at ${list(rule.at)}`
    case 'advanced':
      return `on ${advancedDays(rule)} of ${months(rule.months)} at ${list(rule.at)}`
    case 'custom':
      return `every ${list(weekdays.filter((_weekday, index) => rule.days[index] === '1').map(titled))} at ${list(rule.at)}`
    case 'cron':
      return `by cron expression ${rule.expression}`
    case 'every':
      return `every ${describeDuration(rule.interval).replace(/^1 /, '')} counted from ${rule.anchor}`
  }
}

function simpleDays(rule: Exclude<Extract<WallRule, { readonly type: 'simple' }>, { readonly every: 'hour' }>): string {
  switch (rule.every) {
    case 'weekday':
      return 'every Monday to Friday'
    case 'weekend':
      return 'every Saturday and Sunday'
    case 'week':
      return `every ${titled(rule.on)}`
    case 'two-weeks':
      return `every two weeks from ${rule.anchor}`
    case 'month':
      return `on ${monthlyDay(rule)} of every month`
    default:
      return 'every day'
  }
}

function monthlyDay({ on, shortMonth }: Extract<WallRule, { readonly every: 'month' }>): string {
  if (on === 'last') return 'the last day'
  return on > 28 && shortMonth === 'last-day' ? `day ${on}, or the last day,` : `day ${on}`
}

function advancedDays(rule: Extract<WallRule, { readonly type: 'advanced' }>): string {
  const { days, weekdays: nth, lastDay, lastWeekday } = rule
  const parts = days.length > 0 ? [`day${days.length === 1 ? '' : 's'} ${list(days.map(String))}`] : []
  for (const each of nth) parts.push(nthText(each))
  if (lastDay) parts.push('the last day')
  if (lastWeekday) parts.push('the last Monday to Friday')
  return list(parts)
}

const ordinals = ['first', 'second', 'third', 'fourth', 'fifth'] as const
const nthText = ({ nth, weekday }: NthWeekday): string => `the ${nth === 'last' ? nth : ordinals[nth - 1]} ${titled(weekday)}`

const monthNames = 'January February March April May June July August September October November December'.split(' ')

function months(chosen: readonly number[]): string {
  return chosen.length === 12 ? 'every month' : list(chosen.map((month) => monthNames[month - 1] ?? ''))
}

const titled = (weekday: Weekday): string => weekday.charAt(0).toUpperCase() + weekday.slice(1)

function list(words: readonly string[]): string {
  const last = words.at(-1) ?? ''
  return words.length < 2 ? last : `${words.slice(0, -1).join(', ')} and ${last}`
}
