import type { CallOptions } from '../spec/blocks.ts'
import type { EngineParts } from './parts.ts'
import { isOpen } from './runs/intents.ts'

/** Nothing queued that is due, nothing running here or elsewhere, nothing left to undo. */
export async function isIdle(parts: EngineParts, activeHere: readonly string[], options: CallOptions): Promise<boolean> {
  if (activeHere.length > 0) return false
  const { now } = await parts.store.plans.due(1, options)
  for await (const run of parts.store.runs.list({ states: ['queued', 'running'] }, options)) {
    if (run.state === 'running' || run.notBefore <= now) return false
  }
  for await (const run of parts.store.runs.list({ withIntents: true }, options)) if (run.intents.some(isOpen)) return false
  return true
}
