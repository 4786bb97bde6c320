import type { CallOptions } from '../spec/blocks.ts'
import type { Attempt } from './attempt.ts'
import { removeDeadFiles } from './dead-files.ts'
import { committedSuccess, deliveredResult, finishSucceeded, type Success } from './finish.ts'
import { isOpen, undoAll } from './intents.ts'
import { cleanUp, type EngineParts, repositoryNamed } from './parts.ts'
import { decideNumber } from './point-folder.ts'

/**
 * The one way out of an attempt, its own failure and a takeover alike: decide the number, undo the intents, finish the run if it had committed.
 * True when the run turned out to be done. Ignores what stopped the attempt; a lost lease shows in the first write, and then nothing is undone.
 */
export async function settle(parts: EngineParts, attempt: Attempt): Promise<boolean> {
  // Whoever has lost the lease undoes nothing: the next attempt may have stopped the same machine for its own purpose. The store says so here.
  await cleanUp(parts, (options) => attempt.aim({}, options))
  const committed = await cleanUp(parts, (options) => decideTarget(parts, attempt, options))
  if (committed) {
    await finishSucceeded(parts, attempt, committed)
    return true
  }
  const open = attempt.intents().filter(isOpen)
  const { delivered, failed } = await undoAll(parts, open, attempt.mark)
  if (delivered) {
    await finishSucceeded(parts, attempt, {
      result: deliveredResult(attempt.run, delivered),
      kept: new Set(open.filter((each) => !failed.includes(each)).map((each) => each.id)),
    })
    return true
  }
  // Undone again until the grace time is over: a request of the lost attempt may still be on its way.
  const until = attempt.storeNow() + parts.graceMs
  await cleanUp(parts, async (options) => {
    await attempt.changeIntents(
      (intents) => intents.map((each) => (isOpen(each) && !failed.includes(each) ? { ...each, until } : each)),
      options,
    )
    await attempt.aim({ target: null, reads: [] }, options)
  })
  return false
}

/** Takes the number of the last attempt, unless its manifest is there: then the run had committed. */
async function decideTarget(parts: EngineParts, attempt: Attempt, options: CallOptions): Promise<Success | undefined> {
  const target = attempt.target()
  if (!target) return undefined
  const repository = repositoryNamed(parts, target.repository)
  const decided = await decideNumber(repository, target, options)
  if (decided.state === 'live' && decided.manifest.runKey === attempt.run.key) return committedSuccess(target, decided.manifest)
  if (decided.state === 'dead') await removeDeadFiles(repository, target, options, target.number)
  return undefined
}
