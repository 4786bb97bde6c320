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
  // By time: sequences are counted in each repository for itself.
  const newest = there.reduce((latest, { current }) => Math.max(latest, current.createdAt), Number.NEGATIVE_INFINITY)
  const known = new Set(there.map(({ current }) => current.pointId))
  const candidates = source.filter(
    ({ current }) => current.createdAt >= newest && !known.has(current.pointId) && isGood(source, current.pointId),
  )
  const kept = new Set<string>()
  for (const [plan, points] of Map.groupBy([...candidates, ...there], ({ current }) => pointSummary(current).plan)) {
    const inOrder = points.toSorted(byAge).map(asPoint)
    const { decisions } = planRetention(inOrder, plan === undefined ? undefined : policies.get(plan), now)
    for (const { point, keep } of decisions) if (keep) kept.add(point.id)
  }
  return candidates.filter(({ current }) => kept.has(current.pointId)).sort(byAge)
}

/** Those that were named and are not there yet, or not whole, oldest first. */
export function namedChoices(source: readonly PointView[], there: readonly PointView[], wanted: readonly string[]): readonly PointView[] {
  const known = new Set(there.map(({ current }) => current.pointId).filter((id) => isGood(there, id)))
  return source.filter(({ current }) => wanted.includes(current.pointId) && !known.has(current.pointId)).sort(byAge)
}

const byAge = (one: PointView, other: PointView): number =>
  one.current.createdAt - other.current.createdAt || one.current.sequence - other.current.sequence

/** As if it built on nothing: what it needs is written into it. `sequence`: its place in the order of time. */
function asPoint({ current }: PointView, sequence: number): RetentionPoint {
  const { pointId: id, createdAt, flags } = current
  return { id, sequence, createdAt, parents: [], pinned: flags.pin, heldUntil: flags.holdUntil, quarantined: flags.quarantine }
}
