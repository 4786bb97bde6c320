import { withAffected } from '../../chain/affected-points.ts'
import { type FlagName, type FlagsRead, flagMembers } from '../../model/flags.ts'
import { flagPath, isoTime, manifestPath, runHash, workloadKey } from '../../model/names.ts'
import type { VerifyInput } from '../../model/run-input.ts'
import type { VerifyOutcome } from '../../model/run-outcome.ts'
import type { CallOptions } from '../../spec/blocks.ts'
import { codeOf, HoldfastError } from '../../spec/errors.ts'
import { nearest } from '../../spec/helpers/index.ts'
import type { Flags } from '../../spec/store.ts'
import { type Finding, verifyPoint } from '../../transfer/index.ts'
import { errorText } from '../error-text.ts'
import { isMediaError } from '../media-errors.ts'
import { outboxEvent } from '../notices/notices.ts'
import { type EngineParts, repositoryNamed } from '../parts.ts'
import type { ChainLink } from '../points/base-chain.ts'
import { chainOf, lineageOf, type PointView, pointsOf, referenceOf, sameReference } from '../points/catalog-view.ts'
import { readOwnership, refuseUnmounted, requireStillThere } from '../points/ownership.ts'
import { changeFlags, noteVerified, readPointFlags } from '../points/point-flags.ts'
import { readNumber } from '../points/point-folder.ts'
import { quickCheck } from '../points/quick-check.ts'
import type { Attempt } from '../runs/attempt.ts'
import { plainResult, type Success } from '../runs/finish.ts'

/** How often a point is looked up: it changes only when something commits or deletes points meanwhile. */
const looks = 5
/** How often a flag that differs is looked at, and how long between. */
const flagLooks = 3
const flagPauseMs = 200
/** How long after a block that could not be read it is tried again. */
const mediaPauseMs = 1000

/**
 * Reads every byte of the chosen points and of what they build on. Damage is a result, not a failure of the run: each finding names point and file, of a
 * disk its damaged clusters, and the points that build on it now.
 * A damaged point is quarantined, a good one marked as verified; in a repository of another owner nothing is written.
 */
export async function verify(parts: EngineParts, attempt: Attempt, input: VerifyInput): Promise<Success> {
  const options = { signal: attempt.signal }
  const findings: Finding[] = []
  const { owner, repositoryId } = await checkRepositoryFile(parts, input.repository, findings, options)
  let checked = 0
  const left = new Set(input.points ?? [])
  const whole: PointView[] = []
  const workloads: string[] = []
  for await (const workload of parts.store.points.workloads(input.repository, options)) {
    workloads.push(workload)
    if (input.workload && workloadKey(input.workload) !== workload) continue
    const catalog = await parts.store.points.catalog(input.repository, workload, options)
    const points = pointsOf(catalog)
    for (const point of choose(points, input, attempt.run.key)) {
      left.delete(point.current.pointId)
      const verified = await verifyCurrent(parts, attempt, { points, point, mode: input.mode, owner }, options)
      if (!verified) continue
      const found = withAffected(verified.findings, points.map(lineageOf))
      if (found.length > 0) await requireStillThere(parts, input.repository, repositoryId, options)
      checked++
      findings.push(...found)
      // What builds on damage is no good point, although its own files are.
      const isSpoiled = found.length === 0 && findings.some(({ affects }) => affects?.includes(point.current.pointId))
      if (owner !== 'us' || isSpoiled) continue
      await flagPoint(parts, attempt, verified.point, found, input.mode, options)
      if (found.length === 0 && input.mode === 'full') whole.push(verified.point)
    }
  }
  if (left.size > 0 && !input.ifThere) {
    throw new HoldfastError('NOT_FOUND', `There is no point ${[...left].join(', ')} in repository "${input.repository}".`)
  }
  tellStillQuarantined(attempt, input, whole)
  if (checked === 0 && !input.ifThere) tellNothingVerified(attempt, input, workloads)
  for (const finding of findings) parts.events.emit('point-damaged', { repository: input.repository, ...finding })
  const { bytes } = attempt.meter.snapshot()
  const result: VerifyOutcome = { repository: input.repository, mode: input.mode, points: checked, bytes, findings }
  return { result: plainResult(result) }
}

