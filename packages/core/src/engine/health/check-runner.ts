import type { NodeCheck } from '../../model/health.ts'
import type { CallOptions } from '../../spec/blocks.ts'
import type { Clock } from '../../spec/clock.ts'
import { formatDuration, withDeadline } from '../../spec/helpers/index.ts'
import { errorText } from '../error-text.ts'

/** What a look has found. */
export interface Verdict {
  readonly state: NodeCheck['state']
  readonly message: string
}

/** Something that a node looks at again and again. A rejection is an `Error` with its message. */
export interface Look {
  readonly name: string
  look(options: CallOptions): Promise<Verdict>
}

/** Checks are stored every 30 seconds and kept for days: a plug-in that tells a novel must not fill the disk. */
const longestMessage = 500

/**
 * Runs all looks at the same time, each with a deadline of its own, and never rejects unless `options.signal` aborts. What has not come back from an
 * earlier round is not asked again: a dead share would otherwise collect calls until no thread is left for anything else.
 */
export function createCheckRunner(clock: Clock, looks: readonly Look[], deadlineMs: number) {
  /** Looks that are still going on, and since when on the monotonic clock. */
  const pending = new Map<string, number>()

  async function runOne({ name, look }: Look, options: CallOptions): Promise<NodeCheck> {
    const began = clock.monotonic()
    const check = ({ state, message }: Verdict): NodeCheck => ({
      name,
      state,
      message: message.length > longestMessage ? `${message.slice(0, longestMessage)}...` : message,
      durationMs: Math.round(clock.monotonic() - began),
    })
    const earlier = pending.get(name)
    if (earlier !== undefined) return check({ state: 'Error', message: `There has been no answer for ${formatDuration(began - earlier)}.` })
    try {
      const limits = { ...options, clock, milliseconds: deadlineMs, name: 'The check' }
      return check(
        await withDeadline(limits, (limited) => {
          pending.set(name, began)
          const looking = look(limited)
          const ended = () => void pending.delete(name)
          looking.then(ended, ended)
          return looking
        }),
      )
    } catch (error) {
      options.signal.throwIfAborted()
      return check({ state: 'Error', message: error instanceof Error ? error.message : errorText(error) })
    }
  }

  return {
    /** One check for each look, in their order, after at most the deadline. */
    run: (options: CallOptions): Promise<readonly NodeCheck[]> => Promise.all(looks.map((look) => runOne(look, options))),
  }
}
