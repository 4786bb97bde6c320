import { isoTime, manifestPath, parseRepositoryPath, pointOf, workloadKey } from '../../model/names.ts'
import type { PruneInput } from '../../model/run-input.ts'
import type { PruneOutcome } from '../../model/run-outcome.ts'
import type { CallOptions } from '../../spec/blocks.ts'
import { codeOf, HoldfastError } from '../../spec/errors.ts'
import { bytesOf, formatDuration } from '../../spec/helpers/index.ts'
import type { Catalog, ManifestRef, RunRequest } from '../../spec/store.ts'
import { errorText } from '../error-text.ts'
import { type EngineParts, repositoryNamed } from '../parts.ts'
import { type CatalogPoint, pointsOf, referenceOf } from '../points/catalog-view.ts'
import { removeDeadFiles, removeFlagFiles } from '../points/dead-files.ts'
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
import { strangerBecause, syncWorkload } from './rescan.ts'

const casTries = 20

/**
 * The only code that deletes committed bytes. What is condemned goes, also what an earlier prune condemned and could not finish (rule whole-list; of one
 * workload alone that is the list of its chains, which never leave it).
 */
export async function prune(parts: EngineParts, attempt: Attempt, input: PruneInput): Promise<Success> {
  const options = { signal: attempt.signal }
  await requireOwnership(parts, input.repository, options)
  const choice = input.points ? undefined : await condemnByRetention(parts, attempt, input, options)
  if (input.points) await condemnNamed(parts, attempt, input.repository, input.points, options)
  const only = input.workload && workloadKey(input.workload)
  const deleted = new Set<string>()
  let deletedBytes = 0
  for (const row of await condemnedRows(parts, input.repository, only, options)) {
    attempt.meter.step(`deleting ${row.pointId}`)
    const { live, bytes } = await deleteRow(parts, attempt, row, options)
    deletedBytes += bytes
    if (!live) deleted.add(row.pointId)
  }
  for (const point of deleted) parts.events.emit('point-deleted', { repository: input.repository, point })
  const follow = mergeRequests(parts, attempt, input.repository, choice?.merges ?? [])
  const outcome: PruneOutcome = {
    repository: input.repository,
    points: [...deleted].sort(),
    bytes: deletedBytes,
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

/** All named points are found and allowed before the first is condemned. */
async function condemnNamed(
  parts: EngineParts,
  attempt: Attempt,
  repository: string,
  points: readonly string[],
  options: CallOptions,
): Promise<void> {
  const wanted = new Set(points)
  const found = new Set<string>()
  const workloads: string[] = []
  for await (const workload of parts.store.points.workloads(repository, options)) {
    const catalog = await parts.store.points.catalog(repository, workload, options)
    for (const row of catalog.points) if (wanted.has(row.pointId)) found.add(row.pointId)
    if (planPrune(catalog, wanted, attempt.storeNow()).length > 0) workloads.push(workload)
  }
  // A second attempt of a prune that has deleted already does not find them any more.
  const unknown = points.filter((point) => !found.has(point))
  if (unknown.length > 0 && attempt.run.attempt === 1) {
    throw new HoldfastError('NOT_FOUND', `There is no point ${unknown.join(', ')} in repository "${repository}".`, {
      remedy: 'List the points, then name them by their ids.',
    })
  }
  for (const workload of workloads) {
    const plan = async (catalog: Catalog) => {
      const { broken } = await replacedNumbers(parts, attempt, catalog, wanted, options)
      const [old] = wanted.intersection(neededByOld(catalog, broken))
      if (old !== undefined) throw needed(old, 'a point was merged, its new files are not whole, and its old ones build on it')
      return { going: planPrune(catalog, wanted, attempt.storeNow()), superseded: [] }
    }
    await condemn(parts, attempt, { repository, workload, plan }, options)
  }
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

/** An old number goes only when the manifest that took its place can be read and all files that it names are there. */
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
    const repository = repositoryNamed(parts, current.repository)
    const seen = await readNumber(repository, referenceOf(current), options)
    const missing = seen.state === 'live' ? (await quickCheck(repository, seen.manifest, options).next()).value : undefined
    if (seen.state === 'live' && missing === undefined) continue
    broken.add(current.folder)
    attempt.warn('MERGE_NOT_WHOLE', `${manifestPath(current.folder, current.number)} is not whole, so the number before it stays.`)
  }
  return { superseded: superseded.filter(({ folder }) => !broken.has(folder)), broken }
}

/** Ages and days are read from clocks: one that has jumped would delete what it makes look old. */
function requireTrustedClock({ clockWatch, name }: EngineParts): void {
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

interface PrunePlan {
  /** Every number of the points that go. */
  readonly going: readonly ManifestRef[]
  /** Old numbers of points that stay. */
  readonly superseded: readonly ManifestRef[]
}

interface Condemning {
  readonly repository: string
  readonly workload: string
  /** What is to go, by the catalog as it is now. */
  readonly plan: (catalog: Catalog) => Promise<PrunePlan>
  /** Asked last: false means that what the plan was made of has changed, so it is made again. */
  readonly isStillRight?: () => Promise<boolean>
  /** A flag that only the repository knows is read into the catalog, and everything planned again; otherwise it is an error. */
  readonly relearn?: true
}

async function condemn(
  parts: EngineParts,
  attempt: Attempt,
  { repository, workload, plan: planOf, isStillRight, relearn }: Condemning,
  options: CallOptions,
): Promise<void> {
  for (let tried = 0; tried < casTries; tried++) {
    const catalog: Catalog = await parts.store.points.catalog(repository, workload, options)
    const { going, superseded } = await planOf(catalog)
    const plan = [...going, ...superseded]
    if (plan.length === 0) return
    const { repositoryId } = await requireOwnership(parts, repository, options)
    const where = { repository, workload, repositoryId }
    if (await learnUnknown(parts, attempt, { ...where, catalog, plan }, options)) continue
    try {
      await refuseFlagged(parts, repository, going, attempt.storeNow(), options)
    } catch (error) {
      if (!relearn || codeOf(error) !== 'POINT_NEEDED' || tried === casTries - 1) throw error
      await learnFlags(parts, attempt, { ...where, plan: going }, error, options)
      continue
    }
    if (isStillRight && !(await isStillRight())) continue
    if (await parts.store.points.condemn(attempt.lease, repository, workload, catalog.version, plan, options)) return
  }
  throw new HoldfastError('STORE_BUSY', `The points of ${workload} in "${repository}" change faster than they can be condemned.`)
}

async function learnFlags(
  parts: EngineParts,
  attempt: Attempt,
  { plan, ...where }: UnknownSearch & { readonly plan: readonly ManifestRef[] },
  error: unknown,
  options: CallOptions,
): Promise<void> {
  attempt.warn('CATALOG_BEHIND', `The catalog did not know a flag of ${where.workload} in "${where.repository}": ${errorText(error)}`)
  for (const home of new Set(plan.map(({ folder }) => folder.slice(0, folder.indexOf('/')))))
    await syncWorkload(parts, attempt, { ...where, home }, { added: 0, removed: 0, findings: [] }, options)
}

/**
 * The flag files decide, not only what the catalog remembers of them: a database that was rolled back may have forgotten a pin. One that is set after
 * this reading changes the catalog version, and then nothing is condemned.
 */
async function refuseFlagged(
  parts: EngineParts,
  repository: string,
  plan: readonly ManifestRef[],
  now: number,
  options: CallOptions,
): Promise<void> {
  for (const folder of new Set(plan.map((each) => each.folder))) {
    const { flags, damaged } = await readPointFlags(repositoryNamed(parts, repository), folder, options)
    const unreadable = damaged.find(({ flag }) => flag === 'pin' || flag === 'hold')
    if (unreadable) throw needed(pointOf({ folder }), `its ${unreadable.flag}.json cannot be read: ${unreadable.error.message}`)
    if (flags.pin !== undefined) throw needed(pointOf({ folder }), `it is pinned: ${flags.pin}`)
    if (flags.holdUntil !== undefined && flags.holdUntil > now)
      throw needed(pointOf({ folder }), `it is held until ${isoTime(flags.holdUntil)}`)
  }
}

interface UnknownSearch {
  readonly repository: string
  readonly workload: string
  readonly repositoryId: string
}

/**
 * A point that the catalog does not know may build on one that is to go: the database may be a copy of yesterday. So what lies in the folders is looked at
 * once more, and what is new is read into the catalog before anything is condemned. True: plan again.
 */
async function learnUnknown(
  parts: EngineParts,
  attempt: Attempt,
  seen: UnknownSearch & { readonly catalog: Catalog; readonly plan: readonly ManifestRef[] },
  options: CallOptions,
): Promise<boolean> {
  const { catalog, plan, ...where } = seen
  const inUse = catalog.inUse.filter((each) => each.repository === where.repository)
  const known = new Set([...catalog.points, ...inUse].map((each) => manifestPath(each.folder, each.number)))
  for (const home of new Set(plan.map(({ folder }) => folder.slice(0, folder.indexOf('/'))))) {
    const path = await unknownManifest(parts, { ...where, home }, known, options)
    if (path === undefined) continue
    attempt.warn(
      'CATALOG_BEHIND',
      `The catalog did not know ${path}: the points of ${where.workload} in "${where.repository}" are read again.`,
    )
    await syncWorkload(parts, attempt, { ...where, home }, { added: 0, removed: 0, findings: [] }, options)
    return true
  }
  return false
}

async function unknownManifest(
  parts: EngineParts,
  where: UnknownSearch & { readonly home: string },
  known: ReadonlySet<string>,
  options: CallOptions,
): Promise<string | undefined> {
  const { repository } = where
  const storage = repositoryNamed(parts, repository)
  for await (const { path } of storage.list(`${where.home}/`, options)) {
    const parsed = parseRepositoryPath(path)
    if (parsed.kind !== 'manifest' || known.has(path)) continue
    const seen = await readNumber(storage, { repository, folder: parsed.folder, number: parsed.number }, options)
    if (seen.state === 'live' && strangerBecause(seen.manifest, where) === undefined) return path
  }
  return undefined
}

/** With the highest number of its point that the catalog knows. */
type CondemnedRow = CatalogPoint & { readonly highest: number }

/** Children before parents (rule children-first), the numbers of one point in ascending order (rule oldest-first). */
async function condemnedRows(
  parts: EngineParts,
  repository: string,
  only: string | undefined,
  options: CallOptions,
): Promise<readonly CondemnedRow[]> {
  const rows: CondemnedRow[] = []
  for await (const workload of parts.store.points.workloads(repository, options)) {
    if (only !== undefined && workload !== only) continue
    const catalog = await parts.store.points.catalog(repository, workload, options)
    const highest = (folder: string) => Math.max(...catalog.points.filter((row) => row.folder === folder).map(({ number }) => number))
    for (const row of catalog.points) if (row.condemned) rows.push({ ...row, highest: highest(row.folder) })
  }
  return rows.sort((a, b) => b.sequence - a.sequence || a.number - b.number)
}

/** The manifest becomes an empty one (rules manifest-first, dead-number), durably; then the files that nobody names go; then the row. */
async function deleteRow(
  parts: EngineParts,
  attempt: Attempt,
  row: CondemnedRow,
  options: CallOptions,
): Promise<{ readonly live: boolean; readonly bytes: number }> {
  await requireOwnership(parts, row.repository, options)
  const repository = repositoryNamed(parts, row.repository)
  const reference: ManifestRef = referenceOf(row)
  const seen = await readNumber(repository, reference, options)
  if (seen.state !== 'dead') await repository.put(manifestPath(row.folder, row.number), bytesOf(new Uint8Array(0)), { ...options, size: 0 })
  await repository.sync(row.folder, options)
  const { live, deletedBytes } = await removeDeadFiles(repository, reference, options, row.highest)
  if (!live) await removeFlagFiles(repository, row.folder, options)
  await parts.store.points.forget(attempt.lease, [reference], options)
  return { live, bytes: deletedBytes }
}
