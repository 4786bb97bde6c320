import { workloadKey } from '../../model/names.ts'
import type { RestoreInput } from '../../model/run-input.ts'
import type { RestoreOutcome } from '../../model/run-outcome.ts'
import type { CallOptions } from '../../spec/blocks.ts'
import { codeOf, HoldfastError } from '../../spec/errors.ts'
import type { RestoreResult } from '../../spec/restore.ts'
import { createRestoreSource } from '../../transfer/index.ts'
import { errorText } from '../error-text.ts'
import { type EngineParts, providerNamed } from '../parts.ts'
import { brokenLink, type ChainLink, readChain } from '../points/base-chain.ts'
import { chainOf, isGood, type PointView, pointsOf, referenceOf } from '../points/catalog-view.ts'
import { readOwnership, requireReadable } from '../points/ownership.ts'
import { changeFlags, isCurrentNumber, noteVerified } from '../points/point-flags.ts'
import type { Attempt } from '../runs/attempt.ts'
import { deliveredResult, plainResult, type Success } from '../runs/finish.ts'
import { createRunContext } from '../runs/intents.ts'
import { parseOptions } from '../runs/requests.ts'
import { verifiedOnDamage } from './rewriting.ts'

const mendRemedy =
  'Restore another point: engine.verify({ repository }) tells which are good. It is mended from a second repository, after that verification, by engine.copy({ from: second, repository, workload, points: [point] }); a file put back by hand fits only from a byte-for-byte copy of the folder.'

/** How often the chain is chosen: it changes only when something commits or deletes points meanwhile. */
const looks = 5

/** A restore whose repository is known. */
export type ResolvedRestore = RestoreInput & { readonly repository: string }

export async function restore(parts: EngineParts, attempt: Attempt, input: ResolvedRestore): Promise<Success | undefined> {
  const options = { signal: attempt.signal }
  const providerName = input.provider ?? input.workload.provider
  const provider = providerNamed(parts, providerName)
  const { system, plan, run } = attempt.mark
  const delivered = await provider.delivered?.({ system, plan, run }, options)
  if (delivered) return { result: deliveredResult(attempt.run, delivered) }

  await requireReadable(parts, input.repository, options)
  const chain = await holdChain(parts, attempt, input, options)
  const links = await readChain(
    parts,
    chain.map((point) => point.current),
    options,
  )
  const newest = links?.[0]
  if (!links || !newest) throw await damagedChain(parts, chain, options)
  attempt.meter.step(`restoring ${newest.manifest.workload.name} from ${newest.manifest.point}`)

  const kept = new Set<string>()
  const context = createRunContext(parts, attempt, providerName, kept, attempt.signal)
  const source = sourceOf(parts, attempt, input, newest, links)
  const name = input.name ?? newest.manifest.workload.name
  const request = {
    purpose: input.purpose,
    name,
    start: input.start,
    options: parseOptions(parts, providerName, 'restore', input.options),
    ...(input.target !== undefined && { target: input.target }),
  }
  const deliver = () => provider.restore(request, source, context)
  const result = await (input.purpose === 'test' ? trialOf(parts, attempt, newest, deliver, options) : deliver())
  const outcome: RestoreOutcome = {
    repository: input.repository,
    point: newest.manifest.point,
    provider: providerName,
    workload: result.workload,
    purpose: input.purpose,
  }
  if (input.purpose !== 'test') {
    attempt.signal.throwIfAborted()
    return { result: plainResult(outcome), kept }
  }
  // Every stored byte of a point without a base has been read and compared.
  if (links.length === 1) await noteOfPoint(parts, attempt, newest, 'verified', options)
  const probe = await probeCopy(parts, attempt, input, providerName, result)
  return { result: plainResult({ ...outcome, ...(probe && { probe }) }) }
}

/** The chain, registered as read. What was condemned or written anew between the choice and that is chosen again. */
async function holdChain(
  parts: EngineParts,
  attempt: Attempt,
  input: ResolvedRestore,
  options: CallOptions,
): Promise<readonly PointView[]> {
  for (let look = 1; ; look++) {
    const chain = await chooseChain(parts, input, options)
    try {
      await attempt.aim({ reads: chain.map((point) => referenceOf(point.current)) }, options)
      return chain
    } catch (error) {
      if (codeOf(error) !== 'POINT_CONDEMNED' || look >= looks) throw error
    }
  }
}

async function chooseChain(parts: EngineParts, input: ResolvedRestore, options: CallOptions): Promise<readonly PointView[]> {
  const catalog = await parts.store.points.catalog(input.repository, workloadKey(input.workload), options)
  const points = pointsOf(catalog)
  const label = `${workloadKey(input.workload)} in repository "${input.repository}"`
  const newest = input.point === 'latest' ? points.find((point) => isGood(points, point.current.pointId)) : undefined
  const pointId = input.point === 'latest' ? newest?.current.pointId : input.point
  if (pointId === undefined) throw points.length === 0 ? noPoint(label) : noGoodPoint(label, points)
  const chain = chainOf(points, pointId)
  if (chain) return chain
  if (catalog.points.some((row) => row.pointId === pointId && row.condemned))
    throw new HoldfastError('POINT_CONDEMNED', `Point ${pointId} of ${label} is being deleted.`)
  const known = points.map((point) => point.current.pointId)
  if (known.includes(pointId)) throw new HoldfastError('POINT_DAMAGED', `Point ${pointId} of ${label} builds on a point that is gone.`)
  throw new HoldfastError('NOT_FOUND', `There is no point ${pointId} of ${label}. There are: ${known.slice(0, 10).join(', ') || 'none'}.`)
}

