import { isoTime, workloadKey } from '../../model/names.ts'
import type { Plan } from '../../model/plan.ts'
import { describeRetention, type RetentionWarning } from '../../retention/index.ts'
import { nextDue } from '../../schedule/index.ts'
import type { CallOptions } from '../../spec/blocks.ts'
import type { WorkloadRef } from '../../spec/workload.ts'
import { errorText } from '../error-text.ts'
import { type EngineParts, repositoryNamed } from '../parts.ts'
import { decideMerges, type MergeChoice } from '../points/merge-decisions.ts'
import { createPolicies, decideWorkload } from '../points/retention-decisions.ts'
import { planRequests } from './plan-runs.ts'
import { listPlans } from './plans.ts'
import { knownWorkloads, selectWorkloads } from './select-workloads.ts'

/** More due times of one plan are not shown. */
const mostTimes = 1000

/** One due time of a plan, and what would run then. */
export interface RunPreview {
  readonly plan: string
  /** ISO 8601 UTC. */
  readonly due: string
  /** Keys of the runs, if the platforms show then what they show now. */
  readonly runs: readonly string[]
  /** What somebody should know: patterns that nothing fits, providers that cannot be asked. */
  readonly notes: readonly string[]
}

/** What retention would make of one point. */
export interface PointPreview {
  readonly workload: WorkloadRef
  readonly point: string
  /** ISO 8601 UTC. */
  readonly createdAt: string
  readonly keep: boolean
  /** At least one, in words. */
  readonly reasons: readonly string[]
}

/** What a prune by retention would do now. */
export interface PrunePreview {
  /** Newest first within a workload. */
  readonly points: readonly PointPreview[]
  /** With `chains: 'merge'`: points that are written anew together with others, which are shown as kept for them and go then. */
  readonly merges: readonly { readonly point: string; readonly absorb: readonly string[] }[]
  readonly warnings: readonly string[]
  /** The same as a table, for people. */
  readonly text: string
}

/** What would run from now until then, in order of time. Asks the platforms which workloads there are; changes nothing. */
export async function previewRuns(
  parts: EngineParts,
  codePlans: ReadonlyMap<string, Plan>,
  until: number,
  options: CallOptions,
): Promise<readonly RunPreview[]> {
  const { now } = await parts.store.plans.due(0, options)
  const found: RunPreview[] = []
  for (const { id, plan } of await listPlans(parts, codePlans, options)) {
    if (!plan.schedule) continue
    const { workloads, notes } = await workloadsOf(parts, plan, options)
    let count = 0
    for (let due = nextDue(plan.schedule, now); due !== null && due <= until && count < mostTimes; due = nextDue(plan.schedule, due)) {
      const occasion = isoTime(due)
      const runs = planRequests(parts, id, plan, occasion, workloads).map(({ key }) => key)
      found.push({ plan: id, due: occasion, runs, notes })
      count++
    }
  }
  return found.sort((a, b) => (a.due < b.due ? -1 : a.due > b.due ? 1 : a.plan < b.plan ? -1 : 1))
}

async function workloadsOf(
  parts: EngineParts,
  plan: Plan,
  options: CallOptions,
): Promise<{ readonly workloads: readonly WorkloadRef[]; readonly notes: readonly string[] }> {
  if (plan.kind === 'maintenance') return { workloads: [], notes: [] }
  if (plan.kind === 'verification' && !plan.workloads)
    return { workloads: await knownWorkloads(parts, plan.repository, options), notes: [] }
  const { workloads, empty, failed } = await selectWorkloads(parts, plan.workloads ?? [], options)
  const notes = [
    ...empty.map((pattern) => `nothing fits ${pattern}`),
    ...failed.map(({ provider, error }) => `provider "${provider}" cannot be asked: ${errorText(error)}`),
  ]
  return { workloads, notes }
}

/** What the retention of all plans would keep and delete now, and why. Reads the catalog; changes nothing. */
export async function previewPrune(
  parts: EngineParts,
  { repository, workload: only }: { readonly repository: string; readonly workload?: WorkloadRef },
  options: CallOptions,
): Promise<PrunePreview> {
  repositoryNamed(parts, repository)
  const { now } = await parts.store.plans.due(0, options)
  const policies = createPolicies(parts.store, repository)
  const points: PointPreview[] = []
  const merges: MergeChoice[] = []
  const told: string[] = []
  const tables: string[] = []
  for (const workload of await knownWorkloads(parts, repository, options)) {
    const key = workloadKey(workload)
    if (only && workloadKey(only) !== key) continue
    const catalog = await parts.store.points.catalog(repository, key, options)
    await policies.learn(catalog, options)
    const decided = decideWorkload(catalog, policies.byPlan, now)
    for (const { point, keep, reasons } of decided.decisions)
      points.push({ workload, point: point.id, createdAt: isoTime(point.createdAt), keep, reasons })
    const merged = decideMerges(catalog, decided.decisions, policies.byPlan)
    merges.push(...merged)
    told.push(...decided.warnings.map((warning: RetentionWarning) => `${key}: ${warning.message}`))
    const lines = merged.map(({ point, absorb }) => `${point} will be merged with ${absorb.join(', ')}: then they go too.`)
    tables.push([key, describeRetention(decided), ...lines].join('\n'))
  }
  return { points, merges, warnings: [...policies.warnings, ...told], text: tables.join('\n\n') }
}
