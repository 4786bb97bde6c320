import { parseRepositoryPath } from '../../model/names.ts'
import { decodeRepositoryFile, encodeRepositoryFile, type RepositoryFile, repositoryFileName } from '../../model/repository-file.ts'
import type { CallOptions } from '../../spec/blocks.ts'
import { codeOf, HoldfastError } from '../../spec/errors.ts'
import { bytesOf } from '../../spec/helpers/bytes.ts'
import type { Store } from '../../spec/store.ts'
import { errorText } from '../error-text.ts'
import { type EngineParts, type Identity, repositoryNamed } from '../parts.ts'
import { readSmallFile } from './point-folder.ts'

/** What `repository.json` says about who may change this repository. */
export type Ownership =
  | { readonly state: 'ours'; readonly file: RepositoryFile }
  | { readonly state: 'foreign'; readonly file: RepositoryFile }
  /** The store knows points here, yet there is no `repository.json`: most likely nothing is mounted. */
  | { readonly state: 'missing' }
  /** Never used before. */
  | { readonly state: 'new' }

export async function readOwnership(parts: EngineParts, name: string, options: CallOptions): Promise<Ownership> {
  let bytes = await readRepositoryFile(parts, name, options)
  if (bytes === undefined) {
    const held = await lookInto(parts, name, options)
    // It was mounted between the two looks, or the listing lags behind: only a read is proof.
    if (held.repositoryFile || held.points) bytes = await readRepositoryFile(parts, name, options)
    if (bytes === undefined && isWithoutFile(held) && isWithoutFile(await lookInto(parts, name, options))) throw deleted(name)
    // A share that has gone again since is asked once more later.
    if (bytes === undefined && (held.repositoryFile || held.points)) throw comesAndGoes(name)
  }
  if (bytes === undefined) return { state: (await knowsPoints(parts.store, name, options)) ? 'missing' : 'new' }
  const file = decodeRepositoryFile(bytes)
  refuseTwice(parts, name, file)
  await refuseExchanged(parts, name, file, options)
  return { state: file.owner === parts.identity().storeId ? 'ours' : 'foreign', file }
}

async function readRepositoryFile(parts: EngineParts, name: string, options: CallOptions): Promise<Uint8Array | undefined> {
  try {
    return await readSmallFile(repositoryNamed(parts, name), repositoryFileName, options)
  } catch (error) {
    // A folder that is not there yet is a repository never used before, unless the store knows points in it.
    if (codeOf(error) === 'REPOSITORY_MISSING' && !(await knowsPoints(parts.store, name, options))) return undefined
    throw error
  }
}

async function knowsPoints(store: Store, repository: string, options: CallOptions): Promise<boolean> {
  for await (const _workload of store.points.workloads(repository, options)) return true
  return false
}

/** What a repository shows whose `repository.json` could not be read. */
interface Held {
  readonly points: boolean
  readonly repositoryFile: boolean
}

/** Points without a `repository.json`: the right disk is mounted, and somebody has deleted the file. */
const isWithoutFile = ({ points, repositoryFile }: Held): boolean => points && !repositoryFile

/** One listing says both, so a share that comes and goes cannot look as if only the file were gone. */
async function lookInto(parts: EngineParts, name: string, options: CallOptions): Promise<Held> {
  const held = { points: false, repositoryFile: false }
  try {
    for await (const { path } of repositoryNamed(parts, name).list('', options)) {
      if (path === repositoryFileName) return { ...held, repositoryFile: true }
      held.points ||= parseRepositoryPath(path).kind === 'manifest'
    }
    return held
  } catch (error) {
    if (codeOf(error) === 'REPOSITORY_MISSING') return { points: false, repositoryFile: false }
    throw error
  }
}

function comesAndGoes(name: string): HoldfastError {
  return new HoldfastError('REPOSITORY_MISSING', `Repository "${name}" came and went while repository.json was read.`)
}

