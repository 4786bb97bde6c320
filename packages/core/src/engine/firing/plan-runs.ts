import { runHash, workloadKey } from '../../model/names.ts'
import type { BackupPlan, MaintenancePlan, Plan, SnapshotPlan, VerificationPlan } from '../../model/plan.ts'
import type { RunInput } from '../../model/run-input.ts'
import type { RunRequest } from '../../spec/store.ts'
import type { WorkloadRef } from '../../spec/workload.ts'
import type { EngineParts } from '../parts.ts'
import { runRequest } from '../runs/requests.ts'

/** One run that a plan asks for, on one occasion: its due time, or the id of a call. */
interface PlannedRun {
  /** Unique within plan and occasion, and the same on every occasion: `docker/shop-db`. */
  readonly subject: string
  readonly input: RunInput
}

/**
 * The rows of one plan on one occasion. The key is `<plan>/<subject>/<occasion>`, so that every node that finds the plan due asks for the same runs.
 * `workloads`: what the plan's selectors stand for; for a verification without selectors, what the catalog knows. Pure.
 */
export function planRequests(
  parts: EngineParts,
  planId: string,
  plan: Plan,
  occasion: string,
  workloads: readonly WorkloadRef[],
): readonly RunRequest[] {
  return plannedRuns(parts, planId, plan, occasion, workloads).map(({ subject, input }) => {
    const request = runRequest(parts, `${planId}/${subject}/${occasion}`, input)
    // A verification has nothing else that would let it wait for the one before.
    const alone = { name: `plan:${planId}/${subject}`, units: 1, capacity: 1 }
    return { ...request, planId, priority: plan.priority, resources: [...request.resources, alone] }
  })
}

/** What must not pile up: two runs of one plan on the same subject. */
export const overlapKeyOf = (request: RunRequest, occasion: string): string => request.key.slice(0, -occasion.length - 1)

function plannedRuns(
  parts: EngineParts,
  planId: string,
  plan: Plan,
  occasion: string,
  workloads: readonly WorkloadRef[],
): readonly PlannedRun[] {
  if (plan.kind === 'backup') return workloads.map((workload) => backupRun(planId, plan, workload))
  if (plan.kind === 'snapshot') return workloads.map((workload) => snapshotRun(planId, plan, workload))
  if (plan.kind === 'verification') return verificationRuns(planId, plan, occasion, workloads)
  return maintenanceRuns(parts, plan)
}

function backupRun(planId: string, plan: BackupPlan, workload: WorkloadRef): PlannedRun {
  const { repository, options, compression, chain } = plan
  const input = { operation: 'backup', plan: planId, repository, workload, options, compression } as const
  return { subject: workloadKey(workload), input: { ...input, ...(chain && { chain }) } }
}

function snapshotRun(planId: string, { memory, quiesce, name }: SnapshotPlan, workload: WorkloadRef): PlannedRun {
  const input = { operation: 'snapshot', plan: planId, workload, memory, quiesce } as const
  return { subject: workloadKey(workload), input: { ...input, ...(name !== undefined && { name }) } }
}

function verificationRuns(
  planId: string,
  plan: VerificationPlan,
  occasion: string,
  workloads: readonly WorkloadRef[],
): readonly PlannedRun[] {
  const { repository, mode } = plan
  if (mode === 'restore') {
    return workloads.map((workload) => ({
      subject: workloadKey(workload),
      input: testRestore(plan, workload, runHash(`${planId}/${workloadKey(workload)}/${occasion}`)),
    }))
  }
  const input = {
    operation: 'verify',
    repository,
    mode: mode === 'quick' ? 'quick' : 'full',
    ...(mode === 'sample' && { sample: plan.points }),
  } as const
  if (!plan.workloads) return [{ subject: repository, input }]
  return workloads.map((workload) => ({ subject: workloadKey(workload), input: { ...input, workload } }))
}

/** Under a name that nothing else has: the original is probably still there. */
function testRestore(plan: VerificationPlan, workload: WorkloadRef, hash: string): RunInput {
  const { provider = workload.provider, options, probe } = plan.restore
  const { repository } = plan
  const name = `holdfast-test-${hash}`
  const common = { operation: 'restore', purpose: 'test', point: 'latest', start: probe !== undefined } as const
  return { ...common, repository, workload, provider, name, options, ...(probe !== undefined && { probe }) }
}

function maintenanceRuns(parts: EngineParts, plan: MaintenancePlan): readonly PlannedRun[] {
  const repositories = plan.repositories ?? [...parts.repositories.keys()]
  return repositories.flatMap((repository): readonly PlannedRun[] => [
    { subject: `sweep/${repository}`, input: { operation: 'sweep', repository } },
    plan.task === 'clean-up'
      ? { subject: `prune/${repository}`, input: { operation: 'prune', repository, retention: true } }
      : { subject: `check/${repository}`, input: { operation: 'verify', repository, mode: 'quick' } },
  ])
}
