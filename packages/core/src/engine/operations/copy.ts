import { basename } from 'node:path/posix'
import { planCopy } from '../../chain/plan-merge.ts'
import { diskEntryOf } from '../../model/disk-entries.ts'
import type { DiskItem, Manifest, ManifestItem } from '../../model/manifest.ts'
import { sumsFileName } from '../../model/manifest-files.ts'
import { workloadKey } from '../../model/names.ts'
import { pointSummary } from '../../model/point-row.ts'
import type { CopyInput } from '../../model/run-input.ts'
import type { CopyOutcome } from '../../model/run-outcome.ts'
import type { CallOptions } from '../../spec/blocks.ts'
import { codeOf, HoldfastError } from '../../spec/errors.ts'
import { bytesOf } from '../../spec/helpers/index.ts'
import type { Catalog, ManifestRef } from '../../spec/store.ts'
import { layersOf } from '../../transfer/disk-layers.ts'
import { copyStream, putFile, rewriteDisk, sha256SumsOf } from '../../transfer/index.ts'
import { type EngineParts, repositoryNamed } from '../parts.ts'
import { brokenLink, type ChainLink, readChain } from '../points/base-chain.ts'
import { chainOf, isGood, type PointView, pointsOf, referenceOf } from '../points/catalog-view.ts'
import { copyChoices, namedChoices, sequenceThere } from '../points/copy-choices.ts'
import { requireOwnership, requireRepository } from '../points/ownership.ts'
import { changeFlags } from '../points/point-flags.ts'
import { createPolicies } from '../points/retention-decisions.ts'
import type { Attempt } from '../runs/attempt.ts'
import { plainResult, type Success } from '../runs/finish.ts'
import { commit } from './commit.ts'
import { type FormerPoint, formerNames } from './copy-former-names.ts'
import { syncWorkload } from './rescan.ts'
import { adoptWritten, readingOf, rewrittenManifest, surveyPoint, verifiedOnDamage } from './rewriting.ts'

const looks = 5

/** One point on its way from one repository to another. */
interface Ground {
  readonly target: ManifestRef
  /** Where it is: the point first, then all it builds on. */
  readonly from: readonly [ChainLink, ...ChainLink[]]
  /** Points where it goes that it may build on, by their ids, with all that those build on. */
  readonly there: ReadonlyMap<string, Manifest>
  /** Its place among the points where it goes. */
  readonly sequence: number
  /** It was there and set aside: its new files are read and compared on the way. */
  readonly replacesBad: boolean
  /** What it was there: its children name the files that it had. */
  readonly former: FormerPoint
}

/**
 * Copies one point of a workload, the oldest that is wanted and not there yet; a run that follows copies the next one. A disk builds on the newest point of
 * its chain that is there already (rule parents-first-copy); what lies between is written into it. Each byte is verified while it is copied.
 */
export async function copy(parts: EngineParts, attempt: Attempt, input: CopyInput): Promise<Success> {
  const options = { signal: attempt.signal }
  if (await isGoneMeanwhile(parts, attempt, input, options)) return nothingToDo(input)
  await requireRepository(parts, input.from, options)
  const { repositoryId } = await requireOwnership(parts, input.repository, options)
  const ground = await aimAtCopy(parts, attempt, input, repositoryId, options)
  if ('success' in ground) return ground.success
  const { target, from, there, sequence, replacesBad } = ground
  const current = from[0].manifest
  attempt.meter.step(`copying ${current.point}`)
  const items: ManifestItem[] = []
  const suspects = [
    { repository: input.from, points: [current.point] },
    { repository: input.repository, points: [...there.keys()] },
  ]
  for (const item of current.items)
    items.push(await verifiedOnDamage(parts, attempt, suspects, () => copyItem(parts, attempt, input, ground, item)))
  await putSums(parts, attempt, input, target, items)
  // What was read of the point as it was says nothing of its new files.
  if (replacesBad) await changeFlags(parts, target, { verifiedAt: null }, options)
  const manifest = rewrittenManifest(parts, attempt, { by: 'copy', target, repositoryId, from: current, sequence, items })
  const success = await commit(parts, attempt, target, manifest)
  // Not before: until then the files that were found bad are the point. Whoever dies here leaves a good point set aside, which the next copy by name finds.
  if (replacesBad) await changeFlags(parts, target, { quarantine: null }, options)
  return success
}

