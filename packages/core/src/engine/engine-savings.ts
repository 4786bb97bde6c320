import { parseWorkloadKey, workloadKey } from '../model/names.ts'
import type { Plan } from '../model/plan.ts'
import { pointSummary } from '../model/point-row.ts'
import type { BackupOutcome } from '../model/run-outcome.ts'
import { formOf, type KeptBytes, type PlanSavings, type RunSavings, totalOf } from '../model/savings.ts'
import type { CallOptions } from '../spec/blocks.ts'
import { HoldfastError } from '../spec/errors.ts'
import type { Run } from '../spec/store.ts'
import { checkArgument } from './call-arguments.ts'
import type { Engine } from './engine.ts'
import { requirePlan } from './firing/plans.ts'
import type { EngineLife } from './life.ts'
import type { EngineParts } from './parts.ts'
import { pointsOf } from './points/catalog-view.ts'

/** What backups cost, from what their runs have recorded and what the catalog holds now. */
export function savingsCall(
  parts: EngineParts,
  life: EngineLife,
  codePlans: ReadonlyMap<string, Plan>,
  options: CallOptions,
): Engine['savings'] {
  async function savings(of: { readonly plan?: string; readonly run?: string }): Promise<RunSavings | PlanSavings> {
    life.assertNotStopped()
    checkArgument('savings', of, 'savings')
    if (of.run !== undefined) return await runSavings(parts, of.run, options)
    const plan = String(of.plan)
    const found = await planSavings(parts, plan, options)
    if (found.total.runs === 0 && found.kept.length === 0) await requirePlan(parts, codePlans, plan, options)
    return found
  }
  return savings as Engine['savings']
}

async function runSavings(parts: EngineParts, idOrKey: string, options: CallOptions): Promise<RunSavings> {
  const run = await parts.store.runs.get(idOrKey, options)
  if (!run) throw new HoldfastError('NOT_FOUND', `There is no run "${idOrKey}".`)
  const found = savingsOf(run)
  if (found) return found
  throw new HoldfastError('INVALID_OPTIONS', `The run ${run.key} is a ${run.operation} that is ${run.state}: it has made no backup.`, {
    remedy: 'Name a backup that has succeeded: engine.runs({ plan }) lists runs.',
  })
}

async function planSavings(parts: EngineParts, plan: string, options: CallOptions): Promise<PlanSavings> {
  const runs: RunSavings[] = []
  for await (const run of parts.store.runs.list({ planId: plan, states: ['succeeded'], order: 'newest-first' }, options)) {
    const found = savingsOf(run)
    if (found) runs.push(found)
  }
  const kept = await keptOf(parts, plan, options)
  const byWorkload = Map.groupBy(runs, ({ workload }) => workloadKey(workload))
  const keys = [...new Set([...byWorkload.keys(), ...kept.map(({ workload }) => workload)])].sort()
  const forms = [...Map.groupBy(runs, ({ form }) => form)].sort(([one], [other]) => (one < other ? -1 : 1))
  return {
    plan,
    ...summary(runs, kept),
    byForm: forms.map(([form, of]) => ({ form, ...totalOf(of) })),
    workloads: keys.map((key) => ({
      workload: parseWorkloadKey(key),
      ...summary(
        byWorkload.get(key) ?? [],
        kept.filter(({ workload }) => workload === key),
      ),
    })),
  }
}

type KeptPoint = { readonly workload: string; readonly repository: string; readonly stored: number }

/** `runs`: the newest first. */
function summary(runs: readonly RunSavings[], points: readonly KeptPoint[]) {
  const [newest] = runs
  const kept = [...Map.groupBy(points, ({ repository }) => repository)].map(
    ([repository, of]): KeptBytes => ({ repository, points: of.length, stored: of.reduce((sum, { stored }) => sum + stored, 0) }),
  )
  return { total: totalOf(runs), ...(newest && { newest }), kept }
}

/** The points of the plan that there are now, also after the catalog was lost and read again, when their runs are not known any more. */
async function keptOf(parts: EngineParts, plan: string, options: CallOptions): Promise<readonly KeptPoint[]> {
  const found: KeptPoint[] = []
  for (const repository of parts.repositories.keys()) {
    for await (const workload of parts.store.points.workloads(repository, options)) {
      for (const { current } of pointsOf(await parts.store.points.catalog(repository, workload, options))) {
        const { plan: maker, bytes } = pointSummary(current)
        if (maker === plan) found.push({ workload, repository, stored: bytes.stored })
      }
    }
  }
  return found
}

/** Undefined for a run that has made no backup. */
function savingsOf(run: Run): RunSavings | undefined {
  const { operation, state, workload, planId, key } = run
  if (operation !== 'backup' || state !== 'succeeded' || workload === undefined || run.result === undefined) return undefined
  const { repository, point, createdAt, bytes, items } = run.result as unknown as BackupOutcome
  return {
    run: key,
    ...(planId !== undefined && { plan: planId }),
    workload: parseWorkloadKey(workload),
    repository,
    point,
    createdAt,
    bytes,
    form: formOf(items),
    items,
  }
}
