import { basename } from 'node:path/posix'
import { type DiskMerge, mergeReason, planMerge } from '../../chain/plan-merge.ts'
import type { DiskItem, Manifest } from '../../model/manifest.ts'
import type { MergeInput } from '../../model/run-input.ts'
import type { MergeOutcome } from '../../model/run-outcome.ts'
import type { CallOptions } from '../../spec/blocks.ts'
import { codeOf, HoldfastError } from '../../spec/errors.ts'
import type { Catalog, ManifestRef } from '../../spec/store.ts'
import { layersOf } from '../../transfer/disk-layers.ts'
import { rewriteDisk } from '../../transfer/index.ts'
import { type EngineParts, repositoryNamed } from '../parts.ts'
import { brokenLink, type ChainLink, readChain } from '../points/base-chain.ts'
import { chainOf, type PointView, pointsOf, referenceOf } from '../points/catalog-view.ts'
import { requireOwnership } from '../points/ownership.ts'
import { changeFlags } from '../points/point-flags.ts'
import type { Attempt } from '../runs/attempt.ts'
import { plainResult, type Success } from '../runs/finish.ts'
import { commit } from './commit.ts'
import { syncWorkload } from './rescan.ts'
import { adoptWritten, readingOf, rewrittenManifest, surveyPoint, verifiedOnDamage } from './rewriting.ts'

const looks = 5

/** The point as it is now, with everything it builds on. */
interface Ground {
  readonly target: ManifestRef
  readonly current: Manifest
  /** The point first. */
  readonly chain: readonly ChainLink[]
}

/**
 * Writes the disks of a point together with what they build on, under a new number of that point (rule merge-new-number). It deletes nothing: the old number
 * is the point until the new manifest is there, and what it needs stays until prune finds nobody who reads it.
 */
export async function merge(parts: EngineParts, attempt: Attempt, input: MergeInput): Promise<Success> {
  const options = { signal: attempt.signal }
  const { repositoryId } = await requireOwnership(parts, input.repository, options)
  const ground = await aimAtNewNumber(parts, attempt, input, repositoryId, options)
  if ('success' in ground) return ground.success
  const { target, current, chain } = ground
  const byPoint = new Map(chain.map(({ manifest }) => [manifest.point, manifest]))
  const disks = current.items.filter((item): item is DiskItem => item.type === 'disk')
  const plan = planMerge(
    disks.map(({ disk }) => layersOf(current, disk.key, byPoint)),
    input.absorb && new Set(input.absorb),
  )
  if (!input.byRetention) requireInReach(input, plan)
  const rewritten = new Map<DiskItem, DiskItem>()
  const repository = repositoryNamed(parts, input.repository)
  const reading = readingOf(parts, attempt, input.repository)
  for (const each of plan) {
    if (each.layers.length === 1) continue
    const { disk, file, sums, replaces = [] } = each.disk
    attempt.meter.step(`merging ${disk.name} with ${each.layers.length - 1} older ${each.layers.length === 2 ? 'point' : 'points'}`)
    const names = { file: basename(file.path), sums: basename(sums.path) }
    const rewrite = { ...each, reading, names, reason: mergeReason(each), target: { ...target, repository } }
    const suspects = [{ repository: input.repository, points: [input.point] }]
    const made = await verifiedOnDamage(parts, attempt, suspects, () => rewriteDisk(rewrite, options))
    rewritten.set(each.disk, { ...made, replaces: [...replaces, file.path] })
  }
  if (rewritten.size === 0) return nothingToDo(input, current)
  // What was read of the point as it was says nothing of its new files.
  await changeFlags(parts, target, { verifiedAt: null }, options)
  const items = current.items.map((item) => (item.type === 'disk' ? (rewritten.get(item) ?? item) : item))
  return await commit(
    parts,
    attempt,
    target,
    rewrittenManifest(parts, attempt, { by: 'merge', target, repositoryId, from: current, items }),
  )
}

