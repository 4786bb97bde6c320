import { isoTime, workloadKey } from '../../model/names.ts'
import type { SnapshotInput } from '../../model/run-input.ts'
import type { SnapshotOutcome } from '../../model/run-outcome.ts'
import type { CallOptions } from '../../spec/blocks.ts'
import type { Snapshot } from '../../spec/provider.ts'
import type { EngineParts } from '../parts.ts'
import type { Attempt } from '../runs/attempt.ts'
import { plainResult, type Success } from '../runs/finish.ts'
import { createRunContext } from '../runs/intents.ts'
import { snapshotAbility } from '../snapshots/snapshot-ability.ts'

/**
 * Takes one snapshot on the platform. It stays once the run is final; until then its intent is open, and whoever takes over undoes it. What retention does
 * not keep is removed by a run that follows: a snapshot that may still be undone must be no reason to remove another.
 */
export async function snapshot(parts: EngineParts, attempt: Attempt, input: SnapshotInput): Promise<Success> {
  const options = { signal: attempt.signal }
  const { provider, id } = input.workload
  const kept = new Set<string>()
  const taken = (await takenBefore(parts, attempt, input, options)) ?? (await take(parts, attempt, input, kept))
  attempt.signal.throwIfAborted()
  const { id: made, name, createdAt, memory, quiesced } = taken
  if (input.quiesce && !quiesced)
    attempt.warn(
      'SNAPSHOT_NOT_QUIESCED',
      `Snapshot "${name}" of ${workloadKey(input.workload)} is not quiesced: it is as after a power cut.`,
    )
  const outcome: SnapshotOutcome = {
    provider,
    workload: id,
    snapshot: made,
    name,
    createdAt,
    memory,
    quiesced,
    warnings: attempt.warnings,
  }
  return { result: plainResult(outcome), kept }
}

/**
 * What an attempt has made of which no intent is left: the database is older than the snapshot. One of an attempt whose intent is known is not taken for
 * it: settle has undone that intent, and undoes it again for as long as its request may arrive late.
 */
async function takenBefore(
  parts: EngineParts,
  attempt: Attempt,
  { workload: { provider, id } }: SnapshotInput,
  options: CallOptions,
): Promise<Snapshot | undefined> {
  const { system, plan, run } = attempt.mark
  const lost = new Set(attempt.intents().map((intent) => intent.attempt))
  const all = await snapshotAbility(parts, provider).list(id, options)
  return all.findLast(
    ({ mark }) => mark !== undefined && mark.system === system && mark.plan === plan && mark.run === run && !lost.has(mark.attempt),
  )
}

async function take(parts: EngineParts, attempt: Attempt, input: SnapshotInput, kept: Set<string>): Promise<Snapshot> {
  const { provider, id } = input.workload
  const { memory, quiesce } = input
  const name = input.name ?? `${attempt.run.planId ?? 'by hand'} ${isoTime(attempt.run.dueAt).replace(/\.\d+/, '')}`
  attempt.meter.step(`taking snapshot "${name}"`)
  const context = createRunContext(parts, attempt, provider, kept, attempt.signal)
  return await snapshotAbility(parts, provider).create(id, { name, memory, quiesce }, context)
}