/** No finding of no point would look like good news. A plan may be older than the first backup, so there it is no error. */
function tellNothingVerified(attempt: Attempt, { repository, workload }: VerifyInput, known: readonly string[]): void {
  const wanted = workload && workloadKey(workload)
  const message = `Nothing was verified: the catalog knows no point ${wanted === undefined ? '' : `of ${wanted} `}in repository "${repository}".`
  attempt.warn('NOTHING_VERIFIED', message)
  if (wanted === undefined || known.includes(wanted) || attempt.run.planId !== undefined) return
  const near = nearest(wanted, known)
  throw new HoldfastError('NOT_FOUND', message, {
    remedy: `${near === undefined ? 'Check provider and id of the workload.' : `Did you mean ${near}?`} If the catalog was lost: engine.rescan({ repository }).`,
  })
}

/** Only a person knows whether they were mended, or a disk told the truth this once. */
function tellStillQuarantined(attempt: Attempt, { repository }: VerifyInput, whole: readonly PointView[]): void {
  const aside = whole.filter(({ current }) => current.flags.quarantine !== undefined).map(({ current }) => current.pointId)
  if (aside.length === 0) return
  attempt.warn(
    'STILL_QUARANTINED',
    `Read whole, but quarantined since an earlier verification of repository "${repository}": ${aside.join(', ')}. If they were mended: engine.liftQuarantine({ repository: '${repository}', point }) for each.`,
  )
}

/** Whose flags these are. Only into a repository of ours they are written; only of somebody else's the catalog knows no more than its last rescan. */
type Owner = 'us' | 'somebody else' | 'unknown'

/** A file that does not verify is a finding, and then nothing is written. */
async function checkRepositoryFile(
  parts: EngineParts,
  repository: string,
  findings: Finding[],
  options: CallOptions,
): Promise<{ readonly owner: Owner; readonly repositoryId?: string }> {
  try {
    const ownership = await readOwnership(parts, repository, options)
    if (ownership.state === 'missing')
      throw new HoldfastError('REPOSITORY_MISSING', `Repository "${repository}" has no repository.json: it is probably not mounted.`)
    if (ownership.state === 'new') return { owner: 'us' }
    return { owner: ownership.state === 'foreign' ? 'somebody else' : 'us', repositoryId: ownership.file.repositoryId }
  } catch (error) {
    if (codeOf(error) !== 'REPOSITORY_DAMAGED') throw error
    findings.push({ point: '', file: 'repository.json', message: error instanceof Error ? error.message : errorText(error) })
    return { owner: 'unknown' }
  }
}

/** Named points with what they build on, a sample, or all. Oldest first, so that the cause of damage is told before its effects. */
function choose(points: readonly PointView[], input: VerifyInput, runKey: string): readonly PointView[] {
  const oldestFirst = points.toReversed()
  const ids = input.sample === undefined ? input.points : sampleOf(points, input.sample, runKey)
  if (!ids) return oldestFirst
  const wanted = new Set<PointView>()
  for (const id of ids) for (const point of chainOf(points, id) ?? points.filter((each) => each.current.pointId === id)) wanted.add(point)
  return oldestFirst.filter((point) => wanted.has(point))
}

/** By the hash of run and point: every attempt of a run takes the same, the next run takes others, and each has the same chance. */
function sampleOf(points: readonly PointView[], count: number, runKey: string): readonly string[] {
  const rank = ({ current }: PointView) => runHash(`${runKey}/${current.pointId}`)
  return points
    .map((point) => ({ id: point.current.pointId, rank: rank(point) }))
    .sort((a, b) => (a.rank < b.rank ? -1 : 1))
    .slice(0, count)
    .map(({ id }) => id)
}

interface Verified {
  readonly points: readonly PointView[]
  readonly point: PointView
  readonly mode: VerifyInput['mode']
  readonly owner: Owner
}

/** With the point as it was read. Once more when it was written anew meanwhile: what was read of an old number says nothing of the new one. */
async function verifyCurrent(
  parts: EngineParts,
  attempt: Attempt,
  what: Verified,
  options: CallOptions,
): Promise<{ readonly point: PointView; readonly findings: readonly Finding[] } | undefined> {
  const { repository, workload } = what.point.current
  let { points } = what
  for (let look = 1; ; look++) {
    const held = await holdPoint(parts, attempt, { ...what, points }, options)
    if (!held) return undefined
    const findings = await verifyTwice(parts, attempt, { ...what, ...held }, options)
    const { point } = held
    points = pointsOf(await parts.store.points.catalog(repository, workload, options))
    const now = points.find(({ current }) => current.pointId === point.current.pointId)
    if (look >= looks || (now?.current.number ?? 0) <= point.current.number) return { point, findings }
  }
}

