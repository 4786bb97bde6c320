import type { CallOptions } from './blocks.ts'
import type { RunContext } from './run-context.ts'
import type { WorkloadRef } from './workload.ts'

/** What came of an attempt to stop a workload for good. JSON. */
export interface FenceResult {
  /** The workload is proven off and stays off until a person intervenes. Anything less is false. */
  readonly confirmed: boolean
  /** What was seen, for the timeline. */
  readonly evidence: string
}

/** What one witness saw. JSON. */
export interface Observation {
  /** The way it looked. Two observations of the same way count as one. */
  readonly from: 'management' | 'network' | 'guest' | 'out-of-band'
  /** `down` only when the answer itself says so; no answer is `unreachable`, an unclear one `unknown`. */
  readonly verdict: 'up' | 'down' | 'unreachable' | 'unknown'
  /** What was seen, for the timeline. */
  readonly evidence: string
}

/** One witness. Reads only; may be called at any time, also twice at once. Refused, timed out, 401 and 5xx are never `down`. A rejection counts as `unknown`. */
export type Observer = (workload: WorkloadRef, options: CallOptions) => Promise<Observation>

/**
 * Fencing when the source's own API is dead: BMC, power strip, switch. Tried after `power.fence`, in the order given. Idempotent: "already off" is
 * confirmed. A rejection counts as not confirmed.
 */
export type Fence = (workload: WorkloadRef, run: RunContext) => Promise<FenceResult>
