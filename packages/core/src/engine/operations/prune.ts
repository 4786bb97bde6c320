import { manifestPath, workloadKey } from '../../model/names.ts'
import type { PruneInput } from '../../model/run-input.ts'
import type { PruneOutcome } from '../../model/run-outcome.ts'
import type { CallOptions } from '../../spec/blocks.ts'
import { HoldfastError } from '../../spec/errors.ts'
import { formatDuration } from '../../spec/helpers/index.ts'
import type { Catalog, ManifestRef, RunRequest } from '../../spec/store.ts'
import { type EngineParts, repositoryNamed } from '../parts.ts'
import { type CatalogPoint, pointsOf, referenceOf } from '../points/catalog-view.ts'
import { decideMerges, type MergeChoice } from '../points/merge-decisions.ts'
import { requireOwnership } from '../points/ownership.ts'
import { readPointFlags } from '../points/point-flags.ts'
import { readNumber } from '../points/point-folder.ts'
import { needed, neededByOld, planPrune, supersededNumbers } from '../points/prune-plan.ts'
import { quickCheck } from '../points/quick-check.ts'
import { createPolicies, decideWorkload, type WorkloadDecisions } from '../points/retention-decisions.ts'
import type { Attempt } from '../runs/attempt.ts'
import { plainResult, type Success } from '../runs/finish.ts'
import { runRequest } from '../runs/requests.ts'
import { type AllowedPlan, type Condemning, condemn, planAllowed } from './condemn.ts'
import { deleteCondemned } from './delete-condemned.ts'

/** The only operation that deletes committed bytes: it chooses, condemns what it has chosen, and deletes what is condemned. */
export async function prune(parts: EngineParts, attempt: Attempt, input: PruneInput): Promise<Success> {
  const options = { signal: attempt.signal }
  await requireOwnership(parts, input.repository, options)
  const choice = input.points ? undefined : await condemnByRetention(parts, attempt, input, options)
  if (input.points) await condemnNamed(parts, attempt, input.repository, input.points, options)
  const only = input.workload && workloadKey(input.workload)
  const deleted = await deleteCondemned(parts, attempt, { repository: input.repository, only }, options)
  for (const point of deleted.points) parts.events.emit('point-deleted', { repository: input.repository, point })
  const follow = mergeRequests(parts, attempt, input.repository, choice?.merges ?? [])
  const outcome: PruneOutcome = {
    repository: input.repository,
    points: [...deleted.points].sort(),
    bytes: deleted.bytes,
    ...(choice && { reasons: choice.reasons, kept: choice.kept }),
    ...(follow.length > 0 && { merges: follow.map(({ key }) => key) }),
  }
  return { result: plainResult(outcome), follow }
}

/** They follow in the transaction that ends this run: whoever takes over a merge finds its own key. */
function mergeRequests(parts: EngineParts, { run }: Attempt, repository: string, merges: readonly MergeChoice[]): readonly RunRequest[] {
  return merges.map(({ point, absorb }) => ({
    ...runRequest(parts, `${run.key}/merge/${point}`, { operation: 'merge', repository, point, absorb, byRetention: true }),
    ...(run.planId !== undefined && { planId: run.planId }),
    priority: run.priority,
  }))
}

/** All named points of all workloads are found and allowed before the first is condemned: what was condemned cannot be taken back. */
async function condemnNamed(
  parts: EngineParts,
  attempt: Attempt,
  repository: string,
  points: readonly string[],
  options: CallOptions,
): Promise<void> {
  const wanted = new Set(points)
  const plan = async (catalog: Catalog) => {
    const { broken } = await replacedNumbers(parts, attempt, catalog, wanted, options)
    const [old] = wanted.intersection(neededByOld(catalog, broken))
    if (old !== undefined) throw needed(old, 'a point was merged, its new files are not whole, and its old ones build on it')
    return { going: planPrune(catalog, wanted, attempt.storeNow()), superseded: [] }
  }
  const chosen: { readonly condemning: Condemning; readonly allowed: AllowedPlan }[] = []
  for (const workload of await workloadsOf(parts, attempt, repository, wanted, options)) {
    const condemning = { repository, workload, plan }
    const allowed = await planAllowed(parts, attempt, condemning, options)
    if (allowed) chosen.push({ condemning, allowed })
  }
  for (const { condemning, allowed } of chosen) await condemn(parts, attempt, condemning, options, allowed)
}

/** Those that the points belong to. Throws NOT_FOUND for a point that is not there. */
async function workloadsOf(
  parts: EngineParts,
  attempt: Attempt,
  repository: string,
  points: ReadonlySet<string>,
  options: CallOptions,
): Promise<readonly string[]> {
  const found = new Set<string>()
  const workloads: string[] = []
  for await (const workload of parts.store.points.workloads(repository, options)) {
    const catalog = await parts.store.points.catalog(repository, workload, options)
    const here = catalog.points.filter(({ pointId }) => points.has(pointId))
    if (here.length > 0) workloads.push(workload)
    for (const { pointId } of here) found.add(pointId)
  }
  const unknown = [...points.difference(found)]
  // A second attempt of a prune that has deleted already does not find them any more.
  if (unknown.length > 0 && attempt.run.attempt === 1) {
    throw new HoldfastError('NOT_FOUND', `There is no point ${unknown.join(', ')} in repository "${repository}".`, {
      remedy: 'List the points, then name them by their ids.',
    })
  }
  return workloads
}

