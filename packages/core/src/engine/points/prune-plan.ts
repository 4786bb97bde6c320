import { HoldfastError } from '../../spec/errors.ts'
import type { Catalog, ManifestRef } from '../../spec/store.ts'
import { chainOf, foldersInUse, type PointView, pointsOf, referenceOf } from './catalog-view.ts'

/** Numbers below the one that is the point, of points that stay: a merge has left them. Those of a point that a run reads or writes wait for it. Pure. */
export function supersededNumbers(catalog: Catalog, going: ReadonlySet<string>): readonly ManifestRef[] {
  const used = foldersInUse(catalog)
  return pointsOf(catalog).flatMap(({ current, rows }) => {
    if (rows.length === 1 || going.has(current.pointId) || used.has(current.folder)) return []
    return rows.filter((row) => row !== current).map(referenceOf)
  })
}

/**
 * What must stay because of an old number that stays: when what took its place is not whole, it may be all there is of its point. `broken`: folders of such points.
 * Pure.
 */
export function neededByOld(catalog: Catalog, broken: ReadonlySet<string>): ReadonlySet<string> {
  const points = pointsOf(catalog)
  const parents = points.filter(({ current }) => broken.has(current.folder)).flatMap(({ rows }) => rows.flatMap((row) => row.parents))
  return new Set(parents.flatMap((parent) => chainIds(points, parent)))
}

function chainIds(points: readonly PointView[], id: string): readonly string[] {
  return chainOf(points, id)?.map(({ current }) => current.pointId) ?? [id]
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
  const inUse = foldersInUse(catalog).has(folder)
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
