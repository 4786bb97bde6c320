import { parseRunInput } from '../model/run-input.ts'
import type { Run, RunRequest } from '../spec/store.ts'
import { errorText } from './error-text.ts'
import { cleanUp, type EngineParts } from './parts.ts'
import { getPlan } from './plans.ts'
import { runRequest } from './requests.ts'

/** What begins when this run has succeeded: a new point may make an old one superfluous. Their keys follow from its own, so there is one of each. */
export async function followUps(parts: EngineParts, run: Run): Promise<readonly RunRequest[]> {
  const { planId } = run
  if (run.operation !== 'backup' || planId === undefined) return []
  const input = parseRunInput(run.input)
  if (input.operation !== 'backup') return []
  const { repository, workload } = input
  if (!(await keepsOnlySome(parts, planId))) return []
  return [
    {
      ...runRequest(parts, `${run.key}/prune`, { operation: 'prune', repository, retention: true, workload }),
      planId,
      priority: run.priority,
    },
  ]
}

/** A plan that cannot be read here must not keep its backup from being finished. */
async function keepsOnlySome(parts: EngineParts, planId: string): Promise<boolean> {
  try {
    const plan = await cleanUp(parts, (options) => getPlan(parts.store, planId, options))
    return plan?.kind === 'backup' && plan.retention !== undefined
  } catch (error) {
    parts.logger.warn('Nothing is pruned after this backup.', { plan: planId, error: errorText(error) })
    return false
  }
}
