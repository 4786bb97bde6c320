import { type Zone, zoneOf } from '../schedule/zone.ts'

const dayMs = 86_400_000

/**
 * Tells the day a time falls on in a time zone, as days since 1970-01-01 of that zone's calendar. It asks for the offset of each day of UTC once, and on the
 * days on which it changes looks for the moment; so times that come in order, or near each other, cost a comparison.
 */
export function localDays(zone: string): (time: number) => number {
  if (zone === 'UTC') return (time) => Math.floor(time / dayMs)
  const stretchAround = stretches(zoneOf(zone))
  let current: Stretch = { from: 0, until: 0, offset: 0 }
  return (time) => {
    if (time < current.from || time >= current.until) current = stretchAround(time)
    return Math.floor((time + current.offset) / dayMs)
  }
}

/** A time without a change of clocks: `from` included, `until` not. Milliseconds. */
interface Stretch {
  readonly from: number
  readonly until: number
  readonly offset: number
}

/** Each day of UTC is looked at once; the offset at its end is that at the beginning of the next. */
function stretches(zone: Zone): (time: number) => Stretch {
  const beginnings = new Map<number, number>()
  const days = new Map<number, readonly Stretch[]>()
  const offsetOf = (day: number): number => remember(beginnings, day, () => zone.offsetAt(day * dayMs))
  return (time) => {
    const day = Math.floor(time / dayMs)
    const parts = remember(days, day, () => partsOf(zone, day * dayMs, offsetOf(day), offsetOf(day + 1)))
    return parts.find(({ until }) => time < until) as Stretch
  }
}

/** The whole day that begins at `from`, or what is before and what is after the change of clocks. */
function partsOf(zone: Zone, from: number, before: number, after: number): readonly Stretch[] {
  const until = from + dayMs
  if (before === after) return [{ from, until, offset: before }]
  const change = zone.change(from, until)
  return [
    { from, until: change, offset: before },
    { from: change, until, offset: after },
  ]
}

function remember<Value>(known: Map<number, Value>, key: number, make: () => Value): Value {
  const value = known.get(key) ?? make()
  known.set(key, value)
  return value
}
