import { readSmallFile } from '../engine/points/point-folder.ts'
import { manifestPath } from '../model/names.ts'
import { decodeRepositoryFile, type RepositoryFile, repositoryFileName } from '../model/repository-file.ts'
import type { Finding } from '../model/run-outcome.ts'
import type { CallOptions } from '../spec/blocks.ts'
import { codeOf, HoldfastError } from '../spec/errors.ts'
import type { Repository } from '../spec/repository.ts'
import { judgePoints } from './judge-points.ts'
import { listFolders, type SeenFolder } from './list-folders.ts'
import type { OfflineOptions, OfflinePoint, OfflineRepository } from './offline-types.ts'
import { openPoint } from './open-point.ts'
import { isUnreadable, type ReadFolder, readFolder } from './read-folder.ts'
import { verifyPoints } from './verify-points.ts'

/** As many files without a manifest say that this is no repository: somebody's home would otherwise be read to its end. */
const filesOfStrangers = 10_000

/**
 * Reads what lies in a repository: every manifest and flag, no data. For the command line and for rescue tools; an engine has its store for this.
 * Whoever owns the repository may go on working in it meanwhile. Memory: one row for each point. It may be called again at any time; nothing is written.
 *
 * Throws REPOSITORY_MISSING when the folder is not there, or holds neither a `repository.json` nor points; UNSUPPORTED_FORMAT when `repository.json`
 * is of a newer version; ABORTED or the signal's reason; what the repository throws passes.
 */
export async function openOffline(options: OfflineOptions): Promise<OfflineRepository> {
  const { repository, meter, signal, clock, stallMs = 120_000 } = options
  const { file, finding } = await readRepositoryFile(repository, { signal })
  const seen = await foldersOf(repository, finding?.message === noFile, { signal })
  const folders: ReadFolder[] = []
  for (const [folder, each] of seen) {
    signal.throwIfAborted()
    meter?.step(`reading manifests, ${folders.length} of ${seen.size} points`)
    folders.push(await readFolder(repository, folder, each, { signal }))
  }
  const judged = judgePoints(folders, file?.repositoryId)
  const reading = { repository, clock, stallMs, ...(file !== undefined && { repositoryId: file.repositoryId }) }
  const findings = [
    ...(finding === undefined ? [] : [finding]),
    ...folders.flatMap((folder) => folder.findings),
    ...strangers(judged.points),
  ]
  return {
    ...(file !== undefined && { file }),
    ...judged,
    findings,
    notes: folders.flatMap((folder) => folder.notes),
    open: (point, call) => openPoint(reading, judged, point, call),
    verify: (call) => verifyPoints(reading, judged, findings, call),
  }
}

const noFile = `there is no ${repositoryFileName}, though there are points`

/** A file that cannot be used is a finding: points verify by themselves, and who owns them does not matter to a reader. */
async function readRepositoryFile(
  repository: Repository,
  options: CallOptions,
): Promise<{ readonly file?: RepositoryFile; readonly finding?: Finding }> {
  const found = (message: string) => ({ finding: { point: '', file: repositoryFileName, message } })
  try {
    const bytes = await readSmallFile(repository, repositoryFileName, options)
    return bytes === undefined ? found(noFile) : { file: decodeRepositoryFile(bytes) }
  } catch (error) {
    if (codeOf(error) !== 'REPOSITORY_DAMAGED' && codeOf(error) !== 'POINT_DAMAGED' && !isUnreadable(error)) throw error
    return found((error as Error).message)
  }
}

/** `stranger`: there is no `repository.json`, so it is most likely another folder, or the disk is not mounted. */
async function foldersOf(repository: Repository, stranger: boolean, { signal }: CallOptions): Promise<ReadonlyMap<string, SeenFolder>> {
  if (!stranger) return await listFolders(repository, { signal })
  try {
    const seen = await listFolders(repository, { signal, unless: filesOfStrangers })
    if (seen.size > 0) return seen
  } catch (error) {
    // A part of it may be closed to us; then it is no repository either.
    if (!isUnreadable(error)) throw error
  }
  throw notARepository()
}

function notARepository(): HoldfastError {
  return new HoldfastError('REPOSITORY_MISSING', `there is no ${repositoryFileName} and no restore point in it`, {
    remedy: 'Name the folder that holds repository.json. If it should be here: mount the disk or share, then try again.',
  })
}

function strangers(points: readonly OfflinePoint[]): readonly Finding[] {
  return points
    .filter(({ state }) => state === 'foreign')
    .map(({ id, folder, number, problem = '' }) => ({ point: id, file: manifestPath(folder, number), message: problem }))
}
