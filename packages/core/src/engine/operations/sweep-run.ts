import type { SweepInput } from '../../model/run-input.ts'
import type { SweepOutcome } from '../../model/run-outcome.ts'
import type { Attempt } from '../attempt.ts'
import { plainResult, type Success } from '../finish.ts'
import { requireOwnership } from '../ownership.ts'
import type { EngineParts } from '../parts.ts'
import { runRequest } from '../requests.ts'
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
