import { HoldfastError, type Run, type RunRequest } from '@holdfast/core/spec'
import { plain } from './plain.ts'
import type { StoreContext } from './store-state.ts'

export const isFinal = (run: Run): boolean => run.state !== 'queued' && run.state !== 'running'

/** A run that asks for more than there is would wait for ever, and everybody behind it too. */
export function checkRequests(requests: readonly RunRequest[]): void {
  for (const { key, resources } of requests) {
    for (const { name, units, capacity } of resources) {
      if (!(units > 0 && units <= capacity)) {
        throw new HoldfastError('INVALID_OPTIONS', `run ${key} asks for ${units} units of ${name}, which has ${capacity}`)
      }
    }
  }
}

function overlaps(context: StoreContext, request: RunRequest): boolean {
  const { overlap } = request
  if (overlap === undefined) return false
  for (const run of context.state.runs.values()) {
    if (run.overlap?.key !== overlap.key || isFinal(run)) continue
    if (overlap.policy === 'skip' || run.state === 'queued') return true
  }
  return false
}

export function createRun(context: StoreContext, request: RunRequest): { readonly run: Run; readonly created: boolean } {
  const { state } = context
  const known = state.runs.get(state.keys.get(request.key) ?? '')
  if (known !== undefined) return { run: known, created: false }
  const dueAt = request.dueAt ?? context.now()
  const run: Run = plain({
    ...request,
    id: context.ids.next(),
    dueAt,
    notBefore: dueAt + request.delay,
    state: overlaps(context, request) ? 'skipped' : 'queued',
    attempt: 0,
    failures: 0,
    reads: [],
    intents: [],
  })
  state.runs.set(run.id, run)
  state.setFor.set(run.id, Math.max(0, run.notBefore - context.now()))
  state.keys.set(run.key, run.id)
  return { run, created: true }
}
