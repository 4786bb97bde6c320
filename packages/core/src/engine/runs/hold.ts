import type { CallOptions } from '../../spec/blocks.ts'
import { codeOf, HoldfastError } from '../../spec/errors.ts'
import type { Json } from '../../spec/json.ts'
import type { Lease, StoreTime } from '../../spec/store.ts'
import type { ProgressMeter } from '../../transfer/index.ts'
import { errorText } from '../error-text.ts'
import type { EngineParts } from '../parts.ts'

/** What this process knows of its lease. */
export interface Hold {
  renew(options: CallOptions): ReturnType<EngineParts['store']['runs']['renew']>
  /**
   * Awaited between a write and what it allows: whoever stood still for longer than its lease asks the store once more, because the answer that it
   * has just got may be old, and somebody else may have undone and finished everything since. Rejects with STALE_LEASE then.
   */
  prove(options: CallOptions): Promise<void>
  /** The same in good time: when it is later than a renewal should ever be. */
  keep(options: CallOptions): Promise<void>
}

export function createHold(parts: EngineParts, lease: Lease, meter: ProgressMeter, renewed: (leaseUntil: StoreTime) => void): Hold {
  // Both: a monotonic clock may stand still while a machine sleeps, the other may be set back.
  const times = () => ({ now: parts.clock.now(), monotonic: parts.clock.monotonic() })
  let renewedAt = times()
  const renew: Hold['renew'] = async (options) => {
    const asked = times()
    const answer = await parts.store.runs.renew(lease, parts.leaseMs, meter.snapshot() as unknown as Json, options)
    renewedAt = asked
    renewed(answer.leaseUntil)
    return answer
  }
  const renewAfter = async (milliseconds: number, options: CallOptions) => {
    const { now, monotonic } = times()
    if (Math.max(now - renewedAt.now, monotonic - renewedAt.monotonic) >= milliseconds) await renew(options)
  }
  return {
    renew,
    prove: (options) => renewAfter(parts.leaseMs, options),
    keep: (options) => renewAfter(parts.leaseMs / 2, options),
  }
}

/**
 * Renews what runs in this process and may have ended. Awaited before runs are taken: a process that stood still comes to its polls before its renewals,
 * and would take its own runs over, which costs each of them the attempt.
 */
export async function keepOwnLeases(parts: EngineParts, options: CallOptions): Promise<void> {
  await Promise.allSettled([...parts.holds.values()].map((keep) => keep(options)))
}

export const cancelled = (reason: string): HoldfastError => new HoldfastError('RUN_CANCELLED', `The run was cancelled: ${reason}`)

/** Renews in good time until `ended`; aborts the attempt when the lease is lost or somebody asked for its end. */
export async function keepLease(parts: EngineParts, lease: Lease, hold: Hold, ended: AbortSignal, aborter: AbortController): Promise<void> {
  for (;;) {
    try {
      await parts.clock.sleep(parts.leaseMs / 3, { signal: ended })
      const answer = await hold.renew({ signal: ended })
      if (answer.cancel !== undefined) aborter.abort(cancelled(answer.cancel))
    } catch (error) {
      if (ended.aborted) return
      if (codeOf(error) === 'STALE_LEASE') {
        aborter.abort(error)
        return
      }
      // A busy store is no reason to give up: until somebody takes over, the lease may still be renewed, and no data depends on it.
      parts.logger.warn('The lease could not be renewed; trying again.', { run: lease.runId, error: errorText(error) })
    }
  }
}
