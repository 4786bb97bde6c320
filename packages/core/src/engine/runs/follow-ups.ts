import { parseWorkloadKey } from '../../model/names.ts'
import type { BackupPlan } from '../../model/plan.ts'
import { type CopyInput, parseRunInput, type RunInput } from '../../model/run-input.ts'
import type { PointRow, Run, RunRequest } from '../../spec/store.ts'
import type { WorkloadRef } from '../../spec/workload.ts'
import { errorText } from '../error-text.ts'
import { getPlan } from '../firing/plans.ts'
import { cleanUp, type EngineParts } from '../parts.ts'
import { runRequest } from './requests.ts'

/**
 * What begins when this run has succeeded, `points` having been written: a new point is copied elsewhere, and it, or a new number of an old one, may make
 * others superfluous. Their keys follow from its own, so there is one of each.
 */
export async function followUps(parts: EngineParts, run: Run, points: readonly PointRow[]): Promise<readonly RunRequest[]> {
  const input = parseRunInput(run.input)
  if (input.operation === 'merge') {
    const [row] = points
    return row === undefined ? [] : [pruneAfter(parts, run, input.repository, parseWorkloadKey(row.workload))]
  }
  if (input.operation === 'copy') return points.length > 0 ? [nextCopy(parts, run, input)] : afterCopies(parts, run, input)
  if (run.planId === undefined) return []
  if (input.operation === 'snapshot')
    return [following(parts, run, 'prune', { operation: 'prune-snapshots', plan: run.planId, workload: input.workload })]
  if (input.operation !== 'backup') return []
  const plan = await planOf(parts, run.planId)
  if (!plan) return []
  const { repository, workload } = input
  const copies = (plan.copy ?? []).filter(({ repository: to }) => to !== repository)
  return [
    ...(plan.retention ? [pruneAfter(parts, run, repository, workload)] : []),
    ...copies.map(({ repository: to }) =>
      following(parts, run, `copy/${to}`, { operation: 'copy', from: repository, repository: to, workload, turn: 1 }),
    ),
  ]
}

function following(parts: EngineParts, { key, planId, priority }: Run, name: string, input: RunInput): RunRequest {
  return { ...runRequest(parts, `${key}/${name}`, input), ...(planId !== undefined && { planId }), priority }
}

/** What was asked for by hand deletes no point: only a plan has said what may go. */
function pruneAfter(parts: EngineParts, run: Run, repository: string, workload: WorkloadRef): RunRequest {
  const byHand = run.planId === undefined && ({ replaced: true } as const)
  return following(parts, run, 'prune', { operation: 'prune', repository, retention: true, workload, ...byHand })
}

/** What is read stays: only now the points where they came from are nobody's any more. What was copied by hand stays. */
function afterCopies(parts: EngineParts, run: Run, { from, repository, workload }: CopyInput): readonly RunRequest[] {
  if (run.planId === undefined) return []
  const prune = (where: string, name: string) =>
    following(parts, run, name, { operation: 'prune', repository: where, retention: true, workload })
  return [prune(repository, 'prune'), prune(from, `prune/${from}`)]
}

/** Keys do not grow with the number of copies. */
function nextCopy(parts: EngineParts, run: Run, input: CopyInput): RunRequest {
  const key = input.turn === 1 ? run.key : run.key.slice(0, run.key.lastIndexOf('/'))
  const turn = input.turn + 1
  return following(parts, { ...run, key }, `${turn}`, { ...input, turn })
}

/** A plan that cannot be read here must not keep its backup from being finished. */
async function planOf(parts: EngineParts, planId: string): Promise<BackupPlan | undefined> {
  try {
    const plan = await cleanUp(parts, (options) => getPlan(parts.store, planId, options))
    return plan?.kind === 'backup' ? plan : undefined
  } catch (error) {
    parts.logger.warn('Nothing is pruned or copied after this backup.', { plan: planId, error: errorText(error) })
    return undefined
  }
}
