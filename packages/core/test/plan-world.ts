import {
  countingIds,
  type FakeClock,
  fakeClock,
  memoryPlatform,
  memoryRepository,
  memoryStore,
  recordingLogger,
  scriptedProvider,
  seededRandom,
} from '@holdfast/testkit'
import { createEngine } from '../src/engine/create-engine.ts'
import type { Engine, EngineOptions } from '../src/engine/engine.ts'
import type { BackupPlanInput, PlanInput } from '../src/model/plan.ts'
import type { Run } from '../src/spec/index.ts'

export const minute = 60_000
export const hour = 60 * minute
export const day = 24 * hour
export const options = { signal: new AbortController().signal }

/** Memory plug-ins on one clock that stands still at midnight UTC of 20 November 2026, and engines on them. */
export function planWorld(shape: 'tarVolume' | 'ovirtLike' = 'tarVolume', more: readonly string[] = []) {
  const clock = fakeClock({ start: Date.UTC(2026, 10, 20) })
  const platform = memoryPlatform({ random: seededRandom(7), clock })
  const store = memoryStore({ clock, ids: countingIds('s') })
  const provider = scriptedProvider(platform, { shape, name: 'p' })
  const repositories = Object.fromEntries(['main', ...more].map((name) => [name, memoryRepository({ clock })]))
  const engines: Engine[] = []
  async function make(plans: { readonly [id: string]: PlanInput }, more: Partial<EngineOptions> = {}) {
    const common = {
      name: 'node-a',
      store,
      repositories,
      providers: { p: provider },
      logger: recordingLogger(),
      clock,
      ids: countingIds('e'),
    }
    const engine = await createEngine({ ...common, plans, ...more })
    engines.push(engine)
    return engine
  }
  /** All, or those of one operation, in the order in which they were made. */
  async function runs(operation?: string): Promise<readonly Run[]> {
    const found: Run[] = []
    for await (const run of store.runs.list({}, options)) if (operation === undefined || run.operation === operation) found.push(run)
    return found
  }
  async function close(): Promise<void> {
    for (const engine of engines.splice(0)) await clock.runUntil(engine.stop({ graceMs: 1 }))
  }
  return { clock, platform, store, provider, make, runs, close }
}

/** A backup plan of one workload, every day at 02:30 UTC. */
export const nightly = (id: string, more: Partial<BackupPlanInput> = {}): BackupPlanInput => ({
  kind: 'backup',
  repository: 'main',
  workloads: [{ provider: 'p', id }],
  // Threads that compress would let a fake clock run on meanwhile.
  compression: 'none',
  schedule: { type: 'simple', every: 'day', at: '02:30' },
  ...more,
})

/** Step by step, so that what a step wakes has ended before the next one. */
export async function pass(clock: FakeClock, milliseconds: number, step = 10 * minute): Promise<void> {
  for (let done = 0; done < milliseconds; done += step) await clock.advance(step)
}
