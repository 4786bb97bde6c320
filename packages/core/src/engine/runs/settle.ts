import type { Manifest } from '../../model/manifest.ts'
import type { CallOptions } from '../../spec/blocks.ts'
import type { StoredIntent } from '../../spec/store.ts'
import { errorText } from '../error-text.ts'
import { cleanUp, type EngineParts, repositoryNamed } from '../parts.ts'
import { removeDeadFiles } from '../points/dead-files.ts'
import { refuseUnmounted } from '../points/ownership.ts'
import { decideNumber } from '../points/point-folder.ts'
import type { Attempt } from './attempt.ts'
import { deliveredResult, finishSucceeded, type Success, writtenSuccess } from './finish.ts'
import { isOpen, undoAll } from './intents.ts'

/**
 * The one way out of an attempt, its own failure and a takeover alike: decide the number, undo the intents, finish the run if it had committed.
 * True when the run turned out to be done. Ignores what stopped the attempt; a lost lease shows in the first write, and then nothing is undone.
 */
export async function settle(parts: EngineParts, attempt: Attempt): Promise<boolean> {
  // Whoever has lost the lease undoes nothing: the next attempt may have stopped the same machine for its own purpose. The store says so here.
  await cleanUp(parts, (options) => attempt.aim({}, options))
  const committed = await decideOrUndo(parts, attempt)
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
  await keepForGrace(parts, attempt, (each) => !failed.includes(each))
  await cleanUp(parts, (options) => attempt.aim({ target: null, reads: [] }, options))
  return false
}

/** Undone again until the grace time is over: a request of the lost attempt may still be on its way. */
async function keepForGrace(parts: EngineParts, attempt: Attempt, undone: (intent: StoredIntent) => boolean): Promise<void> {
  const until = attempt.storeNow() + parts.graceMs
  const keep = (intents: readonly StoredIntent[]) => intents.map((each) => (isOpen(each) && undone(each) ? { ...each, until } : each))
  await cleanUp(parts, (options) => attempt.changeIntents(keep, options))
}

/**
 * While the repository cannot be written the number stays undecided and the run unfinished; it is settled again at each end of its lease. What shall
 * not stay even after a commit is undone meanwhile: a stopped container must not wait for a share to be mounted.
 */
async function decideOrUndo(parts: EngineParts, attempt: Attempt): Promise<Success | undefined> {
  try {
    return await cleanUp(parts, (options) => decideTarget(parts, attempt, options))
  } catch (error) {
    attempt.warn('SETTLE_WAITS', `${attempt.run.key} cannot be settled yet: ${error instanceof Error ? error.message : errorText(error)}`)
    const going = attempt.intents().filter((each) => isOpen(each) && !each.kept)
    const { undone } = await undoAll(parts, going, attempt.mark)
    await keepForGrace(parts, attempt, (each) => undone.includes(each.id))
    throw error
  }
}

/** Takes the number of the last attempt, unless its manifest is there: then the run had committed. */
async function decideTarget(parts: EngineParts, attempt: Attempt, options: CallOptions): Promise<Success | undefined> {
  const target = attempt.target()
  if (!target) return undefined
  const repository = repositoryNamed(parts, target.repository)
  await refuseUnmounted(parts, target.repository, options)
  const decided = await decideNumber(repository, target, options)
  if (decided.state === 'live' && writerOf(decided.manifest) === attempt.run.key) return writtenSuccess(target, decided.manifest)
  if (decided.state === 'dead') await removeDeadFiles(repository, target, options, target.number)
  return undefined
}

/** Key of the run that wrote this number: a merge writes another run's point. */
const writerOf = ({ rewritten, runKey }: Manifest): string => rewritten?.runKey ?? runKey
