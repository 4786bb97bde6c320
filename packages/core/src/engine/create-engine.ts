import { workloadKey } from '../model/names.ts'
import type { Plan } from '../model/plan.ts'
import { parsePlan } from '../model/plan.ts'
import { inProcessScheduler } from '../scheduler/in-process-scheduler.ts'
import type { CallOptions } from '../spec/blocks.ts'
import { HoldfastError } from '../spec/errors.ts'
import type { Json } from '../spec/json.ts'
import type { Run, RunRequest } from '../spec/store.ts'
import type { WorkloadRef } from '../spec/workload.ts'
import type { Engine, EngineOptions } from './engine.ts'
import { parseEngineOptions } from './engine-options.ts'
import { changePointFlags, listPoints } from './engine-points.ts'
import { runCalls } from './engine-runs.ts'
import { isIdle } from './idle.ts'
import { createLife, type EngineLife } from './life.ts'
import type { EngineParts } from './parts.ts'
import { planRequests } from './plan-runs.ts'
import { getPlan, listPlans, putPlan, tellAbsentRetention } from './plans.ts'
import { previewPrune, previewRuns } from './previews.ts'
import { resolveInput, resolvePlan, runRequest } from './requests.ts'
import { createRunHandle, joinRunHandles, type RunHandle } from './run-handle.ts'
import { knownWorkloads, selectWorkloads } from './select-workloads.ts'

const never: CallOptions = { signal: new AbortController().signal }
const idlePollMs = 20

/** What `createEngine` of the package does, see load-engine.ts. */
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
    const created = (async () => {
      life.assertNotStopped()
      return (await createRuns(parts, life, [runRequest(parts, key, resolveInput(parts, input()))]))[0] as Run
    })()
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
    async runDue(dueOptions) {
      await life.runDue({ signal: dueOptions?.signal ?? never.signal })
    },
    runPlan: (id) => runPlan(parts, life, codePlans, id),
    previewRuns: ({ until }) => alive(() => previewRuns(parts, codePlans, parseTime(until), never)),
    previewPrune: (choice) => alive(() => previewPrune(parts, choice, never)),
    restore: (workload, { key, ...request } = {}) =>
      asked(key ?? fresh('restore', workloadKey(workload)), () => ({ ...request, operation: 'restore', workload })),
    verify: ({ key, ...request }) => asked(key ?? fresh('verify', request.repository), () => ({ ...request, operation: 'verify' })),
    prune: ({ key, ...request }) => asked(key ?? fresh('prune', request.repository), () => ({ ...request, operation: 'prune' })),
    rescan: ({ key, ...request }) => asked(key ?? fresh('rescan', request.repository), () => ({ ...request, operation: 'rescan' })),
    run: ({ key, ...request }) => asked<Json>(key, () => request),
    ...runCalls(parts, life, never),
    async putPlan(id, input) {
      life.assertNotStopped()
      const plan = resolvePlan(parts, parsePlan(id, input))
      await putPlan(parts.store, id, plan, never)
      tellAbsentRetention(parts, id, plan)
      return plan
    },
    removePlan: (id) => alive(() => parts.store.plans.remove(id, never)),
    plans: () => alive(() => listPlans(parts, codePlans, never)),
    points: (filter) => alive(() => listPoints(parts, filter, never)),
    pin: (point, reason) => alive(() => changePointFlags(parts, point, { pin: reason }, never)),
    unpin: (point) => alive(() => changePointFlags(parts, point, { pin: null }, never)),
    hold: (point, until) => alive(() => changePointFlags(parts, point, { holdUntil: parseTime(until) }, never)),
    release: (point) => alive(() => changePointFlags(parts, point, { holdUntil: null }, never)),
    liftQuarantine: (point) => alive(() => changePointFlags(parts, point, { quarantine: null }, never)),
    ...healthCalls(parts, life),
    on: (name, listener) => parts.events.on(name, listener),
    off: (name, listener) => parts.events.off(name, listener),
    [Symbol.asyncDispose]: () => life.stop(30_000),
  }
}

function healthCalls(parts: EngineParts, life: EngineLife): Pick<Engine, 'status' | 'nodeHistory' | 'confirmClock'> {
  return {
    async status(options) {
      life.assertNotStopped()
      return await life.health.status(options?.details === true, never)
    },
    async nodeHistory(node, since) {
      life.assertNotStopped()
      return await life.health.history(node, parseTime(since), never)
    },
    confirmClock: () => parts.clockWatch.confirm(),
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
async function createRuns(parts: EngineParts, life: EngineLife, requests: readonly RunRequest[]): Promise<readonly Run[]> {
  life.assertNotStopped()
  const rows = await parts.store.runs.create(requests, never)
  for (const { run, created } of rows) {
    const { id, key, operation, attempt, workload, planId } = run
    const told = { id, key, operation, attempt, ...(workload !== undefined && { workload }), ...(planId !== undefined && { plan: planId }) }
    if (created) parts.events.emit('run-queued', told)
    await life.want(id)
  }
  return rows.map((row) => row.run)
}

function runPlan<Outcome>(
  parts: EngineParts,
  life: EngineLife,
  codePlans: ReadonlyMap<string, Plan>,
  id: string,
): RunHandle<readonly Outcome[]> {
  const now = parts.ids.next()
  const joined = (async () => {
    life.assertNotStopped()
    const plan = codePlans.get(id) ?? (await getPlan(parts.store, id, never))
    const known = [...codePlans.keys()].map((each) => `"${each}"`).join(', ')
    if (!plan) throw new HoldfastError('NOT_FOUND', `There is no plan "${id}". Known: ${known || 'none'}.`)
    const requests = planRequests(parts, id, plan, now, await workloadsNow(parts, id, plan))
    const runs = await createRuns(parts, life, requests)
    return runs.map((run) => ({
      workload: run.workload ?? run.key,
      handle: createRunHandle<Outcome>(parts, run.key, Promise.resolve(run)),
    }))
  })()
  return joinRunHandles(`${id}/${now}`, joined)
}

/** Somebody waits for it, so a provider that cannot be asked and a pattern that nothing fits are errors. */
async function workloadsNow(parts: EngineParts, id: string, plan: Plan): Promise<readonly WorkloadRef[]> {
  if (plan.kind === 'maintenance') return []
  if (!plan.workloads) return await knownWorkloads(parts, plan.repository, never)
  const { workloads, empty, failed } = await selectWorkloads(parts, plan.workloads, never)
  if (failed[0]) throw failed[0].error
  if (workloads.length === 0) throw new HoldfastError('NOT_FOUND', `Plan "${id}": nothing fits ${empty.join(', ')}.`)
  return workloads
}
