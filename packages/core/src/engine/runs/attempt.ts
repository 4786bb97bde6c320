import type { RunWarning } from '../../model/manifest.ts'
import { highestNumber, runHash } from '../../model/names.ts'
import type { CallOptions } from '../../spec/blocks.ts'
import { HoldfastError } from '../../spec/errors.ts'
import type { Mark } from '../../spec/run-context.ts'
import type { Lease, ManifestRef, Run, StoredIntent, StoreTime } from '../../spec/store.ts'
import { createProgressMeter, type ProgressMeter } from '../../transfer/index.ts'
import type { EngineParts } from '../parts.ts'
import { cancelled, createHold, type Hold, keepLease } from './hold.ts'

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
  /** The store's time: as of the last renewal, and what has passed since. */
  storeNow(): StoreTime
  /** Replaces target and reads in the store. Throws POINT_DAMAGED for a number above the highest there is. */
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
  let renewed = { store: (run.leaseUntil ?? 0) - parts.leaseMs, monotonic: parts.clock.monotonic() }
  const inTurn = createTurns()
  const stop = () => aborter.abort(stopping.reason)
  if (stopping.aborted) stop()
  const hold = createHold(parts, lease, meter, (leaseUntil) => {
    renewed = { store: leaseUntil - parts.leaseMs, monotonic: parts.clock.monotonic() }
  })
  const unregister = register(parts, run.id, { meter, hold, cancel: (reason) => aborter.abort(cancelled(reason)) })
  const listening = [onAbort(stopping, stop), onAbort(parts.gone, () => ended.abort(parts.gone.reason))]
  void keepLease(parts, lease, hold, ended.signal, aborter)
  return {
    run,
    lease,
    mark: { system: parts.system, plan: run.planId ?? '', run: runHash(run.key), attempt: run.attempt },
    signal: aborter.signal,
    meter,
    warnings,
    target: () => target,
    intents: () => intents,
    storeNow: () => renewed.store + Math.max(0, Math.round(parts.clock.monotonic() - renewed.monotonic)),
    aim: (patch, options) =>
      inTurn(async () => {
        if (patch.target) refuseBeyond(patch.target)
        await parts.store.runs.save(lease, patch, options)
        if (patch.target !== undefined) target = patch.target ?? undefined
        await hold.prove(options)
      }),
    changeIntents: (change, options) =>
      inTurn(async () => {
        const changed = change(intents)
        await parts.store.runs.save(lease, { intents: changed }, options)
        intents = changed
        await hold.prove(options)
      }),
    warn(code, message) {
      warnings.push({ code, message })
      parts.logger.warn(message, { code, run: run.key })
      parts.events.emit('warning', { code, message })
    },
    end() {
      ended.abort()
      // Whatever a provider has opened and forgotten goes too.
      aborter.abort(new HoldfastError('ABORTED', 'The attempt has ended.'))
      for (const leave of listening) leave()
      unregister()
    },
  }
}

/** Nobody would see what is written under such a number. */
function refuseBeyond({ folder, number }: ManifestRef): void {
  if (number <= highestNumber) return
  throw new HoldfastError(
    'POINT_DAMAGED',
    `Nothing can be written to ${folder} any more: number ${highestNumber}, the last one, is taken.`,
    {
      remedy:
        'Look at the files with the highest numbers in that folder: Holdfast needs a few from 1 on. Take away what does not belong there, then try again.',
    },
  )
}

/** What this process can ask of its own attempts. Returns how to be asked no longer: a later attempt of the same run may be there already. */
function register(
  parts: EngineParts,
  runId: string,
  { meter, hold, cancel }: { readonly meter: ProgressMeter; readonly hold: Hold; readonly cancel: (reason: string) => void },
): () => void {
  parts.meters.set(runId, meter)
  parts.holds.set(runId, hold.keep)
  parts.cancels.set(runId, cancel)
  return () => {
    if (parts.meters.get(runId) === meter) parts.meters.delete(runId)
    if (parts.holds.get(runId) === hold.keep) parts.holds.delete(runId)
    if (parts.cancels.get(runId) === cancel) parts.cancels.delete(runId)
  }
}

/** Returns how to listen no longer. */
function onAbort(signal: AbortSignal, action: () => void): () => void {
  signal.addEventListener('abort', action, { once: true })
  return () => signal.removeEventListener('abort', action)
}

/** Bodies one after the other, whatever became of those before. */
function createTurns(): <Result>(body: () => Promise<Result>) => Promise<Result> {
  let last: Promise<unknown> = Promise.resolve()
  return (body) => {
    const turn = last.then(body, body)
    last = turn.catch(() => undefined)
    return turn
  }
}
