import { dayMs, lastDay } from './calendar.ts'
import { cronHabits, cronTimes } from './cron.ts'
import { dueDays } from './due-days.ts'
import type { WallRule } from './types.ts'

/** The wall times of a rule, and what becomes of those that a change of clocks skips or shows twice. */
export interface WallTimes {
  /** The first wall time after `after`. Null: there is none. */
  next(after: number): number | null
  /** `after`: what lies in the gap is due at the first moment after it. `leave`: it is not due; the hour that is missing was none. */
  readonly gap: 'after' | 'leave'
  /** Of a time that is shown twice, whether only the first counts or both. */
  readonly twice: 'first' | 'both'
}

const minuteMs = 60_000
const hourMs = 3_600_000

export function wallTimes(rule: WallRule): WallTimes {
  const { next, ...habits } = withoutEnd(rule)
  return {
    next(after) {
      const wall = next(after)
      return wall === null || wall >= (lastDay + 1) * dayMs ? null : wall
    },
    ...habits,
  }
}

function withoutEnd(rule: WallRule): WallTimes {
  if (rule.type === 'cron') {
    const { everyHour, steps } = cronHabits(rule.expression)
    return { next: cronTimes(rule.expression), gap: everyHour ? 'leave' : 'after', twice: steps ? 'both' : 'first' }
  }
  if (rule.type === 'simple' && rule.every === 'hour') {
    const minute = rule.minute * minuteMs
    return { next: (after) => (Math.floor((after - minute) / hourMs) + 1) * hourMs + minute, gap: 'leave', twice: 'both' }
  }
  const days = dueDays(rule)
  const times = rule.at.map(timeOfDay)
  const next = (after: number): number | null => {
    const today = Math.floor(after / dayMs)
    const later = times.find((time) => today * dayMs + time > after)
    const day = days(later === undefined ? today + 1 : today)
    if (day === null) return null
    return day * dayMs + ((day === today ? later : times[0]) ?? 0)
  }
  return { next, gap: 'after', twice: 'first' }
}

/** Milliseconds since midnight of `HH:MM`. */
const timeOfDay = (time: string): number => Number(time.slice(0, 2)) * hourMs + Number(time.slice(3)) * minuteMs