/** What a plan wanted copied may have been deleted since. A person who asks for a copy of nothing has mistyped. */
const isPlanned = ({ run }: Attempt, { points }: CopyInput): boolean => run.planId !== undefined && points === undefined

async function isGoneMeanwhile(parts: EngineParts, attempt: Attempt, input: CopyInput, options: CallOptions): Promise<boolean> {
  if (!isPlanned(attempt, input)) return false
  return pointsOf(await parts.store.points.catalog(input.from, workloadKey(input.workload), options)).length === 0
}

/** Saves target and reads. What was condemned or has come since it was looked up is looked up again. */
async function aimAtCopy(
  parts: EngineParts,
  attempt: Attempt,
  input: CopyInput,
  repositoryId: string,
  options: CallOptions,
): Promise<Ground | { readonly success: Success }> {
  const workload = workloadKey(input.workload)
  for (let look = 1; ; look++) {
    const source = pointsOf(await parts.store.points.catalog(input.from, workload, options))
    const catalog = await parts.store.points.catalog(input.repository, workload, options)
    if (source.length === 0 && isPlanned(attempt, input)) return { success: nothingToDo(input) }
    if (source.length === 0 && catalog.points.length === 0)
      throw new HoldfastError('NOT_FOUND', `There is no point of ${workload} in repository "${input.from}".`, {
        remedy: `List the points with engine.points({ repository: "${input.from}" }); of a repository that another catalog owns, rescan first.`,
      })
    const point = madeBy(attempt.run.key, catalog) ?? (await nextPoint(parts, attempt, input, source, catalog, options))
    if (!point) return { success: nothingToDo(input) }
    const { folder, pointId } = point.current
    const { committed, hasDamaged, next } = await surveyPoint(parts, catalog, { repository: input.repository, folder }, options)
    if (committed?.manifest.rewritten?.runKey === attempt.run.key)
      return { success: await adoptWritten(parts, attempt, committed, options) }
    const isBad = pointsOf(catalog).some(({ current }) => current.pointId === pointId)
    if (committed && !isBad) {
      // The database may be a copy of yesterday: what lies there is read, and then nothing needs to be copied.
      if (look >= looks) throw new HoldfastError('NUMBER_TAKEN', `"${input.repository}" holds ${folder} already, or it is being deleted.`)
      attempt.warn('CATALOG_BEHIND', `The catalog did not know ${folder} in "${input.repository}".`)
      const where = { repository: input.repository, workload, repositoryId, home: folder.slice(0, folder.indexOf('/')) }
      await syncWorkload(parts, attempt, where, { added: 0, removed: 0, findings: [] }, options)
      continue
    }
    const chain = (chainOf(source, pointId) ?? []).map(reference)
    const base = basesThere(source, pointId, pointsOf(catalog)).map(reference)
    try {
      await attempt.aim({ target: { repository: input.repository, folder, number: next }, reads: [...chain, ...base] }, options)
    } catch (error) {
      if (codeOf(error) !== 'POINT_CONDEMNED' || look >= looks) throw error
      continue
    }
    const [first, ...rest] = (await readChain(parts, chain, options)) ?? []
    const links = await readChain(parts, base, options)
    if (first && links) {
      const there = new Map(links.map(({ manifest }) => [manifest.point, manifest]))
      return {
        target: { repository: input.repository, folder, number: next },
        from: [first, ...rest],
        there,
        sequence: sequenceThere(source, pointsOf(catalog), point),
        replacesBad: isBad,
        former: { isUnknown: hasDamaged || (isBad && !committed), ...(committed && { manifest: committed.manifest }) },
      }
    }
    if (look >= looks) throw await notWhole(parts, pointId, [...chain, ...base], options)
  }
}

async function notWhole(parts: EngineParts, point: string, chain: readonly ManifestRef[], options: CallOptions): Promise<HoldfastError> {
  const broken = await brokenLink(parts, chain, options)
  const why = broken?.problem ?? 'a manifest of its chain could not be read a moment ago'
  return new HoldfastError('POINT_DAMAGED', `Point ${point} is not copied: ${why}.`, broken ? { details: { file: broken.file } } : {})
}

/** After a rollback of the database a run that had ended runs again, and would take the point after the one that it copied. */
function madeBy(runKey: string, catalog: Catalog): PointView | undefined {
  return pointsOf(catalog).find(({ current }) => pointSummary(current).copiedBy === runKey)
}

const reference = ({ current }: PointView): ManifestRef => referenceOf(current)

