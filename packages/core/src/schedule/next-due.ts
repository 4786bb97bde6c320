import { dayMs, lastDay } from './calendar.ts'
import type { Schedule } from './types.ts'
import { type WallTimes, wallTimes } from './wall-times.ts'
import { type Zone, zoneOf } from './zone.ts'

type Next = (after: number) => number | null

const end = (lastDay + 1) * dayMs

/** What is worked out of a schedule once: the expression, the zone's formatter. It lives as long as the schedule does, and changes no answer. */
const worked = new WeakMap<Schedule, Next>()

/**
 * The first time after `after` at which a schedule is due; never `after` itself. Milliseconds UTC. Null: never again, or not before the year 3000. Pure.
 *
 * When clocks go forward, a time in the gap is due at the first moment after the gap, once. When they go back, a time that is shown twice is due at the
 * first. Schedules that go by the hour (`simple` with `hour`, `cron` with `*` or a step of it as minute or hour) are due both times; those that are due
 * in every hour leave the gap out. `every` knows no zone.
 */
export function nextDue(schedule: Schedule, after: number): number | null {
  if (!(after < end)) return null
  const known = worked.get(schedule)
  const next = known ?? work(schedule)
  if (known === undefined) worked.set(schedule, next)
  return next(after)
}

/**
 * The latest time at which a schedule is due, of those after `from` up to and including `until`. Milliseconds UTC. Null: there is none. Pure; what it
 * answers is what {@link nextDue} answers for some time before.
 */
export function latestDue(schedule: Schedule, from: number, until: number): number | null {
  let found = anyDue(schedule, from, until)
  if (found === null) return null
  let last = until
  for (let next = nextDue(schedule, found); next !== null && next <= last; next = nextDue(schedule, found)) {
    found = next
    const middle = Math.floor((found + last) / 2)
    const later = nextDue(schedule, middle)
    if (later !== null && later <= last) found = later
    else last = middle
  }
  return found
}

/** A due time in the shortest of some stretches before `until` that has one. */
function anyDue(schedule: Schedule, from: number, until: number): number | null {
  for (let length = 60_000; ; length *= 4) {
    const start = Math.max(from, until - length)
    const due = start < until ? nextDue(schedule, start) : null
    if (due !== null && due <= until) return due
    if (start <= from || start >= until) return null
  }
}

function work(schedule: Schedule): Next {
  if (schedule.type === 'every') return elapsed(schedule.interval, Date.parse(schedule.anchor))
  const walls = wallTimes(schedule)
  const zone = zoneOf(schedule.zone)
  return walls.twice === 'both' ? (after) => byTheHour(walls, zone, after) : (after) => byTheDay(walls, zone, after)
}

function elapsed(interval: number, anchor: number): Next {
  return (after) => {
    const due = anchor + (Math.floor((after - anchor) / interval) + 1) * interval
    return due < end ? due : null
  }
}

/** A later wall time is never reached earlier, and one that the wall shows already is behind us. */
function byTheDay(walls: WallTimes, zone: Zone, after: number): number | null {
  for (let wall = walls.next(after + zone.offsetAt(after)); wall !== null; wall = walls.next(wall)) {
    const due = zone.reached(wall)
    if (due > after) return due
  }
  return null
}

/** Whatever the wall shows counts each time; so when clocks are about to go back, what is behind us comes once more. */
function byTheHour(walls: WallTimes, zone: Zone, after: number): number | null {
  const ahead = firstAhead(walls, zone, after)
  const again = zone.timesOf(after + zone.offsetAt(after)).find((time) => time > after)
  if (again === undefined) return ahead
  const back = zone.change(after, again)
  const offset = zone.offsetAt(back)
  const wall = walls.next(back + offset - 1)
  if (wall === null) return ahead
  return ahead === null ? wall - offset : Math.min(ahead, wall - offset)
}

function firstAhead(walls: WallTimes, zone: Zone, after: number): number | null {
  for (let wall = walls.next(after + zone.offsetAt(after)); wall !== null; wall = walls.next(wall)) {
    const times = zone.timesOf(wall)
    const due = times.length === 0 && walls.gap === 'after' ? zone.reached(wall) : times.find((time) => time > after)
    if (due !== undefined && due > after) return due
  }
  return null
}
