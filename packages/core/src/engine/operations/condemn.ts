import { isoTime, manifestPath, parseRepositoryPath, pointOf } from '../../model/names.ts'
import type { CallOptions } from '../../spec/blocks.ts'
import { codeOf, HoldfastError } from '../../spec/errors.ts'
import type { Catalog, ManifestRef } from '../../spec/store.ts'
import { errorText } from '../error-text.ts'
import { type EngineParts, repositoryNamed } from '../parts.ts'
import { requireOwnership } from '../points/ownership.ts'
import { readPointFlags } from '../points/point-flags.ts'
import { readNumber } from '../points/point-folder.ts'
import { needed } from '../points/prune-plan.ts'
import type { Attempt } from '../runs/attempt.ts'
import { strangerBecause, syncWorkload } from './rescan.ts'

const casTries = 20

export interface PrunePlan {
  /** Every number of the points that go. */
  readonly going: readonly ManifestRef[]
  /** Old numbers of points that stay. */
  readonly superseded: readonly ManifestRef[]
}

export interface Condemning {
  readonly repository: string
  readonly workload: string
  /** What is to go, by the catalog as it is now. */
  readonly plan: (catalog: Catalog) => Promise<PrunePlan>
  /** Asked last: false means that what the plan was made of has changed, so it is made again. */
  readonly isStillRight?: () => Promise<boolean>
  /** A flag that only the repository knows is read into the catalog, and everything planned again; otherwise it is an error. */
  readonly relearn?: true
}

/** What may go by one catalog, and nothing but that one. */
export interface AllowedPlan {
  readonly catalog: Catalog
  readonly plan: readonly ManifestRef[]
}

/**
 * What is to go, found and allowed, also by what only the repository knows; undefined: nothing. Nothing is condemned yet. Throws POINT_NEEDED and what the plan
 * throws.
 */
export async function planAllowed(
  parts: EngineParts,
  attempt: Attempt,
  { repository, workload, plan: planOf, relearn }: Condemning,
  options: CallOptions,
): Promise<AllowedPlan | undefined> {
  for (let tried = 0; tried < casTries; tried++) {
    const catalog: Catalog = await parts.store.points.catalog(repository, workload, options)
    const { going, superseded } = await planOf(catalog)
    const plan = [...going, ...superseded]
    // Beside a row that an earlier prune could not delete a manifest may have been mended, and its point be there again.
    const looked = [...plan, ...catalog.points.filter(({ condemned }) => condemned)]
    if (looked.length === 0) return undefined
    const { repositoryId } = await requireOwnership(parts, repository, options)
    const where = { repository, workload, repositoryId }
    if (await learnUnknown(parts, attempt, { ...where, catalog, plan: looked }, options)) continue
    if (plan.length === 0) return undefined
    try {
      await refuseFlagged(parts, repository, going, attempt.storeNow(), options)
    } catch (error) {
      if (!relearn || codeOf(error) !== 'POINT_NEEDED' || tried === casTries - 1) throw error
      await learnFlags(parts, attempt, { ...where, plan: going }, error, options)
      continue
    }
    return { catalog, plan }
  }
  throw changesTooFast(repository, workload)
}

/** Chosen in the store, irrevocably and against the catalog that the choice was made from (rules condemn-first, condemn-cas). `first`: a plan made before. */
export async function condemn(
  parts: EngineParts,
  attempt: Attempt,
  condemning: Condemning,
  options: CallOptions,
  first?: AllowedPlan,
): Promise<void> {
  const { repository, workload, isStillRight } = condemning
  let allowed = first
  for (let tried = 0; tried < casTries; tried++) {
    allowed ??= await planAllowed(parts, attempt, condemning, options)
    if (!allowed) return
    const { catalog, plan } = allowed
    allowed = undefined
    if (isStillRight && !(await isStillRight())) continue
    if (await parts.store.points.condemn(attempt.lease, repository, workload, catalog.version, plan, options)) return
  }
  throw changesTooFast(repository, workload)
}

const changesTooFast = (repository: string, workload: string): HoldfastError =>
  new HoldfastError('STORE_BUSY', `The points of ${workload} in "${repository}" change faster than they can be condemned.`)

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
