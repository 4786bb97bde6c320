import type { NodeCheck } from '../../model/health.ts'
import type { Clock } from '../../spec/clock.ts'
import { formatDuration } from '../../spec/helpers/index.ts'

/** A node that waits for something at its start runs nothing; a moment of it is nothing to speak of. */
const patienceMs = 10 * 60_000

/** Knows for how long a start has been going on. */
export function createStartCheck(clock: Clock) {
  let began: number | undefined
  return {
    /** The same promise, watched. */
    async watch(start: Promise<void>): Promise<void> {
      began = clock.monotonic()
      try {
        await start
      } finally {
        began = undefined
      }
    },
    /** One check once it takes too long, none otherwise. */
    checks(): readonly NodeCheck[] {
      const forMs = began === undefined ? 0 : clock.monotonic() - began
      if (forMs <= patienceMs) return []
      const reasons = 'It waits for runs that were interrupted to be settled, or for a repository to be read.'
      const message = `The start has not finished for ${formatDuration(forMs)}: this node runs nothing until then. ${reasons}`
      return [{ name: 'start', durationMs: 0, state: 'Error', message }]
    },
  }
}
