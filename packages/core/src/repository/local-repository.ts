import { isAbsolute, resolve } from 'node:path'
import { systemClock } from '../clock.ts'
import { randomIds } from '../ids.ts'
import type { Clock, Ids } from '../spec/clock.ts'
import { HoldfastError } from '../spec/errors.ts'
import type { FileSystem } from '../spec/file-system.ts'
import { invalidOptions, type OptionsMistake, showValue, unknownKeys } from '../spec/helpers/index.ts'
import type { Repository } from '../spec/repository.ts'
import { localAlias, localDeleteFile, localDeleteTree } from './local-delete.ts'
import { localFolder } from './local-folder.ts'
import { localCheck, localList, localSync } from './local-list.ts'
import { localOpen } from './local-open.ts'
import { localPut } from './local-put.ts'
import { nodeFileSystem } from './node-file-system.ts'
import { checkFolder, checkPath, checkPrefix } from './paths.ts'
import { readError, storageError } from './repository-errors.ts'

/** Where the repository of {@link localRepository} is, and what it works with. Only `folder` has no default. */
export interface LocalRepositoryOptions {
  /**
   * Absolute path of the folder that holds the repository: a disk of this machine or a mounted share. It is made, with what is missing above it, when
   * `repository.json` is put; every other call finds REPOSITORY_MISSING while it is not there, so that an unmounted share never fills the disk below.
   */
  readonly folder: string
  /**
   * Whether large files are written past the page cache, which halves the CPU time of a durable write and leaves the cache to the machines beside us.
   * `auto`, the default: where the file system allows it, and through the cache where it does not. `never`: through the cache, so that what was just
   * written is read from memory. Says nothing about a `fileSystem` given here.
   */
  readonly directIo?: 'auto' | 'never'
  /** Every call to the file system goes through it. Default: the one of this machine. */
  readonly fileSystem?: FileSystem
  /** What the age of files is measured with. Must run with the clock of the machine that holds the disk, which stamps them. Default: the clock of this machine. */
  readonly clock?: Clock
  /** Names of temporary files. */
  readonly ids?: Ids
}

/**
 * A repository in a folder. Needs hard links and durable `fsync` of files and folders (ext4, xfs, btrfs, zfs, NFS).
 *
 * `put` writes a hidden temporary file in the folder of its target, syncs it, and gives it its name by a hard link (`ifAbsent`: POSIX refuses a taken
 * name) or a rename (what may be put again), then syncs the folder and every folder above it. An empty file is made or cut in place, which also works on
 * a full disk. A failed sync fails the put; it is never tried a second time on the same file. Aborting removes the temporary file and nothing else.
 * Files get mode 0600, folders 0700. Symbolic links are never followed below the root: PATH_OUTSIDE.
 *
 * Age is the distance between `clock` and the modification time of the file. On a network share the two clocks may differ: keep the grace time of the
 * engine far above that difference.
 *
 * Error codes: ACCESS_DENIED (may not be read), DISK_FULL, EXISTS, INVALID_OPTIONS (also: the path is a file), NOT_FOUND, PATH_OUTSIDE,
 * REPOSITORY_FAILED, REPOSITORY_MISSING, REPOSITORY_NOT_WRITABLE, TRUNCATED, UNSUPPORTED, and ABORTED or the reason of the signal.
 *
 * @example
 * ```ts
 * const repository = localRepository({ folder: '/srv/backup' })
 * ```
 */
export function localRepository(options: LocalRepositoryOptions): Repository {
  assertOptions(options)
  const clock = options.clock ?? systemClock
  const ids = options.ids ?? randomIds
  const folder = localFolder(resolve(options.folder), options.fileSystem ?? nodeFileSystem({ directIo: options.directIo ?? 'auto' }))
  const random = (): string => ids.next()
  const mapped =
    (action: string) =>
    (error: unknown): never => {
      throw storageError(error, folder.root, action)
    }
  return {
    specVersion: 1,
    createIfAbsent: 'atomic',
    check: (call) => localCheck(folder, call),
    async put(path, bytes, { size, ifAbsent, retainUntil, signal }) {
      checkPath(path)
      if (retainUntil !== undefined) {
        throw new HoldfastError('UNSUPPORTED', `cannot keep '${path}' until ${retainUntil}: a folder has no retention lock`)
      }
      return localPut(folder, { path, bytes, random, size, ifAbsent }, { signal })
    },
    open: async (path, call) =>
      localOpen(folder, checkPath(path), call).catch((error: unknown) => {
        throw readError(error, folder.root, `open '${path}'`)
      }),
    list: (prefix, call) => localList(folder, checkPrefix(prefix), clock, call),
    sync: async (path, call) => localSync(folder, checkFolder(path), call).catch(mapped(`sync '${path}'`)),
    async delete(path, call) {
      const action = path.endsWith('/')
        ? localDeleteTree(folder, checkPath(path.slice(0, -1)), call)
        : localDeleteFile(folder, checkPath(path), call)
      await action.catch(mapped(`delete '${path}'`))
    },
    alias: async (path, target, call) =>
      localAlias(folder, checkPath(path), checkPath(target), random, call).catch(mapped(`make the alias '${path}'`)),
    async [Symbol.asyncDispose]() {},
  }
}

const known = ['folder', 'directIo', 'fileSystem', 'clock', 'ids'] satisfies readonly (keyof LocalRepositoryOptions)[]
const alsoFolder = { path: 'folder', directory: 'folder', dir: 'folder', root: 'folder' }

function assertOptions(options: LocalRepositoryOptions): void {
  const mistakes: OptionsMistake[] = [...unknownKeys(options, known, alsoFolder)]
  const { folder, directIo }: Partial<LocalRepositoryOptions> = options ?? {}
  if (folder === undefined) mistakes.push({ path: 'folder', problem: 'is missing; expected an absolute path' })
  else if (typeof folder !== 'string' || !isAbsolute(folder))
    mistakes.push({ path: 'folder', problem: `is ${showValue(folder)}; expected an absolute path` })
  if (directIo !== undefined && directIo !== 'auto' && directIo !== 'never')
    mistakes.push({ path: 'directIo', problem: `is ${showValue(directIo)}; expected 'auto' or 'never'` })
  if (mistakes.length > 0) throw invalidOptions('localRepository', mistakes)
}
