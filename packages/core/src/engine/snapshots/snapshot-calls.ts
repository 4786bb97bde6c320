import { workloadKey } from '../../model/names.ts'
import type { CallOptions } from '../../spec/blocks.ts'
import { HoldfastError } from '../../spec/errors.ts'
import type { Snapshot } from '../../spec/provider.ts'
import type { WorkloadRef } from '../../spec/workload.ts'
import { checkArgument, checkWord } from '../call-arguments.ts'
import type { Engine, SnapshotInfo } from '../engine.ts'
import type { EngineLife } from '../life.ts'
import type { EngineParts } from '../parts.ts'
import { snapshotAbility } from './snapshot-ability.ts'

/** What people ask of the snapshots that a platform has. Taking one is a run: see operations/snapshot.ts. */
export function snapshotCalls(parts: EngineParts, life: EngineLife): Pick<Engine, 'snapshots' | 'revertToSnapshot' | 'removeSnapshot'> {
  const limits = (given: Partial<CallOptions> | undefined): CallOptions => ({
    signal: given?.signal ? AbortSignal.any([given.signal, parts.gone]) : parts.gone,
  })
  const check = (call: string, workload: WorkloadRef, snapshot?: { readonly id: string }) => {
    life.assertNotStopped()
    checkArgument('workload', workload, call)
    if (snapshot) checkWord(snapshot.id, 'snapshot', call)
  }
  return {
    async snapshots(workload, given) {
      check('snapshots', workload)
      const all = await snapshotAbility(parts, workload.provider).list(workload.id, limits(given))
      return all.map((each) => infoOf(parts, each)).reverse()
    },
    async revertToSnapshot(workload, snapshot, given) {
      check('revertToSnapshot', workload, { id: snapshot })
      const options = limits(given)
      await refuseAtWork(parts, workload, options)
      parts.logger.info(`${workloadKey(workload)} goes back to snapshot ${snapshot}, as asked.`)
      await snapshotAbility(parts, workload.provider).revert(workload.id, snapshot, options)
    },
    async removeSnapshot(workload, snapshot, given) {
      check('removeSnapshot', workload, { id: snapshot })
      const options = limits(given)
      await refuseAtWork(parts, workload, options)
      const ability = snapshotAbility(parts, workload.provider)
      const all = await ability.list(workload.id, options)
      const found = all.find(({ id }) => id === snapshot)
      if (!found) return refuseName(workload, all, snapshot)
      if (!isOurs(parts, found)) throw foreign(workload, found)
      await ability.remove(workload.id, snapshot, options)
    },
  }
}

const isOurs = ({ system }: EngineParts, { mark }: Snapshot): boolean => mark?.system === system

function infoOf(parts: EngineParts, snapshot: Snapshot): SnapshotInfo {
  const { mark, ...about } = snapshot
  const ours = isOurs(parts, snapshot)
  return { ...about, ours, ...(ours && mark?.plan ? { plan: mark.plan } : {}) }
}

/** An id that nothing has is of a snapshot that is gone. A name is a mistake: whoever gave it would think that it is gone. */
function refuseName(workload: WorkloadRef, all: readonly Snapshot[], given: string): void {
  const ids = all.filter(({ name }) => name === given).map(({ id }) => id)
  if (ids.length === 0) return
  throw new HoldfastError(
    'INVALID_OPTIONS',
    `"${given}" is the name of a snapshot of ${workloadKey(workload)}, not its id: nothing was removed.`,
    {
      remedy: `Give its id: ${ids.join(', ')}.`,
    },
  )
}

function foreign(workload: WorkloadRef, { id, name }: Snapshot): HoldfastError {
  const message = `Snapshot "${name}" (${id}) of ${workloadKey(workload)} was not made by this system, so it is not removed.`
  return new HoldfastError('INVALID_OPTIONS', message, {
    remedy: 'Remove it with the tools of the platform. Which are ours: engine.snapshots(workload).',
  })
}

/** A courtesy to what is at work: it would read or write something else from here on. */
async function refuseAtWork(parts: EngineParts, workload: WorkloadRef, options: CallOptions): Promise<void> {
  for await (const { key, operation } of parts.store.runs.list({ workload: workloadKey(workload), states: ['running'] }, options))
    throw new HoldfastError('IN_USE', `${workloadKey(workload)} is being worked on by the ${operation} run ${key}.`, {
      remedy: `Wait for its end, or cancel it: engine.cancel(${JSON.stringify(key)}).`,
    })
}
