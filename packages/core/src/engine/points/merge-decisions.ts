import { pointSummary } from '../../model/point-row.ts'
import type { RetentionDecision, RetentionPolicy } from '../../retention/index.ts'
import type { Catalog } from '../../spec/store.ts'
import { foldersInUse, isGood, type PointView, pointsOf } from './catalog-view.ts'

/** A point that takes over the part of others, so that they can go. */
export interface MergeChoice {
  readonly point: string
  readonly absorb: readonly string[]
}

/**
 * What is to be merged so that points which stay only as the base of others can go, where the retention of their plan says `chains: 'merge'`. Each kept point
 * takes over what lies between it and the next one that is kept for a reason of its own. Pure; oldest first.
 */
export function decideMerges(
  catalog: Catalog,
  decisions: readonly RetentionDecision[],
  policies: ReadonlyMap<string, RetentionPolicy>,
): readonly MergeChoice[] {
  const views = pointsOf(catalog)
  const byId = new Map(views.map((view) => [view.current.pointId, view]))
  const used = foldersInUse(catalog)
  const going = new Set<string>()
  const kept: PointView[] = []
  for (const { point, keep, rules } of decisions) {
    const view = byId.get(point.id)
    if (!keep || !view) continue
    const plan = pointSummary(view.current).plan
    const merges = plan !== undefined && policies.get(plan)?.chains === 'merge'
    if (merges && rules.every((rule) => rule === 'base') && !used.has(view.current.folder)) going.add(point.id)
    else kept.push(view)
  }
  return kept
    .filter(({ current }) => isGood(views, current.pointId))
    .map(({ current }) => ({ point: current.pointId, absorb: below(byId, current.parents, going) }))
    .filter(({ absorb }) => absorb.length > 0)
    .reverse()
}

/** Those that go, as far as they follow one another. */
function below(byId: ReadonlyMap<string, PointView>, parents: readonly string[], going: ReadonlySet<string>): readonly string[] {
  const found = new Set<string>()
  const waiting = [...parents]
  for (let id = waiting.pop(); id !== undefined; id = waiting.pop()) {
    if (!going.has(id) || found.has(id)) continue
    found.add(id)
    waiting.push(...(byId.get(id)?.current.parents ?? []))
  }
  return [...found].sort()
}
