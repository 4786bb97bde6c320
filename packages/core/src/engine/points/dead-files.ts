import { flagFiles } from '../../model/flags.ts'
import type { Manifest } from '../../model/manifest.ts'
import { filesOfManifest } from '../../model/manifest-files.ts'
import { highestNumber, manifestPath } from '../../model/names.ts'
import type { CallOptions } from '../../spec/blocks.ts'
import { codeOf } from '../../spec/errors.ts'
import type { Repository } from '../../spec/repository.ts'
import type { ManifestRef } from '../../spec/store.ts'
import { readNumber, viewFolder } from './point-folder.ts'

/** What the removal of dead numbers left behind. */
export interface DeadFiles {
  /** A live manifest is left, or one that cannot be read: the point still exists, and what such a one might name is not deleted. */
  readonly live: boolean
  readonly deletedBytes: number
  /** Dead numbers with files that a live manifest still names. */
  readonly stillNamed: ReadonlySet<number>
  /** The path of a manifest that cannot be read. Nothing was deleted, and every dead manifest must stay: ask again when that one is mended or gone. */
  readonly undecided?: string
}

const nothingDeleted = { deletedBytes: 0, stillNamed: new Set<number>() }

/**
 * Deletes the files of dead numbers of one folder, unless a live manifest still names them (rule named-stays). Dead numbers are made durable
 * before the first file goes (rule sync-deletes): after a power loss no manifest may come back whose files are gone. `known`: a number that the caller knows of; a
 * listing may hide the very manifest that names a file, so each number up to the first absent one above all known is read.
 */
export async function removeDeadFiles(
  repository: Repository,
  where: Omit<ManifestRef, 'number'>,
  options: CallOptions,
  known: number,
): Promise<DeadFiles> {
  const view = await viewFolder(repository, where.folder, options)
  const dead: number[] = []
  const named = new Set<string>()
  let newest: Manifest | undefined
  const last = Math.max(view.highest, known)
  for (let number = 1; number <= highestNumber; number++) {
    const seen = await readNumber(repository, { ...where, number }, options)
    if (seen.state === 'absent' && number > last) break
    if (seen.state === 'damaged') return { live: true, ...nothingDeleted, undecided: manifestPath(where.folder, number) }
    if (seen.state === 'dead') dead.push(number)
    if (seen.state !== 'live') continue
    newest = seen.manifest
    for (const file of filesOfManifest(seen.manifest)) named.add(`${where.folder}/${file}`)
  }
  const live = newest !== undefined
  if (dead.length === 0) return { live, ...nothingDeleted }
  await repository.sync(where.folder, options)
  // What no dead number has is named, or being written (rule targets-stay).
  const isDead = (path: string) => dead.some((number) => path.startsWith(`${where.folder}/${number}/`))
  const staying = view.files.map(({ path }) => path).filter((path) => !isDead(path))
  const aliases = aliasesOf(newest, new Set([...named, ...staying]))
  let deletedBytes = 0
  const stillNamed = new Set<number>()
  // First, and in the place of the file: a program that follows a child's backing name finds one of the two at any time.
  const made = new Set<string>()
  for (const [path, target] of aliases) if (await makeAlias(repository, path, target, options)) made.add(path)
  for (const number of dead) {
    const prefix = `${where.folder}/${number}/`
    const files = view.files.filter((file) => file.path.startsWith(prefix))
    const going = files.filter((file) => !named.has(file.path))
    for (const file of going) {
      if (!made.has(file.path)) await repository.delete(file.path, options)
      deletedBytes += file.size
    }
    // Nothing below is named any more: what killed writers left invisible goes too.
    if ([...named].some((path) => path.startsWith(prefix))) stillNamed.add(number)
    else if (![...made].some((path) => path.startsWith(prefix))) await repository.delete(prefix, options)
  }
  return { live, deletedBytes, stillNamed }
}

/** False: where there are no links, or the file that was to be named is lost, other programs lose a name and nothing else. */
async function makeAlias(repository: Repository, path: string, target: string, options: CallOptions): Promise<boolean> {
  if (!repository.alias) return false
  try {
    await repository.alias(path, target, { ...options, replace: true })
    return true
  } catch (error) {
    if (codeOf(error) !== 'NOT_FOUND' && codeOf(error) !== 'UNSUPPORTED') throw error
    return false
  }
}

/** Old names of disks that were written anew, with the file that holds each disk now; not those of files that stay. */
function aliasesOf(newest: Manifest | undefined, staying: ReadonlySet<string>): ReadonlyMap<string, string> {
  const aliases = new Map<string, string>()
  for (const item of newest?.items ?? []) {
    for (const old of item.replaces ?? []) {
      const path = `${newest?.folder}/${old}`
      if (!staying.has(path)) aliases.set(path, `${newest?.folder}/${item.file.path}`)
    }
  }
  return aliases
}

/** Flags belong to the point; they go when its last manifest is dead. */
export async function removeFlagFiles(repository: Repository, folder: string, options: CallOptions): Promise<void> {
  for (const name of flagFiles) await repository.delete(`${folder}/${name}`, options)
}

/** After the grace time no late request of a dead attempt can arrive any more, and the empty manifest may go. */
export async function removeDeadManifest(repository: Repository, reference: ManifestRef, options: CallOptions): Promise<void> {
  const seen = await readNumber(repository, reference, options)
  if (seen.state === 'dead') await repository.delete(manifestPath(reference.folder, reference.number), options)
}
