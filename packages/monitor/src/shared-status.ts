import type { Clock } from '@holdfast/core/spec'
import type { ClusterView, StatusSource } from './status-source.ts'

/** What was found, or that nothing could be found. */
export type Found = { readonly cluster: ClusterView } | { readonly error: unknown }

/**
 * Asks the source at most once at a time, and again only `cacheMs` after it has answered: a hundred polls cost the store one read. A failure is kept as
 * long as an answer, so that a store in trouble is left alone. Never rejects; waits as long as the source does.
 */
export function sharedStatus(source: StatusSource, clock: Clock, cacheMs: number): () => Promise<Found> {
  let pending: Promise<Found> | undefined
  let last: { readonly found: Found; readonly at: number } | undefined

  async function ask(): Promise<Found> {
    let found: Found
    try {
      found = { cluster: await source.status({ details: true }) }
    } catch (error) {
      found = { error }
    }
    last = { found, at: clock.monotonic() }
    pending = undefined
    return found
  }

  return async () => {
    if (last && clock.monotonic() - last.at < cacheMs) return last.found
    pending ??= ask()
    return await pending
  }
}
