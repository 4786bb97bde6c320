import { workloadKey } from '../model/names.ts'
import type { Plan } from '../model/plan.ts'
import { parsePlan } from '../model/plan.ts'
import type { RunInput } from '../model/run-input.ts'
import type { BackupOutcome } from '../model/run-outcome.ts'
import { runView } from '../model/run-view.ts'
import { inProcessScheduler } from '../scheduler/in-process-scheduler.ts'
import type { CallOptions } from '../spec/blocks.ts'
import { HoldfastError } from '../spec/errors.ts'
import type { Json } from '../spec/json.ts'
import type { Run } from '../spec/store.ts'
import type { Engine, EngineOptions } from './engine.ts'
import { parseEngineOptions } from './engine-options.ts'
import { changePointFlags, listPoints } from './engine-points.ts'
import { isIdle } from './idle.ts'
import { createLife, type EngineLife } from './life.ts'
import type { EngineParts } from './parts.ts'
import { getPlan, listPlans, putPlan } from './plans.ts'
import { planInput, resolveInput, resolvePlan, runRequest } from './requests.ts'
import { createRunHandle, joinRunHandles, type RunHandle } from './run-handle.ts'

const never: CallOptions = { signal: new AbortController().signal }
const idlePollMs = 20

/**
 * Composes an engine. Opens the store (which migrates it) and parses all plans, so mistakes are told here: INVALID_OPTIONS with the path, STORE_NEWER,
 * FOREIGN_HOST, DATABASE_LOCKED. Nothing runs before `start()`, except what is asked for by a call.
 */
export async function createEngine(options: EngineOptions): Promise<Engine> {
  const { parts, setIdentity, abandon } = parseEngineOptions(options)
  const codePlans = new Map<string, Plan>()
  for (const [id, input] of Object.entries(options.plans ?? {})) codePlans.set(id, resolvePlan(parts, parsePlan(id, input)))
  setIdentity(await parts.store.open(never))
  const scheduler = options.scheduler ?? inProcessScheduler({ clock: parts.clock })
  const life = createLife(parts, scheduler, { setIdentity, abandon }, codePlans)
  return assemble(parts, life, codePlans)
}

function assemble(parts: EngineParts, life: EngineLife, codePlans: ReadonlyMap<string, Plan>): Engine {
  const asked = <Result>(key: string, input: () => unknown): RunHandle<Result> => {
    const created = (async () => (await enqueue(parts, life, [{ key, input: resolveInput(parts, input()) }]))[0] as Run)()
    return createRunHandle<Result>(parts, key, created)
  }
  const alive = async <Result>(body: () => Promise<Result>): Promise<Result> => {
    life.assertNotStopped()
    return await body()
  }
  const fresh = (operation: string, where: string) => `${operation}/${where}/${parts.ids.next()}`
  return {
    start: () => life.start(),
    stop: (stopOptions) => life.stop(stopOptions?.graceMs ?? 30_000),
    recover: () => life.recover(),
    async idle(idleOptions) {
      const signal = idleOptions?.signal ?? never.signal
      life.assertNotStopped()
      while (!(await isIdle(parts, life.activeRuns(), { signal }))) await parts.clock.sleep(idlePollMs, { signal })
    },
    runPlan: (id) => runPlan(parts, life, codePlans, id),
    restore: (workload, { key, ...request } = {}) =>
      asked(key ?? fresh('restore', workloadKey(workload)), () => ({ ...request, operation: 'restore', workload })),
    verify: ({ key, ...request }) => asked(key ?? fresh('verify', request.repository), () => ({ ...request, operation: 'verify' })),
    prune: ({ key, ...request }) => asked(key ?? fresh('prune', request.repository), () => ({ ...request, operation: 'prune' })),
    rescan: ({ key, ...request }) => asked(key ?? fresh('rescan', request.repository), () => ({ ...request, operation: 'rescan' })),
    run: ({ key, ...request }) => asked<Json>(key, () => request),
    async getRun(idOrKey) {
      life.assertNotStopped()
      const run = await parts.store.runs.get(idOrKey, never)
      return run && runView(run, parts.meters.get(run.id)?.snapshot())
    },
    async putPlan(id, input) {
      life.assertNotStopped()
      const plan = resolvePlan(parts, parsePlan(id, input))
      await putPlan(parts.store, id, plan, never)
      return plan
    },
    removePlan: (id) => alive(() => parts.store.plans.remove(id, never)),
    plans: () => alive(() => listPlans(parts.store, codePlans, never)),
    points: (filter) => alive(() => listPoints(parts, filter, never)),
    pin: (point, reason) => alive(() => changePointFlags(parts, point, { pin: reason }, never)),
    unpin: (point) => alive(() => changePointFlags(parts, point, { pin: null }, never)),
    hold: (point, until) => alive(() => changePointFlags(parts, point, { holdUntil: parseTime(until) }, never)),
    release: (point) => alive(() => changePointFlags(parts, point, { holdUntil: null }, never)),
    liftQuarantine: (point) => alive(() => changePointFlags(parts, point, { quarantine: null }, never)),
    on: (name, listener) => parts.events.on(name, listener),
    off: (name, listener) => parts.events.off(name, listener),
    [Symbol.asyncDispose]: () => life.stop(30_000),
  }
}

function parseTime(text: string): number {
  // Without a zone it would mean another moment on another host, and a year of five digits could not be read back.
  const time = /^\d{4}-\d\d-\d\dT\d\d:\d\d(:\d\d(\.\d+)?)?(Z|[+-]\d\d:\d\d)$/.test(text) ? Date.parse(text) : Number.NaN
  if (Number.isNaN(time))
    throw new HoldfastError('INVALID_OPTIONS', `"${text}" is not an ISO 8601 time.`, { remedy: 'Write it like 2027-01-31T00:00:00Z.' })
  return time
}

/** Writes the runs and lets this process take them up at once. */
async function enqueue(
  parts: EngineParts,
  life: EngineLife,
  orders: readonly { readonly key: string; readonly input: RunInput }[],
): Promise<readonly Run[]> {
  life.assertNotStopped()
  const requests = orders.map(({ key, input }) => runRequest(parts, key, input))
  const rows = await parts.store.runs.create(requests, never)
  for (const { run, created } of rows) {
    if (created)
      parts.events.emit('run-queued', {
        id: run.id,
        key: run.key,
        operation: run.operation,
        attempt: run.attempt,
        ...(run.workload !== undefined && { workload: run.workload }),
      })
    await life.want(run.id)
  }
  return rows.map((row) => row.run)
}

function runPlan(parts: EngineParts, life: EngineLife, codePlans: ReadonlyMap<string, Plan>, id: string): ReturnType<Engine['runPlan']> {
  const now = parts.ids.next()
  const joined = (async () => {
    life.assertNotStopped()
    const plan = codePlans.get(id) ?? (await getPlan(parts.store, id, never))
    const known = [...codePlans.keys()].map((each) => `"${each}"`).join(', ')
    if (!plan) throw new HoldfastError('NOT_FOUND', `There is no plan "${id}". Known: ${known || 'none'}.`)
    const orders = plan.workloads.map((workload) => ({
      key: `${id}/${workloadKey(workload)}/${now}`,
      input: planInput(id, plan, workload),
    }))
    const runs = await enqueue(parts, life, orders)
    return runs.map((run) => ({
      workload: run.workload ?? run.key,
      handle: createRunHandle<BackupOutcome>(parts, run.key, Promise.resolve(run)),
    }))
  })()
  return joinRunHandles(`${id}/${now}`, joined)
}
