import type { CallOptions } from '../../spec/blocks.ts'
import { HoldfastError } from '../../spec/errors.ts'
import type { RestoreResult } from '../../spec/restore.ts'
import type { Intent, Mark, OpenIntent, RunContext } from '../../spec/run-context.ts'
import type { Run, StoredIntent } from '../../spec/store.ts'
import { errorText } from '../error-text.ts'
import { cleanUp, type EngineParts, providerNamed } from '../parts.ts'
import type { Attempt } from './attempt.ts'

/** Still to be undone: its attempt was not lost long ago, and nobody has undone it yet. */
export function isOpen(intent: StoredIntent): boolean {
  return intent.until === undefined
}

/** What a provider is given for the length of one attempt. `kept` collects what shall stay if the run commits. */
export function createRunContext(
  parts: EngineParts,
  attempt: Attempt,
  provider: string,
  kept: Set<string>,
  signal: AbortSignal,
): RunContext {
  return {
    signal,
    mark: attempt.mark,
    async intend(kind, data) {
      signal.throwIfAborted()
      const id = parts.ids.next()
      const intent: StoredIntent = { id, attempt: attempt.run.attempt, provider, kind, data, kept: false }
      await attempt.changeIntents((intents) => [...intents, intent], { signal })
      return openIntent(parts, attempt, id, kept)
    },
    note(level, code, message) {
      if (level === 'warning') attempt.warn(code, message)
      else parts.logger.info(message, { code, run: attempt.run.key })
    },
    step: (text, fraction) => attempt.meter.step(text, fraction),
  }
}

function openIntent(parts: EngineParts, attempt: Attempt, id: string, kept: Set<string>): OpenIntent {
  return {
    async update(data) {
      await attempt.changeIntents((intents) => intents.map((each) => (each.id === id ? { ...each, data } : each)), {
        signal: attempt.signal,
      })
    },
    async undo() {
      const intent = attempt.intents().find((each) => each.id === id)
      if (!intent) return
      await undoIntent(parts, intent, attempt.mark)
      await attempt.changeIntents((intents) => intents.filter((each) => each.id !== id), { signal: attempt.signal })
    },
    keep() {
      kept.add(id)
    },
  }
}

/** One undo, with a deadline of its own. */
export async function undoIntent(
  parts: EngineParts,
  stored: StoredIntent,
  mark: Omit<Mark, 'attempt'>,
): Promise<'undone' | { readonly delivered: RestoreResult }> {
  const provider = providerNamed(parts, stored.provider)
  const intent: Intent = {
    id: stored.id,
    provider: stored.provider,
    kind: stored.kind,
    data: stored.data,
    kept: stored.kept,
    mark: { system: mark.system, plan: mark.plan, run: mark.run, attempt: stored.attempt },
  }
  return await cleanUp(parts, (options) => provider.undo(intent, options))
}

/** What came of undoing a list of intents. */
export interface Undone {
  readonly undone: readonly string[]
  readonly failed: readonly StoredIntent[]
  readonly delivered?: RestoreResult
}

/** Newest first. A failure stays open and is told; the others go on. */
export async function undoAll(parts: EngineParts, intents: readonly StoredIntent[], mark: Omit<Mark, 'attempt'>): Promise<Undone> {
  const undone: string[] = []
  const failed: StoredIntent[] = []
  let delivered: RestoreResult | undefined
  for (const intent of [...intents].reverse()) {
    try {
      const answer = await undoIntent(parts, intent, mark)
      if (answer === 'undone') undone.push(intent.id)
      else delivered ??= answer.delivered
    } catch (error) {
      failed.push(intent)
      parts.logger.error(`Undoing "${intent.kind}" on ${intent.provider} failed; it will be tried again.`, { error: errorText(error) })
      parts.events.emit('undo-failed', { provider: intent.provider, kind: intent.kind, error })
    }
  }
  return { undone, failed, ...(delivered && { delivered }) }
}

/** After a run is final: what it left to undo goes, each closed by itself. Throws UNDO_FAILED if something is still there. */
export async function undoOfRun(
  parts: EngineParts,
  run: Pick<Run, 'id' | 'key'>,
  intents: readonly StoredIntent[],
  mark: Omit<Mark, 'attempt'>,
  options: CallOptions,
): Promise<void> {
  const { undone, failed, delivered } = await undoAll(parts, intents, mark)
  // A delivered machine of a final run is nobody's leftover: the run was told of it, or of another one that the platform refused.
  const closed = delivered === undefined ? undone : intents.filter((each) => !failed.includes(each)).map((each) => each.id)
  if (closed.length > 0) await parts.store.runs.undone(run.id, closed, options)
  if (failed.length > 0) {
    const names = failed.map((each) => `"${each.kind}" on ${each.provider}`).join(', ')
    throw new HoldfastError('UNDO_FAILED', `Run ${run.key}: ${names} could not be undone yet.`)
  }
}
