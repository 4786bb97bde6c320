import { clockSkewMs, priorityHeadStartMs, type Run } from '@holdfast/core/spec'
import { isFinal } from './create-run.ts'
import type { StoreContext } from './store-state.ts'

interface Worker {
  readonly id: string
  readonly offers: readonly string[]
  readonly only?: readonly string[]
  readonly holds?: readonly string[]
}

const rankOf = ({ dueAt, priority }: Run): number => dueAt - priority * priorityHeadStartMs
const byRank = (left: Run, right: Run): number =>
  rankOf(left) - rankOf(right) || left.dueAt - right.dueAt || left.notBefore - right.notBefore

/** Resources in use, and those an earlier run waits for: nobody behind it may have them. */
function openResources(running: readonly Run[]) {
  const used = new Map<string, number>()
  const awaited = new Set<string>()
  const use = (run: Run): void => {
    for (const { name, units } of run.resources) used.set(name, (used.get(name) ?? 0) + units)
  }
  for (const run of running) use(run)
  return {
    use,
    /** True if the run may have all its resources now. If not, it waits for those that are short. */
    free(run: Run): boolean {
      const short = run.resources.filter(({ name, units, capacity }) => (used.get(name) ?? 0) + units > capacity)
      for (const { name } of short) awaited.add(name)
      return short.length === 0 && !run.resources.some(({ name }) => awaited.has(name))
    },
  }
}

/** The choice of `take`: ended leases first, then queued runs by age, each priority a head start. Pure but for the clock. */
export function chooseRuns(context: StoreContext, worker: Worker, limit: number): readonly Run[] {
  const now = context.now()
  const active = [...context.state.runs.values()].filter((run) => !isFinal(run))
  const only = worker.only === undefined ? undefined : new Set(worker.only)
  const offers = new Set(worker.offers)
  const suits = (run: Run): boolean => (only === undefined || only.has(run.id)) && run.needs.every((need) => offers.has(need))
  const running = active.filter((run) => run.state === 'running')
  const isHeld = ({ id }: Run): boolean => worker.holds?.includes(id) === true
  const chosen = running.filter((run) => (run.leaseUntil ?? 0) <= now && suits(run) && !isHeld(run)).slice(0, Math.max(0, limit))
  const resources = openResources(running)
  for (const run of active.filter((one) => one.state === 'queued' && one.notBefore <= now).sort(byRank)) {
    if (chosen.length >= limit) break
    // Also asked for runs that another worker has to do: they must not be overtaken either.
    if (!resources.free(run) || !suits(run)) continue
    resources.use(run)
    chosen.push(run)
  }
  return chosen
}

/** What would last longer than it was set for was set by a clock that was ahead. */
function cutToLength({ state, now: clock }: StoreContext): void {
  const now = clock()
  for (const run of state.runs.values()) {
    const length = now + (state.setFor.get(run.id) ?? Number.POSITIVE_INFINITY)
    const latest = length + clockSkewMs
    if (run.state === 'running' && (run.leaseUntil ?? 0) > latest) state.runs.set(run.id, { ...run, leaseUntil: length })
    if (run.state === 'queued' && run.notBefore > latest) state.runs.set(run.id, { ...run, notBefore: length })
  }
}

export function takeRuns(context: StoreContext, worker: Worker, ttl: number, limit: number): readonly Run[] {
  cutToLength(context)
  return chooseRuns(context, worker, limit).map((run) => {
    const taken: Run = {
      ...run,
      state: 'running',
      attempt: run.attempt + 1,
      failures: run.failures + (run.state === 'running' ? 1 : 0),
      worker: worker.id,
      leaseUntil: context.now() + ttl,
    }
    context.state.runs.set(taken.id, taken)
    context.state.setFor.set(taken.id, ttl)
    return taken
  })
}
