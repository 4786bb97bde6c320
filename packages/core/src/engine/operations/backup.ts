import type { Manifest } from '../../model/manifest.ts'
import { isoTime, manifestPath, pointFolder, pointOf, workloadFolder, workloadKey } from '../../model/names.ts'
import type { BackupInput } from '../../model/run-input.ts'
import type { BackupResult, Base } from '../../spec/backup.ts'
import type { CallOptions } from '../../spec/blocks.ts'
import { codeOf, HoldfastError } from '../../spec/errors.ts'
import type { ManifestRef } from '../../spec/store.ts'
import type { Workload } from '../../spec/workload.ts'
import { createBackupSink, isScratchError, type StoredItems } from '../../transfer/index.ts'
import { softwareName, softwareVersion } from '../../version.ts'
import { errorText } from '../error-text.ts'
import { isMediaError } from '../media-errors.ts'
import { type EngineParts, providerNamed, repositoryNamed } from '../parts.ts'
import { type BaseChain, baseDisks, newestBase } from '../points/base-chain.ts'
import { findPointFolder } from '../points/find-point-folder.ts'
import { requireOwnership } from '../points/ownership.ts'
import { readNumber, type Survey, surveyFolder } from '../points/point-folder.ts'
import type { Attempt } from '../runs/attempt.ts'
import { committedSuccess, type Success } from '../runs/finish.ts'
import { createRunContext } from '../runs/intents.ts'
import { parseOptions } from '../runs/requests.ts'
import { settle } from '../runs/settle.ts'
import { commit } from './commit.ts'
import { findWorkload } from './find-workload.ts'
import { soundBase } from './sound-base.ts'

/** Where this run's point lies, and what it needs to know before it starts. */
interface Ground {
  readonly input: BackupInput
  readonly workload: Workload
  readonly repositoryId: string
  readonly folder: string
  /** A bad block under the base must not keep the workload from being protected: after a failure it is given up for a full. */
  readonly lastTry: boolean
}

/** Undefined: settling found the run committed and has finished it. */
export async function backup(parts: EngineParts, attempt: Attempt, input: BackupInput): Promise<Success | undefined> {
  const options = { signal: attempt.signal }
  attempt.meter.step('looking up the workload')
  const workload = await findWorkload(parts, input.workload, options)
  const { repositoryId } = await requireOwnership(parts, input.repository, options)
  await requireWritable(parts, input.repository, options)
  const home = workloadFolder(input.workload)
  const folder =
    (await findPointFolder(repositoryNamed(parts, input.repository), home, attempt.run.key, options)) ??
    `${home}/${pointFolder(attempt.run.dueAt, attempt.run.key)}`
  const lastTry = attempt.run.failures > 0 || attempt.run.maxFailures === 1
  const ground: Ground = { input, workload, repositoryId, folder, lastTry }
  const looked = await newestBase(parts, ground, options)
  const survey = await surveyGround(parts, ground, looked, options)
  if (survey.committed) return await adopt(parts, attempt, ground, survey.committed.reference)
  const base = await aimAt(parts, attempt, { ...ground, number: survey.next }, looked)
  try {
    return await backUpOnce(parts, attempt, { ...ground, number: survey.next }, base)
  } catch (error) {
    const lost = codeOf(error) === 'BASE_LOST' || (lastTry && (isMediaError(error) || isScratchError(error)))
    if (!lost || !base.chain) throw error
    // The platform cannot build on its checkpoint, or the base cannot be read: the number is given up and the same attempt makes a full. It costs no failure.
    if (await settle(parts, attempt)) return undefined
    const reason = `the base was lost: ${error instanceof Error ? error.message : errorText(error)}`
    attempt.warn('BASE_LOST', `${workload.name}: a full backup is made instead, because ${reason}`)
    const { next } = await surveyGround(parts, ground, base, options)
    const full = await aimAt(parts, attempt, { ...ground, number: next }, { ...base, chain: undefined, reason })
    return await backUpOnce(parts, attempt, { ...ground, number: next }, full)
  }
}