/** A block that cannot be read at a second look either is damage of this point, and must not hide all the others. */
async function verifyTwice(parts: EngineParts, attempt: Attempt, what: Held, options: CallOptions): Promise<readonly Finding[]> {
  try {
    return await verifyOne(parts, attempt, what, options)
  } catch (error) {
    if (!isMediaError(error)) throw error
  }
  await parts.clock.sleep(mediaPauseMs, options)
  try {
    return await verifyOne(parts, attempt, what, options)
  } catch (error) {
    if (!isMediaError(error)) throw error
    const { pointId, repository, folder, number } = what.point.current
    // A storage of which nothing can be read says nothing of any point.
    if (what.owner !== 'unknown') await refuseUnmounted(parts, repository, options)
    return [{ point: pointId, file: manifestPath(folder, number), message: `${error.message}; the rest of this point was not read` }]
  }
}

/** A point that is registered as read, with all that it builds on; undefined: something of that is gone. */
interface Held extends Verified {
  readonly chain: readonly PointView[] | undefined
}

/** The point and what it builds on, registered as read. What was written anew since it was listed is looked up again; undefined: it is being deleted. */
async function holdPoint(
  parts: EngineParts,
  attempt: Attempt,
  { points: listed, point: seen }: Verified,
  options: CallOptions,
): Promise<Pick<Held, 'points' | 'point' | 'chain'> | undefined> {
  const { repository, workload, pointId } = seen.current
  let points = listed
  for (let look = 1; ; look++) {
    const point = points.find((each) => each.current.pointId === pointId)
    if (!point) return undefined
    const chain = chainOf(points, pointId)
    try {
      await attempt.aim({ reads: (chain ?? [point]).map((each) => referenceOf(each.current)) }, options)
      return { points, point, chain }
    } catch (error) {
      if (codeOf(error) !== 'POINT_CONDEMNED' || look >= looks) throw error
    }
    points = pointsOf(await parts.store.points.catalog(repository, workload, options))
  }
}

async function verifyOne(parts: EngineParts, attempt: Attempt, what: Held, options: CallOptions): Promise<readonly Finding[]> {
  const { point, chain, mode, owner } = what
  const { pointId, repository, folder } = point.current
  attempt.meter.step(`verifying ${pointId}`)
  const findings: Finding[] = [...(await verifyFlags(parts, attempt, point, owner, options))]
  const links = new Map<string, ChainLink>()
  for (const each of chain ?? [point]) {
    const link = await readLink(parts, each, options)
    if ('manifest' in link) links.set(link.manifest.point, link)
    else if (each === point) return [...findings, link]
    else
      findings.push({
        point: pointId,
        file: `${folder}/manifest.${point.current.number}.json`,
        message: `builds on point ${link.point}, which is damaged: ${link.message}`,
      })
  }
  const own = links.get(pointId)
  if (!own) return findings
  if (!chain)
    findings.push({
      point: pointId,
      file: manifestPath(folder, point.current.number),
      message: `builds on a point that is gone: ${point.current.parents.join(', ')}`,
    })
  const ancestors = new Map([...links].flatMap(([id, link]) => (id === pointId ? [] : [[id, link.manifest] as const])))
  const context = {
    repository: repositoryNamed(parts, repository),
    point: own.manifest,
    ancestors,
    meter: attempt.meter,
    clock: parts.clock,
    stallMs: parts.stallMs,
    signal: attempt.signal,
  }
  const found = mode === 'quick' ? quickCheck(context.repository, own.manifest, options) : verifyPoint(context)
  for await (const finding of found) findings.push(finding)
  return findings
}

async function readLink(parts: EngineParts, point: PointView, options: CallOptions): Promise<ChainLink | Finding> {
  const reference = referenceOf(point.current)
  const seen = await readNumber(repositoryNamed(parts, reference.repository), reference, options)
  if (seen.state === 'live') return { reference, manifest: seen.manifest }
  const message =
    seen.state === 'absent'
      ? 'the manifest is gone'
      : seen.state === 'dead'
        ? 'the manifest is empty, but the catalog knows the point'
        : seen.error.message
  return { point: point.current.pointId, file: manifestPath(reference.folder, reference.number), message }
}

/** Flag files that do not verify, and flags that catalog and repository tell differently. A flag may be changed meanwhile: what differs is looked at again. */
async function verifyFlags(
  parts: EngineParts,
  attempt: Attempt,
  { current }: PointView,
  owner: Owner,
  options: CallOptions,
): Promise<readonly Finding[]> {
  const { repository, workload, folder, pointId } = current
  let known = current.flags
  for (let look = 1; ; look++) {
    const read = await readPointFlags(repositoryNamed(parts, repository), folder, options)
    const damaged = read.damaged.map(({ flag, error }) => ({ point: pointId, file: flagPath(folder, flag), message: error.message }))
    const different = owner === 'somebody else' ? [] : differences(attempt, known, read)
    if (different.length === 0 || look === flagLooks)
      return [...damaged, ...different.map(({ flag, message }) => ({ point: pointId, file: flagPath(folder, flag), message }))]
    await parts.clock.sleep(flagPauseMs, options)
    const { points } = await parts.store.points.catalog(repository, workload, options)
    known = points.find((row) => sameReference(row, current))?.flags ?? known
  }
}

