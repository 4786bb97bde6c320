import type { CallOptions } from '../spec/blocks.ts'
import { errorText } from './error-text.ts'
import type { Health } from './health/health.ts'
import type { Delivery } from './notices/outbox.ts'
import type { EngineParts } from './parts.ts'
import { undoLostAgain, undoOpenIntents } from './runs/undo-leftovers.ts'

const choreMs = 5_000
/** How often intents of lost attempts are undone again within the grace time: hourly, if that is a day. */
const lostAgainTimes = 24

/** Apart from each other: a notifier that does not answer must keep nothing from being undone. */
export function doChores(parts: EngineParts, deliver: Delivery, options: CallOptions): Promise<unknown> {
  const often = Math.min(choreMs, parts.leaseMs)
  return Promise.all([
    repeat(parts, options, often, () => undoOpenIntents(parts, {}, options)),
    repeat(parts, options, often, () => deliver(options)),
    repeat(parts, options, parts.graceMs / lostAgainTimes, () => undoLostAgain(parts, options)),
  ])
}

/** What must happen again and again while the engine lives: failed undos are retried, notifications delivered. */
async function repeat(parts: EngineParts, options: CallOptions, everyMs: number, chore: () => Promise<void>): Promise<void> {
  while (!options.signal.aborted) {
    try {
      await chore()
    } catch (error) {
      if (!options.signal.aborted) parts.logger.warn('A chore failed; it is done again.', { error: errorText(error) })
    }
    await parts.clock.sleep(everyMs, options).catch(() => undefined)
  }
}

/** During recovery already, which may take long: a node at work is not silent. A node that could not start stops reporting. */
export async function report(
  parts: EngineParts,
  health: Health,
  { claimed, started }: { readonly claimed: Promise<void>; readonly started: Promise<void> },
  { signal }: CallOptions,
): Promise<void> {
  const unstarted = new AbortController()
  started.catch((error: unknown) => unstarted.abort(error))
  await Promise.race([claimed, started.catch(() => undefined)])
  const options = { signal: AbortSignal.any([signal, unstarted.signal]) }
  await repeat(parts, options, parts.healthEveryMs, () => health.run(options))
}