const aimTries = 10

/** Saves target and reads, and gives the base if it is sound. One that was condemned since it was looked up is not there at the next look (rule reads). */
async function aimAt(
  parts: EngineParts,
  attempt: Attempt,
  ground: Ground & { readonly number: number },
  looked: BaseChain,
): Promise<BaseChain> {
  const options = { signal: attempt.signal }
  const { folder, number, input } = ground
  let base = looked
  for (let tried = 1; ; tried++) {
    try {
      const reads = base.chain?.map((each) => each.reference) ?? []
      await attempt.aim({ target: { repository: input.repository, folder, number }, reads }, options)
      // Not before: until it is saved as read, it may be deleted while it is looked at.
      return await soundBase(parts, attempt, input.repository, base)
    } catch (error) {
      if (codeOf(error) !== 'POINT_CONDEMNED' || !base.chain || tried === aimTries) throw error
      base = await newestBase(parts, ground, options)
    }
  }
}

/** Asked before anything is stopped on the platform: a number that was begun where nothing can be written cannot even be given up. */
async function requireWritable(parts: EngineParts, name: string, options: CallOptions): Promise<void> {
  for (const { message, details } of await repositoryNamed(parts, name).check(options)) {
    const { code } = (details ?? {}) as { readonly code?: unknown }
    if (code === 'REPOSITORY_NOT_WRITABLE' || code === 'ACCESS_DENIED') throw new HoldfastError(code, message, { retryable: true })
  }
}

/** What this run has made already is looked for first: the database may have been rolled back (rule probe). Dead numbers become durable too. */
async function surveyGround(parts: EngineParts, ground: Ground, base: BaseChain, options: CallOptions): Promise<Survey> {
  const { repository: name } = ground.input
  const repository = repositoryNamed(parts, name)
  await repository.sync(ground.folder, options)
  return await surveyFolder(repository, { repository: name, folder: ground.folder }, base.highestNumberOf(ground.folder), options)
}

/** An attempt that finds the manifest of its run finishes the run; it never repeats the work (rule adopt). */
async function adopt(parts: EngineParts, attempt: Attempt, ground: Ground, reference: ManifestRef): Promise<Success> {
  const options = { signal: attempt.signal }
  const repository = repositoryNamed(parts, ground.input.repository)
  const path = manifestPath(reference.folder, reference.number)
  try {
    await attempt.aim({ target: reference, reads: [] }, options)
  } catch (error) {
    // Prune is deleting it; when it is gone, the run makes its point again.
    if (codeOf(error) === 'POINT_CONDEMNED') throw new HoldfastError('NUMBER_TAKEN', `${path} is being deleted.`, { cause: error })
    throw error
  }
  const seen = await readNumber(repository, reference, options)
  if (seen.state !== 'live') throw new HoldfastError('NUMBER_TAKEN', `${path} was deleted meanwhile.`)
  const { runKey } = seen.manifest
  if (runKey !== attempt.run.key) throw new HoldfastError('INTERNAL', `${path} is the point of another run: ${runKey}.`)
  await repository.sync(ground.folder, options)
  return committedSuccess(reference, seen.manifest)
}