interface FlagDifference {
  readonly flag: FlagName
  readonly message: string
}

function differences(attempt: Attempt, known: Flags, { flags, damaged }: FlagsRead): readonly FlagDifference[] {
  const found: FlagDifference[] = []
  const isDamaged = (flag: FlagName) => damaged.some((each) => each.flag === flag)
  for (const flag of ['pin', 'hold', 'quarantine'] as const) {
    const member = flagMembers[flag]
    if (isDamaged(flag) || known[member] === flags[member]) continue
    // A hold that cannot be read counts as a pin; there is no pin then that could differ.
    if (flag === 'pin' && known.pin === undefined && isDamaged('hold')) continue
    found.push({ flag, message: `the catalog says ${shown(flag, known[member])}, the repository says ${shown(flag, flags[member])}` })
  }
  const { verifiedAt } = known
  // A newer file is no loss. An earlier attempt of this run may have died between catalog and file, and this one writes both anew.
  const lost = verifiedAt !== undefined && (flags.verifiedAt ?? 0) < verifiedAt && attempt.run.attempt === 1
  if (lost && !isDamaged('verified'))
    found.push({
      flag: 'verified',
      message: `the catalog says verified at ${isoTime(verifiedAt)}, the repository says ${shown('verified', flags.verifiedAt)}`,
    })
  return found
}

function shown(flag: FlagName, value: string | number | undefined): string {
  if (value === undefined) return 'none'
  return flag === 'hold' || flag === 'verified' ? isoTime(Number(value)) : `"${value}"`
}

/** Damage of data quarantines; a lost or damaged flag file does not make the data bad. */
async function flagPoint(
  parts: EngineParts,
  attempt: Attempt,
  point: PointView,
  found: readonly Finding[],
  mode: VerifyInput['mode'],
  options: CallOptions,
): Promise<void> {
  const { repository, folder, number, flags } = point.current
  const flagFilePaths = new Set((['pin', 'hold', 'quarantine', 'verified'] as const).map((flag) => flagPath(folder, flag)))
  const bad = found.find((each) => !flagFilePaths.has(each.file))
  const where = { repository, folder }
  const lease = { ...options, lease: attempt.lease }
  // Whoever died between catalog and file has left a quarantine that a rescan would lose: it is written again.
  const lost = found.some((each) => each.file === flagPath(folder, 'quarantine'))
  try {
    if (bad) {
      const quarantine = bad.message.includes(bad.file) ? bad.message : `${bad.file}: ${bad.message}`
      // Told before it is done: whoever dies in between tells the same again, and afterwards it is nothing new.
      if (flags.quarantine === undefined) await parts.store.outbox.add([quarantinedNotice(attempt, point, quarantine)], options)
      if (flags.quarantine !== quarantine || lost) await changeFlags(parts, where, { quarantine }, lease)
    } else if (flags.quarantine !== undefined && lost) await changeFlags(parts, where, { quarantine: flags.quarantine }, lease)
    else if (flags.quarantine === undefined && mode === 'full') await noteVerified(parts, point.current, attempt.storeNow(), lease)
  } catch (error) {
    const code = codeOf(error)
    // Reading must work on a full disk. What was found is in the result, a quarantine is in the catalog, and the next verification notes both again.
    if (code === 'DISK_FULL' || code === 'REPOSITORY_NOT_WRITABLE')
      return attempt.warn(
        code,
        `What was found of point ${point.current.pointId} could not be noted in the repository: ${(error as Error).message}`,
      )
    if (code !== 'POINT_CONDEMNED' && code !== 'NOT_FOUND') throw error
    parts.logger.info('The point was deleted while it was verified.', { folder, number })
  }
}

function quarantinedNotice({ run, storeNow }: Attempt, { current }: PointView, why: string) {
  const { pointId, repository, workload } = current
  const text = `Point ${pointId} of ${workload} in repository "${repository}" is damaged and not used any more: ${why}`
  const data = { run: run.id, repository, workload, point: pointId, ...(run.planId !== undefined && { plan: run.planId }) }
  return outboxEvent(`${run.id}/${pointId}/quarantined`, { type: 'point-quarantined', at: storeNow(), text, data })
}