/** Saves target and reads. What was condemned, or has got a new number since it was looked up, is looked up again. */
async function aimAtNewNumber(
  parts: EngineParts,
  attempt: Attempt,
  input: MergeInput,
  repositoryId: string,
  options: CallOptions,
): Promise<Ground | { readonly success: Success }> {
  for (let look = 1; ; look++) {
    const found = await findPoint(parts, input, options)
    if (!found) return { success: pointIsGone(input) }
    const { current } = found.point
    const survey = await surveyPoint(parts, found.catalog, current, options)
    const committed = survey.committed
    if (committed?.manifest.rewritten?.runKey === attempt.run.key)
      return { success: await adoptWritten(parts, attempt, committed, options) }
    if (committed?.reference.number !== current.number && look < looks) {
      // The database may be a copy of yesterday: what it does not know may be needed.
      attempt.warn('CATALOG_BEHIND', `The catalog did not know the newest number of ${current.pointId} in "${input.repository}".`)
      const home = current.folder.slice(0, current.folder.indexOf('/'))
      const where = { repository: input.repository, workload: current.workload, repositoryId, home }
      await syncWorkload(parts, attempt, where, { added: 0, removed: 0, findings: [] }, options)
      continue
    }
    if (!input.byRetention) requireKnown(input, found)
    const target = { repository: input.repository, folder: current.folder, number: survey.next }
    const chain = chainOf(found.points, current.pointId)
    if (!chain) throw damaged(input, 'a point it builds on is missing')
    const bad = chain.find((each) => each.current.flags.quarantine !== undefined)
    if (bad) throw quarantined(input, bad.current.pointId)
    try {
      await attempt.aim({ target, reads: chain.map((each) => referenceOf(each.current)) }, options)
    } catch (error) {
      if (codeOf(error) !== 'POINT_CONDEMNED' || look >= looks) throw error
      continue
    }
    const rows = chain.map((each) => each.current)
    const links = await readChain(parts, rows, options)
    const own = links?.[0]
    if (links && own) return { target, current: own.manifest, chain: links }
    if (look < looks) continue
    const broken = await brokenLink(parts, rows, options)
    throw damaged(input, broken?.problem ?? 'a manifest of its chain could not be read a moment ago', broken?.file)
  }
}

function damaged({ point }: MergeInput, why: string, file?: string): HoldfastError {
  return new HoldfastError('POINT_DAMAGED', `Point ${point} is not merged: ${why}.`, file === undefined ? {} : { details: { file } })
}

function quarantined({ point }: MergeInput, bad: string): HoldfastError {
  const which = bad === point ? 'it is quarantined' : `${bad}, which it builds on, is quarantined`
  return new HoldfastError('POINT_DAMAGED', `Point ${point} is not merged: ${which}.`, {
    remedy:
      'Read with engine.points() why. If a second repository holds that point, copy it from there by its id; otherwise merge points that do not build on it.',
    details: { point: bad },
  })
}

interface Found {
  readonly catalog: Catalog
  readonly points: readonly PointView[]
  readonly point: PointView
}

async function findPoint(parts: EngineParts, { repository, point: wanted }: MergeInput, options: CallOptions): Promise<Found | undefined> {
  for await (const workload of parts.store.points.workloads(repository, options)) {
    const catalog = await parts.store.points.catalog(repository, workload, options)
    const points = pointsOf(catalog)
    const point = points.find((each) => each.current.pointId === wanted)
    if (point) return { catalog, points, point }
  }
  return undefined
}

/** A misspelt id would merge less than was asked for, without a word. */
function requireKnown({ repository, point, absorb = [] }: MergeInput, { points, point: { current } }: Found): void {
  const below = new Set(chainOf(points, current.pointId)?.map((each) => each.current.pointId))
  const strange = absorb.filter((id) => id === point || !below.has(id))
  if (strange.length === 0 || below.size === 0) return
  throw new HoldfastError('NOT_FOUND', `Point ${point} in repository "${repository}" does not build on ${strange.join(', ')}.`, {
    remedy: 'Name points that it builds on, or leave out absorb, and it takes over all of them.',
  })
}

/** What was named lies below a point that was not, for every disk: nothing would be merged, and that would look like good news. */
function requireInReach({ point, absorb }: MergeInput, plan: readonly DiskMerge[]): void {
  if (absorb === undefined || plan.some(({ layers }) => layers.length > 1)) return
  const below =
    plan.map(({ rest }) => rest.map(({ manifest }) => manifest.point)).find((ids) => ids.some((id) => absorb.includes(id))) ?? []
  const named = below.filter((id) => absorb.includes(id))
  const between = below.slice(0, below.lastIndexOf(named.at(-1) ?? '')).filter((id) => !absorb.includes(id))
  if (named.length === 0) return
  const lie = between.length === 1 ? 'lies between and is not named' : 'lie between and are not named'
  throw new HoldfastError('INVALID_OPTIONS', `Point ${point} is not merged with ${named.join(', ')}: ${between.join(', ')} ${lie}.`, {
    remedy: 'Name in absorb what lies between as well, or leave out absorb, and it takes over all of them.',
  })
}

/** Somebody may have deleted it since retention asked for the merge. */
function pointIsGone({ repository, point, byRetention }: MergeInput): Success {
  if (byRetention) return { result: plainResult({ repository, point, disks: [] } satisfies MergeOutcome) }
  throw new HoldfastError('NOT_FOUND', `There is no point ${point} in repository "${repository}".`, {
    remedy: 'List the points, then name one by its id.',
  })
}

function nothingToDo({ repository, point }: MergeInput, { number }: Manifest): Success {
  const result: MergeOutcome = { repository, point, number, disks: [] }
  return { result: plainResult(result) }
}
