import { parseRepositoryPath, workloadKey } from '../model/names.ts'
import type { CallOptions } from '../spec/blocks.ts'
import type { ManifestRef } from '../spec/store.ts'
import { errorText } from './error-text.ts'
import { strangerBecause } from './operations/rescan.ts'
import { type EngineParts, repositoryNamed } from './parts.ts'
import { removeDeadFiles, removeDeadManifest, removeFlagFiles } from './points/dead-files.ts'
import { readOwnership } from './points/ownership.ts'
import { decideNumber, readNumber } from './points/point-folder.ts'
import { undoLostAgain, undoOpenIntents, undoUnknown } from './runs/undo-leftovers.ts'

/**
 * Removes what attempts have left that nobody will finish: on the platforms, and in the repositories that are ours. A platform or repository that
 * cannot be reached now is swept the next time; it keeps nothing else from being swept. Answers the repositories with a point that the catalog
 * does not know: the database may be a copy of yesterday whose epoch tells nothing, because nobody has started since.
 */
export async function sweep(
  parts: EngineParts,
  options: CallOptions,
  repositories: Iterable<string> = parts.repositories.keys(),
): Promise<readonly string[]> {
  const unknown: string[] = []
  await undoOpenIntents(parts, {}, options)
  await undoLostAgain(parts, options)
  for (const name of parts.providers.keys()) await tolerant(parts, `provider "${name}"`, options, () => undoUnknown(parts, name, options))
  for (const name of repositories) {
    await tolerant(parts, `repository "${name}"`, options, async () => {
      const ownership = await readOwnership(parts, name, options)
      if (ownership.state === 'ours' && (await sweepRepository(parts, name, ownership.file.repositoryId, options))) unknown.push(name)
    })
  }
  return unknown
}

async function tolerant(parts: EngineParts, where: string, options: CallOptions, body: () => Promise<void>): Promise<void> {
  try {
    await body()
  } catch (error) {
    options.signal.throwIfAborted()
    const message = `${where} was not looked at for leftovers: ${error instanceof Error ? error.message : errorText(error)}`
    parts.logger.warn(message, { code: 'SWEEP_FAILED' })
    parts.events.emit('warning', { code: 'SWEEP_FAILED', message, cause: error })
  }
}

interface SeenNumber extends ManifestRef {
  readonly manifest: boolean
  readonly ageMs: number
}

/** True: there is a point that the catalog does not know. */
async function sweepRepository(parts: EngineParts, repository: string, repositoryId: string, options: CallOptions): Promise<boolean> {
  let unknown = false
  const storage = repositoryNamed(parts, repository)
  const numbers = await seenNumbers(parts, repository, options)
  const known = await knownReferences(parts, repository, options)
  for (const number of numbers) {
    if (known.has(keyOf(number))) continue
    const seen = number.manifest ? await readNumber(storage, number, options) : undefined
    if (!seen) {
      // Files without a manifest and without a run: the number is given up first, so that a late writer loses.
      const decided = await decideNumber(storage, number, options)
      if (decided.state === 'dead') await removeDeadFiles(storage, number, options, number.number)
    } else if (seen.state === 'live') {
      unknown ||= strangerBecause(seen.manifest, { workload: workloadKey(seen.manifest.workload), repositoryId }) === undefined
    } else if (seen.state === 'dead') {
      const { live, stillNamed, undecided } = await removeDeadFiles(storage, number, options, number.number)
      // Files of a number without a manifest would be taken for those of a lost writer.
      if (undecided !== undefined || stillNamed.has(number.number)) continue
      // Twice the grace time, because an age is as wrong as the clock: one that is ahead by as much must not let a late request win.
      if (number.ageMs < 2 * parts.graceMs || !parts.clockWatch.trusted()) continue
      // A flag may have been written while the point was being deleted.
      if (!live) await removeFlagFiles(storage, number.folder, options)
      await removeDeadManifest(storage, number, options)
    }
  }
  return unknown
}

/** Every number that a listing shows, by its manifest if that is visible, else by its files. */
async function seenNumbers(parts: EngineParts, repository: string, options: CallOptions): Promise<readonly SeenNumber[]> {
  const seen = new Map<string, SeenNumber>()
  for await (const file of repositoryNamed(parts, repository).list('', options)) {
    const parsed = parseRepositoryPath(file.path)
    if (parsed.kind !== 'manifest' && parsed.kind !== 'data') continue
    const key = keyOf(parsed)
    if (parsed.kind === 'manifest' || !seen.has(key)) {
      seen.set(key, { repository, folder: parsed.folder, number: parsed.number, manifest: parsed.kind === 'manifest', ageMs: file.ageMs })
    }
  }
  return [...seen.values()]
}

/** Rows of the catalog, and targets and reads of unfinished runs: nothing of these is a leftover (rule targets-stay). */
async function knownReferences(parts: EngineParts, repository: string, options: CallOptions): Promise<ReadonlySet<string>> {
  const known = new Set<string>()
  for await (const workload of parts.store.points.workloads(repository, options)) {
    const catalog = await parts.store.points.catalog(repository, workload, options)
    for (const each of [...catalog.points, ...catalog.inUse]) if (each.repository === repository) known.add(keyOf(each))
  }
  for await (const run of parts.store.runs.list({ states: ['queued', 'running'] }, options)) {
    if (run.target?.repository === repository) known.add(keyOf(run.target))
  }
  return known
}

function keyOf(reference: { readonly folder: string; readonly number: number }): string {
  return `${reference.folder}/${reference.number}`
}
