import { HoldfastError } from '../spec/errors.ts'
import type { Catalog, ManifestRef } from '../spec/store.ts'
import { type PointView, pointsOf, referenceOf, sameReference } from './catalog-view.ts'

/** Numbers below the one that is the point, of points that stay: a merge has left them. Those of a point that a run reads or writes wait for it. Pure. */
export function supersededNumbers(catalog: Catalog, going: ReadonlySet<string>): readonly ManifestRef[] {
  const used = new Set(catalog.inUse.map(({ folder }) => folder))
  return pointsOf(catalog).flatMap(({ current, rows }) => {
    if (rows.length === 1 || going.has(current.pointId) || used.has(current.folder)) return []
    return rows.filter((row) => row !== current).map(referenceOf)
  })
}

/** What is to be condemned: every number of every point that was named. Pure. */
export function planPrune(catalog: Catalog, wanted: ReadonlySet<string>, now: number): readonly ManifestRef[] {
  const points = pointsOf(catalog)
  const going = points.filter((point) => wanted.has(point.current.pointId))
  const children = childrenOf(points)
  for (const point of going) refuseNeeded(catalog, children, point, wanted, now)
  return going.flatMap((point) => point.rows.map(referenceOf))
}

/** By the id of the parent. Near ones suffice: each that goes too is asked for its own. */
function childrenOf(points: readonly PointView[]): ReadonlyMap<string, readonly PointView[]> {
  const children = new Map<string, PointView[]>()
  for (const point of points) {
    for (const parent of point.current.parents) {
      const known = children.get(parent)
      if (known) known.push(point)
      else children.set(parent, [point])
    }
  }
  return children
}

function refuseNeeded(
  catalog: Catalog,
  children: ReadonlyMap<string, readonly PointView[]>,
  point: PointView,
  wanted: ReadonlySet<string>,
  now: number,
): void {
  const { pointId, flags, folder } = point.current
  if (flags.pin !== undefined) throw needed(pointId, `it is pinned: ${flags.pin}`)
  if (flags.holdUntil !== undefined && flags.holdUntil > now)
    throw needed(pointId, `it is held until ${new Date(flags.holdUntil).toISOString()}`)
  const child = children.get(pointId)?.find((each) => !wanted.has(each.current.pointId))
  if (child) throw needed(pointId, `point ${child.current.pointId} builds on it`)
  const inUse = catalog.inUse.some((used) => used.folder === folder || point.rows.some((row) => sameReference(row, used)))
  if (inUse) {
    throw new HoldfastError('IN_USE', `Point ${pointId} is being read or written by a run.`, {
      remedy: 'Wait until that run has ended, then prune again.',
    })
  }
}

/** A point that must stay, and why. */
export function needed(pointId: string, why: string): HoldfastError {
  return new HoldfastError('POINT_NEEDED', `Point ${pointId} cannot be deleted: ${why}.`)
}
