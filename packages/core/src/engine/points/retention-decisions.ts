import type { BackupPlan } from '../../model/plan.ts'
import { pointSummary } from '../../model/point-row.ts'
import {
  planRetention,
  type RetentionDecision,
  type RetentionPoint,
  type RetentionPolicy,
  type RetentionWarning,
} from '../../retention/index.ts'
import type { CallOptions } from '../../spec/blocks.ts'
import type { Catalog, Store } from '../../spec/store.ts'
import { errorText } from '../error-text.ts'
import { storedPlan } from '../firing/plans.ts'
import { foldersInUse, type PointView, pointsOf } from './catalog-view.ts'

/** The retention of plans, each read once: whoever decides for long makes them anew. */
export interface Policies {
  readonly byPlan: ReadonlyMap<string, RetentionPolicy>
  /** Plans that could not be read: whatever they made stays. */
  readonly warnings: readonly string[]
  /** Reads the plans whose points the catalog holds. */
  learn(catalog: Catalog, options: CallOptions): Promise<void>
  /** False: a plan was changed since it was read. */
  areCurrent(options: CallOptions): Promise<boolean>
}

/** What becomes of the points of one workload. */
export interface WorkloadDecisions {
  /** One for each point, newest first. */
  readonly decisions: readonly RetentionDecision[]
  readonly warnings: readonly RetentionWarning[]
}

/** Those for one repository: into another one a plan may copy with a retention of its own. From the store, because the points are those of all nodes. A plan that a newer version has written keeps everything. */
export function createPolicies(store: Store, repository: string): Policies {
  const byPlan = new Map<string, RetentionPolicy>()
  const warnings: string[] = []
  const known = new Map<string, number | undefined>()
  const revisionOf = async (id: string, options: CallOptions) => (await store.plans.get(id, options))?.revision
  async function read(id: string, options: CallOptions): Promise<void> {
    const row = await store.plans.get(id, options)
    known.set(id, row?.revision)
    if (!row) return
    try {
      const { plan } = storedPlan(row)
      const policy = plan.kind === 'backup' ? retentionIn(plan, repository) : undefined
      if (policy) byPlan.set(id, policy)
    } catch (error) {
      warnings.push(`The plan "${id}" cannot be read here, so all its points stay: ${errorText(error)}`)
    }
  }
  return {
    byPlan,
    warnings,
    async learn(catalog, options) {
      for (const id of new Set(catalog.points.map((row) => pointSummary(row).plan))) {
        if (id === undefined || known.has(id)) continue
        await read(id, options)
      }
    },
    async areCurrent(options) {
      for (const [id, revision] of known) if ((await revisionOf(id, options)) !== revision) return false
      return true
    },
  }
}

/** A repository that the plan does not name held its backups before: they follow the plan as it is now, and so does what somebody has copied there by hand. */
function retentionIn(plan: BackupPlan, repository: string): RetentionPolicy | undefined {
  const copied = plan.copy?.find((each) => each.repository === repository)
  return copied ? copied.retention : plan.retention
}

/**
 * Each point follows the retention of the plan that made it. Points made by hand, by a plan without retention and by a plan that is gone stay. Then
 * whatever a kept point builds on stays too, also across plans. Pure.
 */
export function decideWorkload(catalog: Catalog, policies: ReadonlyMap<string, RetentionPolicy>, now: number): WorkloadDecisions {
  const views = pointsOf(catalog)
  const points = retentionPoints(catalog, views)
  const plans = Map.groupBy(views, ({ current }) => pointSummary(current).plan)
  const decided = new Map<string, RetentionDecision>()
  const warnings: RetentionWarning[] = []
  for (const [plan, ofPlan] of plans) {
    const policy = plan === undefined ? undefined : policies.get(plan)
    const own = ofPlan.flatMap(({ current }) => points.get(current.pointId) ?? [])
    const planned = planRetention(own, policy, now, { elsewhere: new Set(points.keys()) })
    for (const decision of planned.decisions) decided.set(decision.point.id, decision)
    warnings.push(...planned.warnings)
  }
  keepBases(decided)
  return { decisions: views.flatMap(({ current }) => decided.get(current.pointId) ?? []), warnings }
}

function retentionPoints(catalog: Catalog, views: readonly PointView[]): ReadonlyMap<string, RetentionPoint> {
  const used = foldersInUse(catalog)
  const points = new Map<string, RetentionPoint>()
  // Oldest first: whether a point is good depends on what it builds on.
  for (const { current } of views.toReversed()) {
    const { pointId, sequence, createdAt, parents, flags, folder } = current
    const spoiled = parents.find((parent) => points.get(parent)?.quarantined !== undefined || !points.has(parent))
    const quarantined = flags.quarantine ?? (spoiled === undefined ? undefined : `builds on ${spoiled}, which is not good`)
    points.set(pointId, {
      id: pointId,
      sequence,
      createdAt,
      parents,
      pinned: flags.pin,
      heldUntil: flags.holdUntil,
      quarantined,
      verifiedAt: flags.verifiedAt,
      inUse: used.has(folder),
    })
  }
  return points
}

/** Every point that a kept one builds on, near and far. */
function keepBases(decided: Map<string, RetentionDecision>): void {
  const waiting = [...decided.values()].filter(({ keep }) => keep).map(({ point }) => point)
  for (let point = waiting.pop(); point !== undefined; point = waiting.pop()) {
    for (const parent of point.parents) {
      const decision = decided.get(parent)
      if (!decision || decision.keep) continue
      decided.set(parent, { ...decision, keep: true, reasons: [`base of ${point.id}`], rules: ['base'] })
      waiting.push(decision.point)
    }
  }
}
