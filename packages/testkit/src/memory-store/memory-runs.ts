import {
  HoldfastError,
  type Lease,
  type ManifestRef,
  type OutboxEvent,
  type Outcome,
  type Run,
  type RunStore,
  type StoredIntent,
} from '@holdfast/core/spec'
import { raiseVersions, refKey } from './catalog-versions.ts'
import { checkRequests, createRun, isFinal } from './create-run.ts'
import { heldRun } from './held-run.ts'
import { addEvents } from './memory-outbox.ts'
import { putPoint } from './memory-points.ts'
import { plain, same, without } from './plain.ts'
import type { StoreContext } from './store-state.ts'
import { takeRuns } from './take-runs.ts'

type Patch = Parameters<RunStore['save']>[1]

function checkPatch(context: StoreContext, run: Run, patch: Patch): void {
  const { points, runs } = context.state
  for (const read of patch.reads ?? []) {
    const point = points.get(refKey(read))
    if (point === undefined || point.condemned) throw condemned(read, point === undefined ? 'unknown' : 'condemned')
  }
  const { target } = patch
  if (target === undefined || target === null) return
  if (points.get(refKey(target))?.condemned === true) throw condemned(target, 'condemned')
  for (const other of runs.values()) {
    if (other.id === run.id || other.target === undefined || isFinal(other) || refKey(other.target) !== refKey(target)) continue
    throw new HoldfastError('NUMBER_TAKEN', `${describe(target)} is the target of run ${other.key}`)
  }
}

const describe = (ref: ManifestRef): string => `${ref.repository}:${ref.folder}/manifest.${ref.number}.json`
const condemned = (ref: ManifestRef, state: string): HoldfastError => new HoldfastError('POINT_CONDEMNED', `${describe(ref)} is ${state}`)
const inUseOf = (run: Run): readonly ManifestRef[] => (run.target === undefined ? run.reads : [...run.reads, run.target])

function save(context: StoreContext, lease: Lease, patch: Patch): void {
  const run = heldRun(context, lease)
  checkPatch(context, run, patch)
  const next: Run = plain({
    ...(patch.target === null ? without(run, 'target') : run),
    ...(patch.target && { target: patch.target }),
    ...(patch.reads !== undefined && { reads: patch.reads }),
    ...(patch.intents !== undefined && { intents: patch.intents }),
  })
  context.state.runs.set(run.id, next)
  if (!same(run.reads, next.reads) || !same(run.target, next.target)) raiseVersions(context, [...inUseOf(run), ...inUseOf(next)], next)
}

function ended(context: StoreContext, run: Run, outcome: Outcome): Run {
  const released = { ...without(run, 'target', 'worker', 'leaseUntil'), reads: [] }
  if (outcome.state === 'succeeded') return { ...without(released, 'error'), state: 'succeeded', result: outcome.result }
  if (outcome.state !== 'queued') return { ...released, state: outcome.state, error: outcome.error }
  return {
    ...released,
    state: 'queued',
    notBefore: context.now() + outcome.delay,
    failures: run.failures + (outcome.failure ? 1 : 0),
    ...(outcome.error !== undefined && { error: outcome.error }),
  }
}

function finish(
  context: StoreContext,
  lease: Lease,
  outcome: Outcome,
  intents: readonly StoredIntent[],
  events: readonly OutboxEvent[],
): void {
  const run = heldRun(context, lease)
  if (outcome.state === 'succeeded') checkRequests(outcome.follow)
  context.state.runs.set(run.id, plain({ ...ended(context, run, outcome), intents }))
  if (outcome.state === 'queued') context.state.setFor.set(run.id, outcome.delay)
  raiseVersions(context, inUseOf(run), run)
  if (outcome.state === 'succeeded') {
    for (const point of outcome.points) putPoint(context, point)
    for (const request of outcome.follow) createRun(context, request)
  }
  addEvents(context, events)
}

function cancel(context: StoreContext, runId: string, reason: string): 'cancelled' | 'requested' | 'final' | 'unknown' {
  const run = context.state.runs.get(runId)
  if (run === undefined) return 'unknown'
  if (isFinal(run)) return 'final'
  const cancelReason = run.cancelReason ?? reason
  if (run.state === 'queued' && run.attempt === 0) {
    context.state.runs.set(runId, { ...run, state: 'cancelled', cancelReason })
    return 'cancelled'
  }
  // A run that waits for its next attempt is taken at once, to be settled.
  const notBefore = run.state === 'queued' ? Math.min(run.notBefore, context.now()) : run.notBefore
  context.state.runs.set(runId, { ...run, notBefore, cancelReason })
  return 'requested'
}

function undone(context: StoreContext, runId: string, ids: readonly string[]): void {
  const run = context.state.runs.get(runId)
  if (run === undefined) return
  const now = context.now()
  const intents = run.intents.filter(({ id, until }) => !ids.includes(id) || (until !== undefined && until > now))
  context.state.runs.set(runId, { ...run, intents })
}

export function memoryRuns(context: StoreContext): RunStore {
  const { state, perform } = context
  return {
    create: (requests, options) =>
      perform('runs.create', options, () => {
        checkRequests(requests)
        return requests.map((request) => createRun(context, request))
      }),
    take: (worker, ttl, limit, options) => perform('runs.take', options, () => takeRuns(context, worker, ttl, limit)),
    renew: (lease, ttl, progress, options) =>
      perform('runs.renew', options, () => {
        const run = heldRun(context, lease)
        const leaseUntil = context.now() + ttl
        state.runs.set(run.id, { ...run, leaseUntil, progress: plain(progress) })
        state.setFor.set(run.id, ttl)
        return { leaseUntil, ...(run.cancelReason !== undefined && { cancel: run.cancelReason }) }
      }),
    save: (lease, patch, options) => perform('runs.save', options, () => save(context, lease, patch)),
    finish: (lease, outcome, intents, events, options) =>
      perform('runs.finish', options, () => finish(context, lease, outcome, intents, events)),
    undone: (runId, intents, options) => perform('runs.undone', options, () => undone(context, runId, intents)),
    cancel: (runId, reason, options) => perform('runs.cancel', options, () => cancel(context, runId, reason)),
    get: (idOrKey, options) => perform('runs.get', options, () => state.runs.get(idOrKey) ?? state.runs.get(state.keys.get(idOrKey) ?? '')),
    list: (filter, options) =>
      context.iterate('runs.list', options, () => {
        const found = [...state.runs.values()].filter(
          (run) =>
            (filter.states === undefined || filter.states.includes(run.state)) &&
            (filter.planId === undefined || filter.planId === run.planId) &&
            (filter.workload === undefined || filter.workload === run.workload) &&
            (filter.withIntents !== true || run.intents.length > 0),
        )
        return filter.order === 'newest-first' ? found.reverse() : found
      }),
  }
}
