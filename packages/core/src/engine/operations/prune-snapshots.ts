import { runHash, workloadKey } from '../../model/names.ts'
import type { PruneSnapshotsInput } from '../../model/run-input.ts'
import type { PruneSnapshotsOutcome } from '../../model/run-outcome.ts'
import { planRetention, type RetentionDecision, type RetentionPoint } from '../../retention/index.ts'
import type { CallOptions } from '../../spec/blocks.ts'
import { codeOf } from '../../spec/errors.ts'
import type { Snapshot } from '../../spec/provider.ts'
import type { Mark } from '../../spec/run-context.ts'
import { clockSkewMs } from '../../spec/run-store.ts'
import { errorText } from '../error-text.ts'
import { storedPlan } from '../firing/plans.ts'
import type { EngineParts } from '../parts.ts'
import type { Attempt } from '../runs/attempt.ts'
import { plainResult, type Success } from '../runs/finish.ts'
import { snapshotAbility } from '../snapshots/snapshot-ability.ts'
import { requireTrustedClock } from './prune.ts'

type Removed = PruneSnapshotsOutcome['removed'][number]

/**
 * Removes what the retention of a snapshot plan does not keep of its own snapshots of one workload, oldest first. Those of other plans, by hand and of
 * other systems are never touched, and one whose run may still undo it neither goes nor counts. The newest stays. What cannot be removed is a warning.
 */
export async function pruneSnapshots(parts: EngineParts, attempt: Attempt, input: PruneSnapshotsInput): Promise<Success> {
  const options = { signal: attempt.signal }
  const { provider, id } = input.workload
  requireTrustedClock(parts)
  attempt.meter.step('looking for old snapshots')
  const revision = await revisionOf(parts, input.plan, options)
  const decisions = await decide(parts, attempt, input, options)
  const going = decisions.filter(({ keep }) => !keep).reverse()
  const removed: Removed[] = []
  for (const { point, reasons } of going) {
    // Each may take an hour: whoever has lost the run, or decided by a plan that is another now, removes nothing more.
    await attempt.aim({}, options)
    if ((await revisionOf(parts, input.plan, options)) !== revision) break
    const { snapshot } = point
    attempt.meter.step(`removing snapshot "${snapshot.name}"`)
    try {
      await snapshotAbility(parts, provider).remove(id, snapshot.id, options)
    } catch (error) {
      if (options.signal.aborted || codeOf(error) === 'STALE_LEASE') throw error
      const why = error instanceof Error ? error.message : errorText(error)
      attempt.warn('SNAPSHOT_NOT_REMOVED', `Snapshot "${snapshot.name}" (${snapshot.id}) of ${workloadKey(input.workload)} stays: ${why}`)
      continue
    }
    removed.push({ snapshot: snapshot.id, name: snapshot.name, createdAt: snapshot.createdAt, reason: reasons.join('; ') })
  }
  const kept = decisions.length - removed.length
  const outcome: PruneSnapshotsOutcome = { provider, workload: id, plan: input.plan, removed, kept, warnings: attempt.warnings }
  return { result: plainResult(outcome) }
}

async function revisionOf(parts: EngineParts, plan: string, options: CallOptions): Promise<number | undefined> {
  return (await parts.store.plans.get(plan, options))?.revision
}

interface SnapshotPoint extends RetentionPoint {
  readonly snapshot: Snapshot
}

/** Newest first. */
async function decide(
  parts: EngineParts,
  attempt: Attempt,
  { plan, workload }: PruneSnapshotsInput,
  options: CallOptions,
): Promise<readonly RetentionDecision<SnapshotPoint>[]> {
  const all = await snapshotAbility(parts, workload.provider).list(workload.id, options)
  // Asked after the list: a run that is final by now has told what stays.
  const mayBeUndone = await unsettledMarks(parts, workloadKey(workload), options)
  const own = all.filter(({ mark }) => mark !== undefined && mark.system === parts.system && mark.plan === plan && !mayBeUndone(mark))
  const points = own.map((snapshot, sequence): SnapshotPoint => {
    return { id: snapshot.id, sequence, createdAt: Date.parse(snapshot.createdAt), parents: [], snapshot }
  })
  const policy = await policyOf(parts, attempt, plan, options)
  // A host's clock may be a little ahead of ours; what it has just made is not from the future.
  const { decisions, warnings } = planRetention(points, policy, attempt.storeNow() + clockSkewMs)
  for (const { code, message } of warnings) attempt.warn(code, `${workloadKey(workload)}: ${message}`)
  return decisions
}

/** A plan that is gone, is of another kind now, or was written by a newer version keeps everything. */
async function policyOf(parts: EngineParts, attempt: Attempt, id: string, options: CallOptions) {
  const row = await parts.store.plans.get(id, options)
  if (!row) return undefined
  try {
    const { plan } = storedPlan(row)
    return plan.kind === 'snapshot' ? plan.retention : undefined
  } catch (error) {
    attempt.warn('PLAN_UNREADABLE', `The plan "${id}" cannot be read here, so all its snapshots stay: ${errorText(error)}`)
    return undefined
  }
}

/** Tells the snapshots that a run may still undo: its attempt is not final, or has left something to undo. */
async function unsettledMarks(parts: EngineParts, workload: string, options: CallOptions): Promise<(mark: Mark) => boolean> {
  const unfinished = new Set<string>()
  for await (const { key } of parts.store.runs.list({ workload, states: ['queued', 'running'] }, options)) unfinished.add(runHash(key))
  const left = new Set<string>()
  for await (const { key, intents } of parts.store.runs.list({ workload, withIntents: true }, options))
    for (const { attempt } of intents) left.add(`${runHash(key)}.${attempt}`)
  return ({ run, attempt }) => unfinished.has(run) || left.has(`${run}.${attempt}`)
}
