import type { RunWarning } from '../model/manifest.ts'
import { runHash } from '../model/names.ts'
import type { CallOptions } from '../spec/blocks.ts'
import { codeOf, HoldfastError } from '../spec/errors.ts'
import type { Json } from '../spec/json.ts'
import type { Mark } from '../spec/run-context.ts'
import type { Lease, ManifestRef, Run, StoredIntent, StoreTime } from '../spec/store.ts'
import { createProgressMeter, type ProgressMeter } from '../transfer/index.ts'
import type { EngineParts } from './parts.ts'

/** One try at a run, held by a lease. Everything it must not lose is written through it. */
export interface Attempt {
  readonly run: Run
  readonly lease: Lease
  readonly mark: Mark
  /** Aborts when the run is cancelled, the engine stops or the lease is lost; its reason says which. */
  readonly signal: AbortSignal
  readonly meter: ProgressMeter
  readonly warnings: RunWarning[]
  target(): ManifestRef | undefined
  intents(): readonly StoredIntent[]
  /** The store's time, as of the last renewal. */
  storeNow(): StoreTime
  /** Replaces target and reads in the store. */
  aim(patch: { readonly target?: ManifestRef | null; readonly reads?: readonly ManifestRef[] }, options: CallOptions): Promise<void>
  /** Changes the stored list of intents; changes are made one after the other. */
  changeIntents(change: (intents: readonly StoredIntent[]) => readonly StoredIntent[], options: CallOptions): Promise<void>
  warn(code: string, message: string): void
  end(): void
}

/** Takes up a run that `runs.take` gave us, and keeps its lease until `end`. `stopping` aborts the attempt when the engine stops. */
export function beginAttempt(parts: EngineParts, run: Run, stopping: AbortSignal): Attempt {
  const lease: Lease = { runId: run.id, attempt: run.attempt }
  const aborter = new AbortController()
  const ended = new AbortController()
  const meter = createProgressMeter({ clock: parts.clock })
  const warnings: RunWarning[] = []
  let target = run.target
  let intents: readonly StoredIntent[] = run.intents
  let storeNow = (run.leaseUntil ?? 0) - parts.leaseMs
  let writing: Promise<unknown> = Promise.resolve()
  const inTurn = <Result>(body: () => Promise<Result>): Promise<Result> => {
    const turn = writing.then(body, body)
    writing = turn.catch(() => undefined)
    return turn
  }
  const stop = () => aborter.abort(stopping.reason)
  if (stopping.aborted) stop()
  stopping.addEventListener('abort', stop, { once: true })
  parts.meters.set(run.id, meter)
  void keepLease(parts, lease, meter, ended.signal, aborter, (leaseUntil) => {
    storeNow = leaseUntil - parts.leaseMs
  })
  return {
    run,
    lease,
    mark: { system: parts.system, plan: run.planId ?? '', run: runHash(run.key), attempt: run.attempt },
    signal: aborter.signal,
    meter,
    warnings,
    target: () => target,
    intents: () => intents,
    storeNow: () => storeNow,
    aim: (patch, options) =>
      inTurn(async () => {
        await parts.store.runs.save(lease, patch, options)
        if (patch.target !== undefined) target = patch.target ?? undefined
      }),
    changeIntents: (change, options) =>
      inTurn(async () => {
        const changed = change(intents)
        await parts.store.runs.save(lease, { intents: changed }, options)
        intents = changed
      }),
    warn(code, message) {
      warnings.push({ code, message })
      parts.logger.warn(message, { code, run: run.key })
      parts.events.emit('warning', { code, message })
    },
    end() {
      ended.abort()
      stopping.removeEventListener('abort', stop)
      if (parts.meters.get(run.id) === meter) parts.meters.delete(run.id)
    },
  }
}

async function keepLease(
  parts: EngineParts,
  lease: Lease,
  meter: ProgressMeter,
  ended: AbortSignal,
  aborter: AbortController,
  renewed: (leaseUntil: StoreTime) => void,
): Promise<void> {
  for (;;) {
    try {
      await parts.clock.sleep(parts.leaseMs / 3, { signal: ended })
      const answer = await parts.store.runs.renew(lease, parts.leaseMs, meter.snapshot() as unknown as Json, { signal: ended })
      renewed(answer.leaseUntil)
      if (answer.cancel !== undefined) aborter.abort(new HoldfastError('RUN_CANCELLED', `The run was cancelled: ${answer.cancel}`))
    } catch (error) {
      if (ended.aborted) return
      if (codeOf(error) === 'STALE_LEASE') {
        aborter.abort(error)
        return
      }
      // A busy store is no reason to give up: until somebody takes over, the lease may still be renewed, and no data depends on it.
      parts.logger.warn('The lease could not be renewed; trying again.', { run: lease.runId, error: String(error) })
    }
  }
}