async function backUpOnce(
  parts: EngineParts,
  attempt: Attempt,
  ground: Ground & { readonly number: number },
  base: BaseChain,
): Promise<Success> {
  const options = { signal: attempt.signal }
  const { input, workload, folder, number } = ground
  const repository = repositoryNamed(parts, input.repository)
  const target: ManifestRef = { repository: input.repository, folder, number }
  const backupSink = createBackupSink({
    repository,
    folder,
    number,
    compression: input.compression,
    ...(base.chain && { base: baseDisks(base.chain) }),
    ...(base.reason !== undefined && { fullReason: base.reason }),
    // Sums of a stream, and what has changed in it, cost time: only where something may build on it.
    ...(input.chain?.maxIncrementals !== 0 && { scratch: parts.scratch }),
    meter: attempt.meter,
    clock: parts.clock,
    stallMs: parts.stallMs,
    ...(parts.bytesPerSecond !== undefined && { bytesPerSecond: parts.bytesPerSecond }),
    signal: attempt.signal,
  })
  const kept = new Set<string>()
  const provider = providerNamed(parts, input.workload.provider)
  // Again, because a plan for several providers keeps what was written, and this node may have another version of this one.
  const backupOptions = parseOptions(parts, input.workload.provider, 'backup', input.options)
  const request = { workload: workload.id, options: backupOptions, ...(base.chain && { base: baseOf(base.chain) }) }
  const context = createRunContext(parts, attempt, input.workload.provider, kept, attempt.signal)
  const { result, stored } = await disposing(backupSink, async () => {
    const result = await provider.backup(request, backupSink.sink, context)
    return { result, stored: await backupSink.finish(options) }
  })
  await requireSoundStill(parts, ground, base, options)
  await attempt.changeIntents((intents) => intents.map((each) => (kept.has(each.id) ? { ...each, kept: true } : each)), options)
  return await commit(
    parts,
    attempt,
    target,
    describe(parts, attempt, { ground, base, target, providerKind: provider.kind, result, stored }),
  )
}

/** What was found bad while it was built on would make a point that is bad from its birth. @throws BASE_LOST */
async function requireSoundStill(parts: EngineParts, { input }: Ground, { chain = [] }: BaseChain, options: CallOptions): Promise<void> {
  if (chain.length === 0) return
  const { points } = await parts.store.points.catalog(input.repository, workloadKey(input.workload), options)
  const ids = new Set(chain.map(({ manifest }) => manifest.point))
  const bad = points.find(({ pointId, flags }) => ids.has(pointId) && flags.quarantine !== undefined)
  if (bad) throw new HoldfastError('BASE_LOST', `${bad.pointId}, which it builds on, was quarantined meanwhile`)
}

interface Made {
  readonly ground: Ground
  readonly base: BaseChain
  readonly target: ManifestRef
  readonly providerKind: string
  readonly result: BackupResult
  readonly stored: StoredItems
}

/** What was made, as its manifest says it. */
function describe(parts: EngineParts, attempt: Attempt, made: Made): Manifest {
  const { target, result, stored } = made
  const { input, workload, repositoryId } = made.ground
  return {
    formatVersion: 1,
    repositoryId,
    folder: target.folder,
    number: target.number,
    point: pointOf(target),
    createdAt: isoTime(parts.clock.now()),
    due: isoTime(attempt.run.dueAt),
    workload: { ...workload, provider: input.workload.provider },
    providerKind: made.providerKind,
    ...(result.machine && { machine: result.machine }),
    ...(attempt.run.planId !== undefined && { plan: attempt.run.planId }),
    runKey: attempt.run.key,
    attempt: attempt.run.attempt,
    sequence: made.base.sequence,
    parents: Object.fromEntries(
      stored.items.flatMap((item) => (item.type === 'disk' && item.parent !== undefined ? [[item.disk.key, item.parent]] : [])),
    ),
    items: stored.items,
    description: result.description,
    ...(result.checkpoint !== undefined && { checkpoint: result.checkpoint }),
    consistency: result.consistency,
    skipped: result.skipped,
    bytes: stored.bytes,
    warnings: attempt.warnings,
    software: { name: softwareName, version: softwareVersion },
  }
}

function baseOf(chain: NonNullable<BaseChain['chain']>): Base {
  const newest = chain[0]?.manifest
  const disks = baseDisks(chain).map(({ key, size }) => ({ key, size }))
  return { disks, ...(newest?.checkpoint !== undefined && { checkpoint: newest.checkpoint }) }
}

/** What is still being written must have ended before the attempt is settled. */
async function disposing<Result>(opened: AsyncDisposable, body: () => Promise<Result>): Promise<Result> {
  try {
    return await body()
  } finally {
    await opened[Symbol.asyncDispose]()
  }
}
