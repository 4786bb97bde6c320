import { nearest } from '../spec/helpers/nearest.ts'

/**
 * A time zone. A wall time is a number as well: the milliseconds since 1970-01-01 00:00 that the clock on the wall shows, as if it were in UTC.
 */
export interface Zone {
  /** Milliseconds that the wall is ahead of UTC at a time. */
  offsetAt(time: number): number
  /** The times at which the wall shows `wall`: none in the gap when clocks go forward, two when it is shown twice, otherwise one. In order. */
  timesOf(wall: number): readonly number[]
  /** The first time at which the wall shows `wall` or has jumped over it. */
  reached(wall: number): number
  /** The first time after `from` with another offset than `from` has, if `until` has another one. */
  change(from: number, until: number): number
}

const hour = 3_600_000

/**
 * An offset is between -12 and +14 hours, and one change skips at most 24 hours: seen from a wall time read as UTC, these two lie before and after any
 * change that concerns it. No zone changes twice within these 50 hours.
 */
const surelyBefore = -38 * hour
const surelyAfter = 12 * hour

/** A zone by its IANA name. It keeps one formatter and asks it each time. Throws RangeError for a name that {@link isZone} refuses. */
export function zoneOf(name: string): Zone {
  if (name === 'UTC') return { offsetAt: () => 0, timesOf: (wall) => [wall], reached: (wall) => wall, change: (_from, until) => until }
  const offsetAt = offsets(name)
  const timesOf = (wall: number): readonly number[] => {
    const before = offsetAt(wall + surelyBefore)
    const after = offsetAt(wall + surelyAfter)
    if (before === after) return [wall - before]
    return [wall - Math.max(before, after), wall - Math.min(before, after)].filter((time) => offsetAt(time) === wall - time)
  }
  const change = (from: number, until: number): number => firstChange(offsetAt, from, until)
  const reached = (wall: number): number => timesOf(wall)[0] ?? change(wall + surelyBefore, wall + surelyAfter)
  return { offsetAt, timesOf, reached, change }
}

/** The name of a zone. Offsets such as `+02:00` are no zones: they know no change of clocks. */
export function isZone(name: string): boolean {
  if (!/^[A-Za-z]/.test(name)) return false
  try {
    new Intl.DateTimeFormat('en-US', { timeZone: name })
    return true
  } catch {
    return false
  }
}

/** The zone that a misspelt name most likely means: `Berlin` is `Europe/Berlin`. */
export function nearestZone(name: string): string | undefined {
  const wanted = name.trim().replaceAll(' ', '_').toLowerCase()
  const zones = ['UTC', ...Intl.supportedValuesOf('timeZone')]
  return zones.find((zone) => zone.toLowerCase().split('/').at(-1) === wanted) ?? nearest(wanted, zones)
}

function offsets(name: string): (time: number) => number {
  const format = new Intl.DateTimeFormat('en-US', { timeZone: name, timeZoneName: 'longOffset' })
  return (time) => {
    const [, sign, hours, minutes, seconds] = /GMT([+-])(\d\d):(\d\d)(?::(\d\d))?$/.exec(format.format(time)) ?? []
    const size = (Number(hours ?? 0) * 3600 + Number(minutes ?? 0) * 60 + Number(seconds ?? 0)) * 1000
    return sign === '-' ? -size : size
  }
}

function firstChange(offsetAt: (time: number) => number, from: number, until: number): number {
  const before = offsetAt(from)
  let low = from
  let high = until
  while (high - low > 1) {
    const middle = Math.floor((low + high) / 2)
    if (offsetAt(middle) === before) low = middle
    else high = middle
  }
  return high
}