function noPoint(label: string): HoldfastError {
  return new HoldfastError('NOT_FOUND', `There is no restore point of ${label}.`, {
    remedy: 'Check provider, workload id and repository. If the catalog was lost: engine.rescan({ repository }).',
  })
}

function noGoodPoint(label: string, points: readonly PointView[]): HoldfastError {
  const aside = points.filter(({ current }) => current.flags.quarantine !== undefined).length
  const [newest] = points
  return new HoldfastError(
    'NOT_FOUND',
    `None of the ${points.length} restore points of ${label} is good: ${aside} quarantined, or on such a one they build.`,
    {
      remedy: `Name one to try it all the same, every hash is compared; the newest is ${newest?.current.pointId}. Or restore from a copy of the repository.`,
    },
  )
}

/** Which manifest of the chain it is, and what is wrong with it. */
async function damagedChain(parts: EngineParts, chain: readonly PointView[], options: CallOptions): Promise<HoldfastError> {
  const rows = chain.map(({ current }) => current)
  const pointId = rows[0]?.pointId
  const broken = await brokenLink(parts, rows, options)
  if (!broken)
    return new HoldfastError('POINT_DAMAGED', `A manifest of point ${pointId} could not be read a moment ago.`, { retryable: true })
  const { link, file, problem } = broken
  const whose = link === rows[0] ? 'cannot be restored' : `cannot be restored: it builds on point ${link.pointId}`
  return new HoldfastError('POINT_DAMAGED', `Point ${pointId} ${whose}: ${problem}`, { remedy: mendRemedy, details: { file } })
}

function sourceOf(parts: EngineParts, attempt: Attempt, input: ResolvedRestore, newest: ChainLink, links: readonly ChainLink[]) {
  const repository = parts.repositories.get(input.repository)
  if (!repository) throw new HoldfastError('INTERNAL', `Repository "${input.repository}" is gone.`)
  const { provider: _provider, ...workload } = newest.manifest.workload
  return createRestoreSource({
    repository,
    point: newest.manifest,
    ancestors: new Map(links.slice(1).map((link) => [link.manifest.point, link.manifest])),
    workload,
    all: true,
    meter: attempt.meter,
    clock: parts.clock,
    stallMs: parts.stallMs,
    ...(parts.bytesPerSecond !== undefined && { bytesPerSecond: parts.bytesPerSecond }),
    signal: attempt.signal,
  })
}

/** A test restore answers one question and leaves nothing: keep() counts for nothing, everything is undone after the run is final. */
async function probeCopy(
  parts: EngineParts,
  attempt: Attempt,
  input: ResolvedRestore,
  providerName: string,
  copy: RestoreResult,
): Promise<RestoreOutcome['probe']> {
  if (input.probe === undefined) return undefined
  const provider = providerNamed(parts, providerName)
  if (!provider.probe) throw new HoldfastError('UNSUPPORTED', `Provider "${providerName}" has no probe.`, { remedy: 'Leave out probe.' })
  const context = createRunContext(parts, attempt, providerName, new Set(), attempt.signal)
  const { verdict, evidence } = await provider.probe.run(copy.workload, parseOptions(parts, providerName, 'probe', input.probe), context)
  return { verdict, evidence }
}

/**
 * A test restore is a verification: a point that it finds damaged is not trusted any more, and one that follows finds out which of all that it builds on it
 * is. Whatever else went wrong says nothing about the point.
 */
async function trialOf(
  parts: EngineParts,
  attempt: Attempt,
  link: ChainLink,
  deliver: () => Promise<RestoreResult>,
  options: CallOptions,
): Promise<RestoreResult> {
  const suspects = [{ repository: link.reference.repository, points: [link.manifest.point] }]
  try {
    return await verifiedOnDamage(parts, attempt, suspects, deliver)
  } catch (error) {
    const code = codeOf(error)
    if (code === 'CHECKSUM_MISMATCH' || code === 'POINT_DAMAGED')
      await noteOfPoint(parts, attempt, link, { quarantine: error instanceof Error ? error.message : errorText(error) }, options)
    throw error
  }
}

/** In a repository of our own. What cannot be noted now is found again by the next verification. */
async function noteOfPoint(
  parts: EngineParts,
  attempt: Attempt,
  { reference, manifest }: ChainLink,
  note: 'verified' | { readonly quarantine: string },
  options: CallOptions,
): Promise<void> {
  const { repository, folder } = reference
  const lease = { ...options, lease: attempt.lease }
  try {
    if ((await readOwnership(parts, repository, options)).state !== 'ours') return
    const read = { ...reference, workload: workloadKey(manifest.workload) }
    if (note === 'verified') await noteVerified(parts, read, attempt.storeNow(), lease)
    else if (await isCurrentNumber(parts, read, options)) await changeFlags(parts, { repository, folder }, note, lease)
  } catch (error) {
    if (codeOf(error) === 'STALE_LEASE' || options.signal.aborted) throw error
    attempt.warn('FLAG_NOT_NOTED', `What the test restore found of point ${manifest.point} could not be noted: ${errorText(error)}`)
  }
}
