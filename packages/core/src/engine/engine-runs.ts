import { workloadKey } from '../model/names.ts'
import { runView } from '../model/run-view.ts'
import type { CallOptions } from '../spec/blocks.ts'
import { HoldfastError } from '../spec/errors.ts'
import type { Run } from '../spec/store.ts'
import type { Engine } from './engine.ts'
import type { EngineLife } from './life.ts'
import type { EngineParts } from './parts.ts'
import { cancelRun } from './runs/run-handle.ts'

/** What the engine says of runs, and to them, by their names: for whoever has no handle. */
export function runCalls(parts: EngineParts, life: EngineLife, options: CallOptions): Pick<Engine, 'getRun' | 'runs' | 'cancel'> {
  const viewOf = (run: Run) => runView(run, parts.meters.get(run.id)?.snapshot())
  const find = async (idOrKey: string) => {
    life.assertNotStopped()
    return await parts.store.runs.get(idOrKey, options)
  }
  return {
    async getRun(idOrKey) {
      const run = await find(idOrKey)
      return run && viewOf(run)
    },
    async *runs({ plan, workload, states } = {}) {
      life.assertNotStopped()
      const asked = {
        ...(plan !== undefined && { planId: plan }),
        ...(workload !== undefined && { workload: workloadKey(workload) }),
        ...(states !== undefined && { states }),
      }
      for await (const run of parts.store.runs.list({ ...asked, order: 'newest-first' }, options)) yield viewOf(run)
    },
    async cancel(idOrKey, reason) {
      const run = await find(idOrKey)
      if (!run) throw new HoldfastError('NOT_FOUND', `There is no run "${idOrKey}".`)
      return await cancelRun(parts, run, reason)
    },
  }
}
