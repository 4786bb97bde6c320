import type { Plan } from '../model/plan.ts'
import { parsePlan } from '../model/plan.ts'
import { inProcessScheduler } from '../scheduler/in-process-scheduler.ts'
import type { CallOptions } from '../spec/blocks.ts'
import { HoldfastError } from '../spec/errors.ts'
import type { Run, RunRequest } from '../spec/store.ts'
import type { WorkloadRef } from '../spec/workload.ts'
import { type AskedRun, askedRun, checkArgument, checkWord, parseTime } from './call-arguments.ts'
import type { Engine, EngineOptions } from './engine.ts'
import { parseEngineOptions } from './engine-options.ts'
import { pointCalls } from './engine-points.ts'
import { runCalls } from './engine-runs.ts'
import { savingsCall } from './engine-savings.ts'
import { planRequests } from './firing/plan-runs.ts'
import { listPlans, putPlan, requirePlan, tellAbsentRetention } from './firing/plans.ts'
import { previewPrune, previewRuns } from './firing/previews.ts'
import { knownWorkloads, selectWorkloads } from './firing/select-workloads.ts'
import { isIdle } from './idle.ts'
import { createLife, type EngineLife } from './life.ts'
import type { EngineParts } from './parts.ts'
import { resolveInput, resolvePlan, runRequest } from './runs/requests.ts'
import { createRunHandle, joinRunHandles, type RunHandle } from './runs/run-handle.ts'
import { assertSameWork } from './runs/same-work.ts'
import { snapshotCalls } from './snapshots/snapshot-calls.ts'

const never: CallOptions = { signal: new AbortController().signal }
const idlePollMs = 20
type RunCalls = Pick<Engine, 'getRun' | 'runs' | 'cancel'>

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
  const alive = async <Result>(body: () => Promise<Result>): Promise<Result> => {
    life.assertNotStopped()
    return await body()
  }
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
    previewRuns: (choice) =>
      alive(() => {
        checkArgument('previewRuns', choice, 'previewRuns')
        return previewRuns(parts, codePlans, parseTime(choice.until, 'until', 'previewRuns'), never)
      }),
    previewPrune: (choice) =>
      alive(() => {
        checkArgument('previewPrune', choice, 'previewPrune')
        return previewPrune(parts, choice, never)
      }),
    ...orderCalls(parts, life),
    ...checkedRunCalls(runCalls(parts, life, never)),
    async putPlan(id, input) {
      life.assertNotStopped()
      checkWord(id, 'id', 'putPlan')
      const plan = resolvePlan(parts, parsePlan(id, input))
      await putPlan(parts.store, id, plan, never)
      tellAbsentRetention(parts, id, plan)
      return plan
    },
    removePlan: (id) =>
      alive(() => {
        checkWord(id, 'id', 'removePlan')
        return parts.store.plans.remove(id, never)
      }),
    plans: () => alive(() => listPlans(parts, codePlans, never)),
    ...pointCalls(parts, life, never),
    ...snapshotCalls(parts, life),
    savings: savingsCall(parts, life, codePlans, never),
    ...healthCalls(parts, life),
    on: (name, listener) => parts.events.on(name, listener),
    off: (name, listener) => parts.events.off(name, listener),
    [Symbol.asyncDispose]: () => life.stop(30_000),
  }
}

/** The calls that are runs. Everything that is wrong with what they are given comes from the handle. */
function orderCalls(
  parts: EngineParts,
  life: EngineLife,
): Pick<Engine, 'restore' | 'snapshot' | 'verify' | 'prune' | 'merge' | 'copy' | 'rescan' | 'run'> {
  const asked = <Result>({ key, order }: AskedRun, more: object = {}): RunHandle<Result> => {
    const created = (async () => {
      life.assertNotStopped()
      const request = runRequest(parts, key, resolveInput(parts, { ...order(), ...more }))
      const [run] = await createRuns(parts, life, [request])
      assertSameWork(parts, run as Run, request)
      return run as Run
    })()
    return createRunHandle<Result>(parts, key, created)
  }
  const fresh = (operation: string, where: string) => () => `${operation}/${where}/${parts.ids.next()}`
  // From JavaScript `options` may be absent: that is for the parser to say.
  const inRepository = <Result>(
    operation: 'verify' | 'prune' | 'merge' | 'copy' | 'rescan',
    options: { readonly repository: string } | undefined,
  ) => asked<Result>(askedRun(operation, options, fresh(operation, `${options?.repository}`)), { operation })
  return {
    restore: (workload, options = {}) =>
      asked(askedRun('restore', options, fresh('restore', `${workload?.provider}/${workload?.id}`)), { operation: 'restore', workload }),
    snapshot: (workload, options = {}) =>
      asked(askedRun('snapshot', options, fresh('snapshot', `${workload?.provider}/${workload?.id}`)), { operation: 'snapshot', workload }),
    verify: (options) => inRepository('verify', options),
    prune: (options) => inRepository('prune', options),
    merge: (options) => inRepository('merge', options),
    copy: (options) => inRepository('copy', options),
    rescan: (options) => inRepository('rescan', options),
    run: (order) => asked(askedRun('run', order)),
  }
}

function checkedRunCalls({ getRun, runs, cancel }: RunCalls): RunCalls {
  return {
    async getRun(idOrKey) {
      checkWord(idOrKey, 'idOrKey', 'getRun')
      return await getRun(idOrKey)
    },
    async *runs(filter = {}) {
      checkArgument('runs', filter, 'runs')
      yield* runs(filter)
    },
    async cancel(idOrKey, reason) {
      checkWord(idOrKey, 'idOrKey', 'cancel')
      return await cancel(idOrKey, reason)
    },
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
      checkWord(node, 'node', 'nodeHistory')
      return await life.health.history(node, parseTime(since, 'since', 'nodeHistory'), never)
    },
    confirmClock: () => parts.clockWatch.confirm(),
  }
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
    checkWord(id, 'id', 'runPlan')
    const plan = await requirePlan(parts, codePlans, id, never)
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
  if (plan.kind === 'verification' && !plan.workloads) return await knownWorkloads(parts, plan.repository, never)
  const { workloads, empty, failed } = await selectWorkloads(parts, plan.workloads ?? [], never)
  if (failed[0]) throw failed[0].error
  if (workloads.length === 0) throw new HoldfastError('NOT_FOUND', `Plan "${id}": nothing fits ${empty.join(', ')}.`)
  return workloads
}
