import { runHash } from '../../model/names.ts'
import type { CallOptions } from '../../spec/blocks.ts'
import type { Provider } from '../../spec/provider.ts'
import type { Intent } from '../../spec/run-context.ts'
import type { OutboxEvent, Run, StoredIntent } from '../../spec/store.ts'
import { errorText } from '../error-text.ts'
import { outboxEvent } from '../notices/notices.ts'
import { cleanUp, type EngineParts, providerNamed } from '../parts.ts'
import { isOpen, undoAll, undoOfRun } from './intents.ts'

function markOf(parts: EngineParts, run: Pick<Run, 'planId' | 'key'>) {
  return { system: parts.system, plan: run.planId ?? '', run: runHash(run.key) }
}

/** What another node's provider has made is that node's to undo. */
const isOurs = (parts: EngineParts, { provider }: StoredIntent): boolean => parts.providers.has(provider)

/** Undoes what final and waiting runs have left open, newest run first. `workload`: only that one's, before its next run makes anything new. */
export async function undoOpenIntents(parts: EngineParts, filter: { readonly workload?: string }, options: CallOptions): Promise<void> {
  for await (const run of parts.store.runs.list({ withIntents: true, ...filter }, options)) {
    const open = run.intents.filter((intent) => isOpen(intent) && isOurs(parts, intent))
    if (run.state === 'running' || open.length === 0) continue
    try {
      await cleanUp(parts, (fresh) => undoOfRun(parts, run, open, markOf(parts, run), fresh))
    } catch (error) {
      parts.logger.error('Something that a run left behind could not be undone.', { run: run.key, error: errorText(error) })
      await parts.store.outbox.add([alarm(run, parts.clock.now(), error)], options)
    }
  }
}

/** Told once for each run: the id is that of the transition. */
function alarm(run: Run, at: number, error: unknown): OutboxEvent {
  const text = `${error instanceof Error ? error.message : errorText(error)} It is tried again until it succeeds.`
  const { id, key, operation, workload, planId } = run
  const data = { run: id, key, operation, ...(workload !== undefined && { workload }), ...(planId !== undefined && { plan: planId }) }
  return outboxEvent(`${id}/undo-failed`, { type: 'undo-failed', at, text, data })
}

/**
 * The health check of intents: those of lost attempts are undone again until the grace time is over, because a request that was thought lost may
 * have arrived late (rule re-undo). Undo touches only what its own attempt made and what is unfinished.
 */
export async function undoLostAgain(parts: EngineParts, options: CallOptions): Promise<void> {
  for await (const run of parts.store.runs.list({ withIntents: true }, options)) {
    // An attempt that is at work has settled the lost ones before it began. Where a platform knows things by name alone, another undo that arrives late
    // would remove what it has made under the same name.
    if (run.state === 'running') continue
    const lost = run.intents.filter((intent) => !isOpen(intent) && isOurs(parts, intent))
    if (lost.length === 0) continue
    const { failed } = await undoAll(parts, lost, markOf(parts, run))
    const closed = lost.filter((intent) => !failed.includes(intent)).map((intent) => intent.id)
    if (closed.length > 0) await parts.store.runs.undone(run.id, closed, options)
  }
}

/** After the loss of a catalog no intent is left to tell what is unfinished: the platform's own tags do (rule tag-sweep). */
export async function undoUnknown(parts: EngineParts, name: string, options: CallOptions): Promise<void> {
  const provider = providerNamed(parts, name)
  if (!provider.leftovers) return
  for await (const intent of provider.leftovers(options)) {
    if (intent.mark.system === parts.system && !(await isAlive(parts, intent.mark, options)))
      await undoLeftover(parts, name, provider, intent)
  }
}

async function undoLeftover(parts: EngineParts, name: string, provider: Provider, intent: Intent): Promise<void> {
  try {
    await cleanUp(parts, (fresh) => provider.undo({ ...intent, provider: name }, fresh))
  } catch (error) {
    parts.logger.error('A leftover could not be undone.', { provider: name, kind: intent.kind, error: errorText(error) })
    parts.events.emit('undo-failed', { provider: name, kind: intent.kind, error })
  }
}

async function isAlive(
  parts: EngineParts,
  mark: { readonly run: string; readonly attempt: number },
  options: CallOptions,
): Promise<boolean> {
  for await (const run of parts.store.runs.list({ states: ['running'] }, options)) {
    if (runHash(run.key) === mark.run && run.attempt === mark.attempt) return true
  }
  return false
}