function deleted(name: string): HoldfastError {
  return new HoldfastError('REPOSITORY_DAMAGED', `Repository "${name}" has points, but its repository.json was deleted.`)
}

/** Under two names the same points would be listed, pruned and missed twice. */
function refuseTwice(parts: EngineParts, name: string, { repositoryId }: RepositoryFile): void {
  const other = [...parts.recognised].find(([each, id]) => each !== name && id === repositoryId)?.[0]
  if (other !== undefined) throw sameTwice(other, name, repositoryId)
}

export function sameTwice(one: string, other: string, repositoryId: string): HoldfastError {
  return new HoldfastError('INVALID_OPTIONS', `Repositories "${one}" and "${other}" are the same one (${repositoryId}).`, {
    remedy: 'Give each repository one name, or each name a folder of its own.',
  })
}

/** Another disk mounted in the same place has another id: its points would look deleted. */
async function refuseExchanged(parts: EngineParts, name: string, file: RepositoryFile, options: CallOptions): Promise<void> {
  if (parts.recognised.get(name) === file.repositoryId) return
  for await (const workload of parts.store.points.workloads(name, options)) {
    const catalog = await parts.store.points.catalog(name, workload, options)
    for (const point of catalog.points) {
      const known = repositoryIdOf(point.summary)
      if (known === file.repositoryId) parts.recognised.set(name, file.repositoryId)
      if (known === undefined || known === file.repositoryId) return
      throw new HoldfastError(
        'REPOSITORY_CHANGED',
        `Repository "${name}" has the id ${file.repositoryId}, but the catalog knows it as ${known}.`,
      )
    }
  }
}

function repositoryIdOf(summary: unknown): string | undefined {
  const id = typeof summary === 'object' && summary !== null && 'repositoryId' in summary ? summary.repositoryId : undefined
  return typeof id === 'string' ? id : undefined
}

/** For operations that write: the repository is ours, or becomes ours because nobody has used it yet. Cheap, so it is asked before each manifest and each condemnation. */
export async function requireOwnership(parts: EngineParts, name: string, options: CallOptions): Promise<RepositoryFile> {
  const ownership = await readOwnership(parts, name, options)
  if (ownership.state === 'ours') {
    // Its put may have arrived late, after the answer that it failed: then nobody has made it durable yet.
    if (!parts.durable.has(name)) await repositoryNamed(parts, name).sync('', options)
    parts.durable.add(name)
    return ownership.file
  }
  if (ownership.state === 'new') return await createRepositoryFile(parts, name, options)
  if (ownership.state === 'missing') throw missing(name)
  throw foreign(parts, name, ownership.file)
}

/** For operations that only read. */
export async function requireRepository(parts: EngineParts, name: string, options: CallOptions): Promise<RepositoryFile> {
  const ownership = await readOwnership(parts, name, options)
  if (ownership.state === 'missing') throw missing(name)
  if (ownership.state === 'new') {
    throw new HoldfastError('NOT_FOUND', `Repository "${name}" has no repository.json: it holds no backups.`, {
      remedy: 'Check the folder given to this repository.',
    })
  }
  return ownership.file
}

/**
 * For a restore and a rescan: a `repository.json` that does not verify says nothing about the points, which verify by themselves. Undefined: it is
 * damaged.
 */
export async function requireReadable(parts: EngineParts, name: string, options: CallOptions): Promise<RepositoryFile | undefined> {
  try {
    return await requireRepository(parts, name, options)
  } catch (error) {
    if (codeOf(error) !== 'REPOSITORY_DAMAGED') throw error
    parts.logger.warn(`Repository "${name}" is read although its repository.json is damaged.`, { error: errorText(error) })
    return undefined
  }
}

/**
 * Asked before anybody believes that something is gone: a share that was unmounted meanwhile has nothing of anything. `repositoryId`: as it was read
 * before; undefined: it could not be read then either.
 */