/** What the point builds on and is there too, with everything that needs there. */
function basesThere(source: readonly PointView[], pointId: string, there: readonly PointView[]): readonly PointView[] {
  const ancestors = (chainOf(source, pointId) ?? []).slice(1).map(({ current }) => current.pointId)
  return [...new Set(ancestors.filter((id) => isGood(there, id)).flatMap((id) => chainOf(there, id) ?? []))]
}

async function nextPoint(
  parts: EngineParts,
  attempt: Attempt,
  input: CopyInput,
  source: readonly PointView[],
  catalog: Catalog,
  options: CallOptions,
): Promise<PointView | undefined> {
  const there = pointsOf(catalog)
  if (!input.points) {
    const policies = createPolicies(parts.store, input.repository)
    await policies.learn({ ...catalog, points: source.map(({ current }) => current) }, options)
    return copyChoices(source, there, policies.byPlan, attempt.storeNow())[0]
  }
  const unknown = input.points.filter((id) => ![...source, ...there].some(({ current }) => current.pointId === id))
  if (unknown.length > 0) {
    throw new HoldfastError('NOT_FOUND', `There is no point ${unknown.join(', ')} in repository "${input.from}".`, {
      remedy: 'List the points, then name them by their ids.',
    })
  }
  if (input.turn === 1) tellHeld(attempt, input, there, input.points)
  return input.turn > input.points.length ? undefined : namedChoices(source, there, input.points)[0]
}

/** Whoever names a point may know of damage that the catalog does not. */
function tellHeld(attempt: Attempt, { repository }: CopyInput, there: readonly PointView[], points: readonly string[]): void {
  const held = points.filter((id) => isGood(there, id))
  if (held.length === 0) return
  const first = `"${repository}" holds ${held.join(', ')} already, and nothing is known against it, so it is not copied.`
  attempt.warn('ALREADY_THERE', `${first} If its files are damaged, verify it there first: what is found bad is copied anew.`)
}

function nothingToDo({ repository }: CopyInput): Success {
  const result: CopyOutcome = { repository, stored: 0 }
  return { result: plainResult(result) }
}

async function copyItem(parts: EngineParts, attempt: Attempt, input: CopyInput, ground: Ground, item: ManifestItem): Promise<ManifestItem> {
  const options = { signal: attempt.signal }
  const { target, former } = ground
  // What it replaces where it comes from has no meaning where it goes.
  const { replaces: _, ...made } = await copyBytes(parts, attempt, input, ground, item)
  const entry = diskEntryOf(made)
  const to = { ...target, storage: repositoryNamed(parts, input.repository) }
  const replaces = entry ? await formerNames(to, former, entry, options) : []
  return replaces.length > 0 ? { ...made, replaces } : made
}

async function copyBytes(
  parts: EngineParts,
  attempt: Attempt,
  input: CopyInput,
  { target, from, there }: Ground,
  item: ManifestItem,
): Promise<ManifestItem> {
  const options = { signal: attempt.signal }
  const reading = readingOf(parts, attempt, input.from)
  const to = { ...target, repository: repositoryNamed(parts, input.repository) }
  const current = from[0].manifest
  if (item.type === 'stream') return await copyStream(current, item, reading, to, options)
  const chain = layersOf(current, item.disk.key, new Map(from.map(({ manifest }) => [manifest.point, manifest])))
  const { layers, parent } = planCopy(chain, there)
  const rest = parent ? layersOf(parent, item.disk.key, there) : []
  const names = { file: basename(item.file.path), sums: basename(item.sums.path) }
  return await rewriteDisk({ layers, rest, reading, target: to, names, reason: copyReason(item, layers.length) }, options)
}

function copyReason({ reason }: DiskItem, layers: number): string {
  return layers === 1 ? reason : `copied together with ${layers === 2 ? 'the point' : `the ${layers - 1} points`} before it`
}

async function putSums(
  parts: EngineParts,
  attempt: Attempt,
  input: CopyInput,
  target: ManifestRef,
  items: readonly ManifestItem[],
): Promise<void> {
  const content = sha256SumsOf(items, target.number)
  if (content === undefined) return
  const bytes = Buffer.from(content)
  const scope = readingOf(parts, attempt, input.from).scope(sumsFileName, { signal: attempt.signal })
  try {
    const to = { ...target, repository: repositoryNamed(parts, input.repository) }
    await putFile(to, sumsFileName, bytesOf(bytes), scope, bytes.length)
  } finally {
    scope.close()
  }
}
