import type { CallOptions } from './blocks.ts'
import type { RunContext } from './run-context.ts'
import type { WorkloadRef } from './workload.ts'

export interface FenceResult {
  readonly confirmed: boolean
  readonly evidence: string
}
export interface Observation {
  readonly from: 'management' | 'network' | 'guest' | 'out-of-band'
  readonly verdict: 'up' | 'down' | 'unreachable' | 'unknown'
  readonly evidence: string
}
/** One witness. Refused, timed out, 401 and 5xx are never `down`. */
export type Observer = (workload: WorkloadRef, options: CallOptions) => Promise<Observation>
/** Fencing when the source's own API is dead: BMC, power strip, switch. Tried after `power.fence`. */
export type Fence = (workload: WorkloadRef, run: RunContext) => Promise<FenceResult>