export async function requireStillThere(
  parts: EngineParts,
  name: string,
  repositoryId: string | undefined,
  options: CallOptions,
): Promise<void> {
  const file = await requireReadable(parts, name, options)
  if (file?.repositoryId === repositoryId) return
  throw new HoldfastError('REPOSITORY_CHANGED', `Repository "${name}" was exchanged while it was read.`, { retryable: true })
}

/** Nothing is decided in the folder on which it should be mounted. One that is damaged is there. */
export async function refuseUnmounted(parts: EngineParts, name: string, options: CallOptions): Promise<void> {
  try {
    const { state } = await readOwnership(parts, name, options)
    if (state === 'missing') throw missing(name)
  } catch (error) {
    if (codeOf(error) !== 'REPOSITORY_DAMAGED') throw error
  }
}

function missing(name: string): HoldfastError {
  return new HoldfastError(
    'REPOSITORY_MISSING',
    `Repository "${name}" has no repository.json, but the catalog knows points in it: it is probably not mounted.`,
  )
}

function foreign(parts: EngineParts, name: string, file: RepositoryFile): HoldfastError {
  return new HoldfastError(
    'FOREIGN_OWNER',
    `Repository "${name}" is owned by the catalog ${file.owner}; this catalog is ${parts.identity().storeId}. It can be read, not changed.`,
    {
      remedy: `If the other catalog is gone for good: engine.rescan({ repository: '${name}', takeOver: '${file.owner}' }).`,
      details: { repository: name, owner: file.owner },
    },
  )
}

async function createRepositoryFile(parts: EngineParts, name: string, options: CallOptions): Promise<RepositoryFile> {
  const { storeId, epoch } = parts.identity()
  parts.claimed.add(name)
  const file: RepositoryFile = { formatVersion: 1, repositoryId: parts.ids.next(), owner: storeId, epoch }
  try {
    await repositoryNamed(parts, name).put(repositoryFileName, bytesOf(encodeRepositoryFile(file)), { ...options, ifAbsent: true })
    return file
  } catch (error) {
    // Two engines may begin at once, or the answer was lost: whoever created the name is the owner.
    const bytes = await readSmallFile(repositoryNamed(parts, name), repositoryFileName, options).catch(() => undefined)
    // The name is taken, yet there is nothing to read: the share went away in between.
    if (bytes === undefined) throw codeOf(error) === 'EXISTS' ? comesAndGoes(name) : error
    const found = decodeRepositoryFile(bytes)
    if (found.owner !== storeId) throw foreign(parts, name, found)
    await repositoryNamed(parts, name).sync('', options)
    return found
  }
}

/** Writes who owns the repository now. Only `start` (a newer epoch) and a take-over call it. */
export async function writeOwner(parts: EngineParts, name: string, file: RepositoryFile, options: CallOptions): Promise<void> {
  const { storeId, epoch } = parts.identity()
  if (file.owner === storeId && file.epoch >= epoch) return
  parts.claimed.add(name)
  await repositoryNamed(parts, name).put(repositoryFileName, bytesOf(encodeRepositoryFile({ ...file, owner: storeId, epoch })), options)
}

/**
 * A repository of ours that has seen an epoch which our store never gave to anybody proves that the database was rolled back: a higher one, or our own
 * although we did not write it. Other nodes open the same store too, so of a higher one the store is asked once more. The store's epoch is not raised
 * here: until everything was read again, whoever starts next must find the same.
 */
export async function rolledBack(
  parts: EngineParts,
  name: string,
  file: RepositoryFile,
  setIdentity: (identity: Identity) => void,
  options: CallOptions,
): Promise<boolean> {
  const { epoch } = parts.identity()
  if (file.epoch < epoch) return false
  if (file.epoch === epoch) return !parts.claimed.has(name)
  const again = await parts.store.open(options)
  setIdentity(again)
  return file.epoch >= again.epoch
}
