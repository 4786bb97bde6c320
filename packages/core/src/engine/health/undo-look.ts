import { formatDuration } from '../../spec/helpers/index.ts'
import { errorText } from '../error-text.ts'
import type { EngineParts } from '../parts.ts'
import { isOpen } from '../runs/intents.ts'
import type { Look } from './check-runner.ts'

/** Open undos are tried every few seconds; one that failed and is well again is forgotten after this. */
const recentMs = 120_000

/**
 * What runs have left behind that cannot be undone: a snapshot that grows, a container that is still paused. Something to undo is nothing to worry about;
 * it is when undoing fails here, or when it stays open for longer than one clean-up may take.
 */
export function undoLook(parts: EngineParts): Look {
  const seen = new Map<string, number>()
  let failure: { readonly at: number; readonly text: string } | undefined
  parts.events.on('undo-failed', ({ provider, kind, error }) => {
    const why = error instanceof Error ? error.message : errorText(error)
    failure = { at: parts.clock.monotonic(), text: ` The last failure: "${kind}" on ${provider}: ${why}` }
  })
  return {
    name: 'undo',
    async look(options) {
      const now = parts.clock.monotonic()
      const open = new Set<string>()
      for await (const run of parts.store.runs.list({ withIntents: true }, options)) {
        if (run.state === 'running') continue
        // What another node's provider made is that node's to undo.
        for (const intent of run.intents) if (isOpen(intent) && parts.providers.has(intent.provider)) open.add(`${run.id}/${intent.id}`)
      }
      for (const id of seen.keys()) if (!open.has(id)) seen.delete(id)
      for (const id of open) if (!seen.has(id)) seen.set(id, now)
      if (open.size === 0) return { state: 'OK', message: 'Nothing is left to undo.' }
      const oldest = now - Math.min(...seen.values())
      const failing = failure !== undefined && now - failure.at < recentMs
      const message = `${open.size} ${open.size === 1 ? 'thing is' : 'things are'} still to undo, for ${formatDuration(oldest)}.`
      if (!failing && oldest <= parts.cleanUpMs) return { state: 'OK', message }
      return { state: 'Warning', message: `${message}${failing ? failure?.text : ''}` }
    },
  }
}
