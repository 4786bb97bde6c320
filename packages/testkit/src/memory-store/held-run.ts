import { HoldfastError, type Lease, type Run } from '@holdfast/core/spec'
import type { StoreContext } from './store-state.ts'

/** The run, if this lease still holds it. */
export function heldRun(context: StoreContext, lease: Lease): Run {
  const run = context.state.runs.get(lease.runId)
  if (run?.state === 'running' && run.attempt === lease.attempt) return run
  const now = run === undefined ? 'it is unknown' : `it is ${run.state}, attempt ${run.attempt}`
  throw new HoldfastError('STALE_LEASE', `attempt ${lease.attempt} does not hold run ${run?.key ?? lease.runId}: ${now}`)
}
