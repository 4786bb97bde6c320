import type { CallOptions } from '../spec/blocks.ts'
import type { Check } from '../spec/check.ts'
import type { Clock } from '../spec/clock.ts'
import { HoldfastError } from '../spec/errors.ts'
import type { FileSystemEntry } from '../spec/file-system.ts'
import { formatBytes, throwIfAborted } from '../spec/helpers/index.ts'
import type { LocalFolder } from './local-folder.ts'
import { joinPath } from './paths.ts'
import { isAbsent, readError, storageError } from './repository-errors.ts'

export interface ListedFile {
  readonly path: string
  readonly size: number
  readonly ageMs: number
}

/** See `list` of the Repository contract. Symbolic links are neither shown nor followed; what vanishes meanwhile is left out. */
export async function* localList(
  folder: LocalFolder,
  prefix: string,
  clock: Clock,
  options: CallOptions,
): AsyncGenerator<ListedFile, void, undefined> {
  throwIfAborted(options.signal)
  const mapped = (error: unknown): never => {
    throw readError(error, folder.root, `list '${prefix}'`)
  }
  await folder.enter('').catch(mapped)
  const entered = await folder.enter(prefix).then(
    () => true,
    (error: unknown) => (isAbsent(error) ? false : mapped(error)),
  )
  const folders = entered ? [prefix] : []
  for (let parent = folders.pop(); parent !== undefined; parent = folders.pop()) {
    for (const { name, kind } of await unlessGone(folder.fileSystem.readdir(folder.at(parent)), []).catch(mapped)) {
      throwIfAborted(options.signal)
      const path = joinPath(parent, name)
      if (name.startsWith('.')) continue
      if (kind === 'folder') folders.push(path)
      if (kind !== 'file') continue
      const entry = await unlessGone<FileSystemEntry | undefined>(folder.fileSystem.lstat(folder.at(path)), undefined).catch(mapped)
      if (entry?.kind === 'file') yield { path, size: entry.size, ageMs: Math.max(0, Math.round(clock.now() - entry.modifiedAt)) }
    }
  }
}

async function unlessGone<Result>(call: Promise<Result>, otherwise: Result): Promise<Result> {
  try {
    return await call
  } catch (error) {
    if (isAbsent(error)) return otherwise
    throw error
  }
}

/** See `sync` of the Repository contract. */
export async function localSync(folder: LocalFolder, path: string, options: CallOptions): Promise<void> {
  throwIfAborted(options.signal)
  await folder.enter('')
  try {
    await folder.enter(path)
  } catch (error) {
    if (!isAbsent(error)) throw error
    // Nothing is visible in it; that it is gone shall last as well.
    return folder.syncDeepest(path)
  }
  for (const { name, kind } of await unlessGone(folder.fileSystem.readdir(folder.at(path)), [])) {
    throwIfAborted(options.signal)
    if (kind === 'file' && !name.startsWith('.')) await unlessGone(folder.syncEntry(folder.at(joinPath(path, name)), 'read'), undefined)
  }
  await unlessGone(folder.syncUp(path), undefined)
}

/** See `check` of the Repository contract. Writes nothing: it must be right on a full disk and harmless on a foreign one. */
export async function localCheck(folder: LocalFolder, options: CallOptions): Promise<readonly Check[]> {
  throwIfAborted(options.signal)
  const { root, fileSystem } = folder
  const reachable = await attempt(
    'reachable',
    (error) => readError(error, root, 'read'),
    async () => {
      await folder.enter('')
      await fileSystem.readdir(root)
      return { name: 'reachable', status: 'ok', message: `The repository at ${root} can be read` }
    },
  )
  if (reachable.status === 'error') return [reachable]
  const writable = await attempt(
    'writable',
    (error) => storageError(error, root, 'write'),
    async () => {
      await fileSystem.checkWritable(root)
      return { name: 'writable', status: 'ok', message: `The repository at ${root} can be written` }
    },
  )
  const space = await attempt(
    'free space',
    (error) => readError(error, root, 'measure the free space'),
    async () => {
      const { freeBytes, totalBytes } = await fileSystem.space(root)
      const low = freeBytes < totalBytes / 20
      const message = `${formatBytes(freeBytes)} of ${formatBytes(totalBytes)} are free at ${root}`
      return { name: 'free space', status: freeBytes === 0 ? 'error' : low ? 'warning' : 'ok', message, details: { freeBytes, totalBytes } }
    },
  )
  return [reachable, writable, space]
}

async function attempt(name: string, mapped: (error: unknown) => unknown, work: () => Promise<Check>): Promise<Check> {
  try {
    return await work()
  } catch (error) {
    const failure = mapped(error)
    if (!HoldfastError.isInstance(failure)) throw failure
    return { name, status: 'error', message: failure.message, details: { code: failure.code, remedy: failure.remedy } }
  }
}
