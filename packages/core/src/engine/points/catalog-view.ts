import type { PointLineage } from '../../chain/affected-points.ts'
import { pointSummary } from '../../model/point-row.ts'
import type { Catalog, ManifestRef } from '../../spec/store.ts'

export type CatalogPoint = Catalog['points'][number]

/** One point as it counts: its row with the highest number, and every row it has. */
export interface PointView {
  readonly current: CatalogPoint
  readonly rows: readonly CatalogPoint[]
}

/** Points that are not condemned, newest first. A point with any row left is there; its highest number is the point. */
export function pointsOf(catalog: Catalog): readonly PointView[] {
  const byPoint = new Map<string, CatalogPoint[]>()
  for (const row of catalog.points) {
    if (row.condemned) continue
    const rows = byPoint.get(row.pointId)
    if (rows) rows.push(row)
    else byPoint.set(row.pointId, [row])
  }
  const views = [...byPoint.values()].map((rows) => ({
    rows,
    current: rows.reduce((best, row) => (row.number > best.number ? row : best)),
  }))
  return views.sort((a, b) => b.current.sequence - a.current.sequence || (a.current.folder < b.current.folder ? 1 : -1))
}

/** The point and everything it builds on, itself first, or undefined if one of them is not there. */
export function chainOf(points: readonly PointView[], pointId: string): readonly PointView[] | undefined {
  const byId = new Map(points.map((point) => [point.current.pointId, point]))
  const chain = new Set<PointView>()
  const waiting = [pointId]
  for (let id = waiting.pop(); id !== undefined; id = waiting.pop()) {
    const point = byId.get(id)
    if (!point) return undefined
    if (chain.has(point)) continue
    chain.add(point)
    waiting.push(...point.current.parents)
  }
  return [...chain]
}

/** Everything that builds on the point, near and far. */
export function dependantsOf(points: readonly PointView[], pointId: string): readonly PointView[] {
  const found = new Set<PointView>()
  const waiting = [pointId]
  for (let id = waiting.pop(); id !== undefined; id = waiting.pop()) {
    for (const point of points) {
      if (found.has(point) || !point.current.parents.includes(id)) continue
      found.add(point)
      waiting.push(point.current.pointId)
    }
  }
  return [...found]
}

/** What the point builds on, disk by disk. */
export function lineageOf({ current }: PointView): PointLineage {
  return { id: current.pointId, parents: current.parents, disks: pointSummary(current).disks }
}

/** Good: its whole chain is there and nothing in it is quarantined. */
export function isGood(points: readonly PointView[], pointId: string): boolean {
  return chainOf(points, pointId)?.every((point) => point.current.flags.quarantine === undefined) ?? false
}

export function highestSequence(catalog: Catalog): number {
  return catalog.points.reduce((highest, row) => Math.max(highest, row.sequence), 0)
}

/** Folders of points that an unfinished run reads or writes here: a copy elsewhere lies in a folder of the same name. */
export function foldersInUse(catalog: Catalog): ReadonlySet<string> {
  const here = catalog.points[0]?.repository
  return new Set(catalog.inUse.filter(({ repository }) => repository === here).map(({ folder }) => folder))
}

export function referenceOf(row: ManifestRef): ManifestRef {
  return { repository: row.repository, folder: row.folder, number: row.number }
}

export function sameReference(a: ManifestRef, b: ManifestRef): boolean {
  return a.repository === b.repository && a.folder === b.folder && a.number === b.number
}
