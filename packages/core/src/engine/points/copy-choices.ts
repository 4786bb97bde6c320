import { pointSummary } from '../../model/point-row.ts'
import { planRetention, type RetentionPoint, type RetentionPolicy } from '../../retention/index.ts'
import { isGood, type PointView } from './catalog-view.ts'

/**
 * Which points are to be copied, oldest first: those that are good, newer than everything that is there, and that the retention there would keep. What is
 * older was there once, or was not wanted then. Pure. `now`: milliseconds since 1970-01-01 UTC.
 */
export function copyChoices(
  source: readonly PointView[],
  there: readonly PointView[],
  policies: ReadonlyMap<string, RetentionPolicy>,
  now: number,
): readonly PointView[] {
  const known = new Set(there.map(({ current }) => current.pointId))
  const isNew = newerThan(source, there, now)
  const candidates = source.filter((view) => !known.has(view.current.pointId) && isNew(view) && isGood(source, view.current.pointId))
  const kept = new Set<string>()
  for (const [plan, points] of Map.groupBy([...candidates, ...there], ({ current }) => pointSummary(current).plan)) {
    const { decisions } = planRetention(points.toSorted(byAge).map(asPoint), plan === undefined ? undefined : policies.get(plan), now)
    for (const { point, keep } of decisions) if (keep) kept.add(point.id)
  }
  return candidates.filter(({ current }) => kept.has(current.pointId)).sort(inOrder)
}

/**
 * Newer than all that is there: by the order of the source for what it has too, otherwise by time. A point that claims to come from the future says nothing
 * then: while a clock was ahead it would keep all that follows from being copied.
 */
function newerThan(source: readonly PointView[], there: readonly PointView[], now: number): (view: PointView) => boolean {
  const sequences = new Map(source.map(({ current }) => [current.pointId, current.sequence]))
  const shared = there.flatMap(({ current }) => sequences.get(current.pointId) ?? [])
  const others = there.filter(({ current }) => !sequences.has(current.pointId) && current.createdAt <= now)
  const highest = Math.max(...shared, 0)
  const latest = Math.max(...others.map(({ current }) => current.createdAt), Number.NEGATIVE_INFINITY)
  return ({ current }) => current.sequence >= highest && current.createdAt >= latest
}

/** Those that were named and are not there yet, or not whole, oldest first. */
export function namedChoices(source: readonly PointView[], there: readonly PointView[], wanted: readonly string[]): readonly PointView[] {
  const known = new Set(there.map(({ current }) => current.pointId).filter((id) => isGood(there, id)))
  return source.filter(({ current }) => wanted.includes(current.pointId) && !known.has(current.pointId)).sort(inOrder)
}

/**
 * The place of a copied point among those that are there: above all that are older and below all that are younger, whichever is copied last, so that the
 * newest backup is the newest there too. Its own where that fits, which is always as long as one repository is copied from. Pure.
 */
export function sequenceThere(source: readonly PointView[], there: readonly PointView[], { current: own }: PointView): number {
  const known = there.find(({ current }) => current.pointId === own.pointId)
  if (known) return known.current.sequence
  const sequences = new Map(source.map(({ current }) => [current.pointId, current.sequence]))
  let [low, high] = [0, Number.POSITIVE_INFINITY]
  for (const { current } of there) {
    const sequence = sequences.get(current.pointId)
    const age = sequence === undefined ? current.createdAt - own.createdAt : sequence - own.sequence
    if (age < 0 || (age === 0 && current.folder < own.folder)) low = Math.max(low, current.sequence)
    else high = Math.min(high, current.sequence)
  }
  if (low < own.sequence && own.sequence < high) return own.sequence
  // Without room between two, it shares the place of the younger one: then the name of the folder decides, which begins with the time.
  return low + 1 === high ? high : low + 1
}

const byAge = (one: PointView, other: PointView): number =>
  one.current.createdAt - other.current.createdAt || one.current.sequence - other.current.sequence

/** What a point builds on comes before it, whatever a clock said. */
const inOrder = (one: PointView, other: PointView): number =>
  one.current.sequence - other.current.sequence || (one.current.folder < other.current.folder ? -1 : 1)

/** As if it built on nothing: what it needs is written into it. `sequence`: its place in the order of time. */
function asPoint({ current }: PointView, sequence: number): RetentionPoint {
  const { pointId: id, createdAt, flags } = current
  return { id, sequence, createdAt, parents: [], pinned: flags.pin, heldUntil: flags.holdUntil, quarantined: flags.quarantine }
}
