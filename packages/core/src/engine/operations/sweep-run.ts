import type { SweepInput } from '../../model/run-input.ts'
import type { SweepOutcome } from '../../model/run-outcome.ts'
import type { EngineParts } from '../parts.ts'
import { requireOwnership } from '../points/ownership.ts'
import type { Attempt } from '../runs/attempt.ts'
import { plainResult, type Success } from '../runs/finish.ts'
import { runRequest } from '../runs/requests.ts'
import { sweep } from '../sweep.ts'

/** The sweep of `start()`, again and again while the engine lives. Points that the catalog does not know are read into it by a rescan that follows. */
export async function sweepRun(parts: EngineParts, attempt: Attempt, { repository }: SweepInput): Promise<Success> {
  const options = { signal: attempt.signal }
  await requireOwnership(parts, repository, options)
  attempt.meter.step(`sweeping ${repository}`)
  const unknown = await sweep(parts, options, [repository])
  const outcome: SweepOutcome = { repository, unknownPoints: unknown.length > 0 }
  const follow = unknown.map((name) => runRequest(parts, `rescan/${name}/${attempt.run.key}`, { operation: 'rescan', repository: name }))
  return { result: plainResult(outcome), follow }
}
