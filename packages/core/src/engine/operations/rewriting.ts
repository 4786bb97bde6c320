import type { Manifest, ManifestItem } from '../../model/manifest.ts'
import { fileEntriesOf } from '../../model/manifest-files.ts'
import { isoTime, manifestPath } from '../../model/names.ts'
import type { CallOptions } from '../../spec/blocks.ts'
import { codeOf, HoldfastError } from '../../spec/errors.ts'
import type { Catalog, ManifestRef } from '../../spec/store.ts'
import { createReading } from '../../transfer/index.ts'
import { softwareName, softwareVersion } from '../../version.ts'
import { isMediaError } from '../media-errors.ts'
import { cleanUp, type EngineParts, repositoryNamed } from '../parts.ts'
import { type Survey, surveyFolder } from '../points/point-folder.ts'
import type { Attempt } from '../runs/attempt.ts'
import { type Success, writtenSuccess } from '../runs/finish.ts'
import { runRequest } from '../runs/requests.ts'

// What merge and copy share: a point that exists is written once more, under a number of its own.

export function readingOf(parts: EngineParts, attempt: Attempt, repository: string) {
  return createReading({
    repository: repositoryNamed(parts, repository),
    meter: attempt.meter,
    clock: parts.clock,
    stallMs: parts.stallMs,
    ...(parts.bytesPerSecond !== undefined && { bytesPerSecond: parts.bytesPerSecond }),
    signal: attempt.signal,
  })
}

/** What earlier attempts have made is looked for first (rule probe), and dead numbers become durable. `catalog`: of the repository that is written to. */
export async function surveyPoint(
  parts: EngineParts,
  catalog: Catalog,
  { repository, folder }: Omit<ManifestRef, 'number'>,
  options: CallOptions,
): Promise<Survey> {
  const storage = repositoryNamed(parts, repository)
  await storage.sync(folder, options)
  const known = catalog.points.reduce((highest, row) => (row.folder === folder ? Math.max(highest, row.number) : highest), 0)
  return await surveyFolder(storage, { repository, folder }, known, options)
}

/** An earlier attempt of this run had committed, and the database was rolled back since (rule adopt). */
export async function adoptWritten(
  parts: EngineParts,
  attempt: Attempt,
  { reference, manifest }: NonNullable<Survey['committed']>,
  options: CallOptions,
): Promise<Success> {
  try {
    await attempt.aim({ target: reference, reads: [] }, options)
  } catch (error) {
    if (codeOf(error) !== 'POINT_CONDEMNED') throw error
    throw new HoldfastError('NUMBER_TAKEN', `${manifestPath(reference.folder, reference.number)} is being deleted.`, { cause: error })
  }
  await repositoryNamed(parts, reference.repository).sync(reference.folder, options)
  return writtenSuccess(reference, manifest)
}

/**
 * Runs `body`; when it fails because of what is stored, a verification of all that it reads follows, which finds the damage and sets points aside. Without it
 * nobody would know, and increments would be built on them.
 */
export async function verifiedOnDamage<Result>(
  parts: EngineParts,
  attempt: Attempt,
  suspects: readonly Suspects[],
  body: () => Promise<Result>,
): Promise<Result> {
  try {
    return await body()
  } catch (error) {
    if (!isDamage(attempt, error)) throw error
    const { key, planId, priority } = attempt.run
    const requests = suspects
      .filter(({ points }) => points.length > 0)
      .map(({ repository, points }) => ({
        ...runRequest(parts, `${key}/verify/${repository}`, { operation: 'verify', repository, points, ifThere: true, mode: 'full' }),
        ...(planId !== undefined && { planId }),
        priority,
      }))
    await cleanUp(parts, (options) => parts.store.runs.create(requests, options))
    throw error
  }
}

/** Points of which one may be damaged, in one repository. */
export interface Suspects {
  readonly repository: string
  readonly points: readonly string[]
}

/** What is stored is damaged. A block that could not be read is damage when it is not the first time. */
export function isDamage({ run }: Attempt, error: unknown): boolean {
  const code = codeOf(error)
  if (code === 'CHECKSUM_MISMATCH' || code === 'POINT_DAMAGED' || code === 'IMAGE_DAMAGED') return true
  return isMediaError(error) && (run.failures > 0 || run.maxFailures === 1)
}

interface Rewritten {
  readonly by: 'merge' | 'copy'
  readonly target: ManifestRef
  /** Of the repository that is written to. */
  readonly repositoryId: string
  /** The point as it was read. */
  readonly from: Manifest
  /** Its place among the points where it is written; a merge keeps the one it has. */
  readonly sequence?: number
  readonly items: readonly ManifestItem[]
}

/** The same point, but for where and how it is stored. */
export function rewrittenManifest(
  parts: EngineParts,
  attempt: Attempt,
  { by, target, repositoryId, from, sequence, items }: Rewritten,
): Manifest {
  const storedIn = (manifest: Pick<Manifest, 'items'>) => fileEntriesOf(manifest).reduce((total, { size }) => total + size, 0)
  return {
    ...from,
    repositoryId,
    number: target.number,
    sequence: sequence ?? from.sequence,
    parents: Object.fromEntries(
      items.flatMap((item) => (item.type === 'disk' && item.parent !== undefined ? [[item.disk.key, item.parent]] : [])),
    ),
    items,
    bytes: { ...from.bytes, stored: from.bytes.stored - storedIn(from) + storedIn({ items }) },
    rewritten: { by, runKey: attempt.run.key, attempt: attempt.run.attempt, at: isoTime(parts.clock.now()) },
    software: { name: softwareName, version: softwareVersion },
  }
}