/** What the retention of the plans lets go, workload by workload. Why each point went is kept with the run. */
async function condemnByRetention(
  parts: EngineParts,
  attempt: Attempt,
  { repository, workload: only, replaced }: PruneInput,
  options: CallOptions,
): Promise<RetentionChoice> {
  if (!replaced) requireTrustedClock(parts)
  const unreadable = new Set<string>()
  const reasons: { [point: string]: string } = {}
  const merges: MergeChoice[] = []
  let kept = 0
  for await (const workload of parts.store.points.workloads(repository, options)) {
    if (only && workloadKey(only) !== workload) continue
    let decided: WorkloadDecisions | undefined
    let merged: readonly MergeChoice[] = []
    let policies = createPolicies(parts.store, repository)
    const plan = async (catalog: Catalog) => {
      policies = createPolicies(parts.store, repository)
      await policies.learn(catalog, options)
      decided = decideWorkload(catalog, policies.byPlan, attempt.storeNow())
      if (replaced) return { going: [], superseded: (await replacedNumbers(parts, attempt, catalog, new Set(), options)).superseded }
      merged = decideMerges(catalog, decided.decisions, policies.byPlan)
      const wanted = goingOf(decided)
      const { superseded, broken } = await replacedNumbers(parts, attempt, catalog, wanted, options)
      const going = wanted.difference(neededByOld(catalog, broken))
      return { going: planPrune(catalog, going, attempt.storeNow()), superseded }
    }
    const isStillRight = () => policies.areCurrent(options)
    await condemn(parts, attempt, { repository, workload, plan, isStillRight, relearn: true }, options)
    for (const warning of policies.warnings) unreadable.add(warning)
    for (const warning of decided?.warnings ?? []) attempt.warn(warning.code, `${workload}: ${warning.message}`)
    for (const { keep, point, reasons: why } of replaced ? [] : (decided?.decisions ?? [])) {
      if (keep) kept++
      else reasons[point.id] = why.join('; ')
    }
    merges.push(...merged)
  }
  for (const warning of unreadable) attempt.warn('PLAN_UNREADABLE', warning)
  return { reasons, kept, merges }
}

/** What retention has decided, beside what it has condemned. */
interface RetentionChoice {
  /** Why each point went. */
  readonly reasons: { readonly [point: string]: string }
  readonly kept: number
  readonly merges: readonly MergeChoice[]
}

/** An old number goes only when what took its place can be read, is not set aside as damaged, and all files that it names are there. */
async function replacedNumbers(
  parts: EngineParts,
  attempt: Attempt,
  catalog: Catalog,
  going: ReadonlySet<string>,
  options: CallOptions,
): Promise<{ readonly superseded: readonly ManifestRef[]; readonly broken: ReadonlySet<string> }> {
  const superseded = supersededNumbers(catalog, going)
  const broken = new Set<string>()
  for (const { current } of pointsOf(catalog)) {
    if (!superseded.some(({ folder }) => folder === current.folder)) continue
    const problem = await problemOf(parts, current, options)
    if (problem === undefined) continue
    broken.add(current.folder)
    attempt.warn('MERGE_NOT_WHOLE', `${manifestPath(current.folder, current.number)} ${problem}, so the number before it stays.`)
  }
  return { superseded: superseded.filter(({ folder }) => !broken.has(folder)), broken }
}

/** Why the old number of a merged point is still needed. A database that was rolled back may have forgotten a quarantine, so the file is asked too. */
async function problemOf(parts: EngineParts, current: CatalogPoint, options: CallOptions): Promise<string | undefined> {
  const repository = repositoryNamed(parts, current.repository)
  const { flags } = await readPointFlags(repository, current.folder, options)
  const quarantine = current.flags.quarantine ?? flags.quarantine
  if (quarantine !== undefined) return `is quarantined (${quarantine})`
  const seen = await readNumber(repository, referenceOf(current), options)
  const missing = seen.state === 'live' ? (await quickCheck(repository, seen.manifest, options).next()).value : undefined
  return seen.state === 'live' && missing === undefined ? undefined : 'is not whole'
}

/** Ages and days are read from clocks: one that has jumped would delete what it makes look old. */
export function requireTrustedClock({ clockWatch, name }: EngineParts): void {
  if (clockWatch.trusted()) return
  const { host, store } = clockWatch.away()
  const away = Math.abs(host) > Math.abs(store) ? { whose: `of node "${name}"`, by: host } : { whose: 'of the store', by: store }
  throw new HoldfastError(
    'CLOCK_JUMPED',
    `The clock ${away.whose} has jumped by ${formatDuration(Math.abs(away.by))}: nothing is pruned by age.`,
  )
}

const goingOf = ({ decisions }: WorkloadDecisions): ReadonlySet<string> =>
  new Set(decisions.filter(({ keep }) => !keep).map(({ point }) => point.id))
