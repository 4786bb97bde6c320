import { dirname, join } from 'node:path'
import { codeOf } from '../spec/errors.ts'
import type { FileSystem } from '../spec/file-system.ts'
import { folderOf, outside } from './paths.ts'
import { isAbsent, missing, notAFolder } from './repository-errors.ts'

/** The folder of a repository: turns its relative paths into real ones that cannot leave it, and makes names durable. */
export interface LocalFolder {
  readonly root: string
  readonly fileSystem: FileSystem
  /** The real path. Never touches the disk. */
  at(path: string): string
  /** Rejects with PATH_OUTSIDE if the folder is reached through a symbolic link, with ENOENT if it is not there, REPOSITORY_MISSING without a root. */
  enter(folder: string): Promise<void>
  /** Makes the folder and what is missing above it. The root itself is made only for `repository.json`: elsewhere its absence means that it is not mounted. */
  make(folder: string, options: { readonly root: boolean }): Promise<void>
  /** Makes the names in this folder durable, and its own name, up to the root. */
  syncUp(folder: string): Promise<void>
  /** Makes durable that something below this folder is gone: the deepest folder that is still there is synced. */
  syncDeepest(folder: string): Promise<void>
  /** Syncs one file or folder by its real path. */
  syncEntry(path: string, how: 'read' | 'folder'): Promise<void>
}

export function localFolder(root: string, fileSystem: FileSystem): LocalFolder {
  const at = (path: string): string => (path === '' ? root : join(root, path))
  const enter = entering(root, fileSystem, at)
  const sync = (path: string): Promise<void> => syncEntry(path === '' ? followed(root) : at(path), 'folder', fileSystem)

  async function make(folder: string, options: { readonly root: boolean }): Promise<void> {
    if (options.root && folder === '') await makeRoot(root, fileSystem)
    try {
      await enter(folder)
    } catch (error) {
      if (codeOf(error) !== 'ENOENT' || folder === '') throw error
      await make(folderOf(folder), options)
      await makeOne(at(folder), fileSystem)
      await enter(folder)
    }
  }

  async function syncUp(folder: string): Promise<void> {
    for (let path = folder; ; path = folderOf(path)) {
      await sync(path)
      if (path === '') return
    }
  }

  async function syncDeepest(folder: string): Promise<void> {
    for (let path = folder; ; path = folderOf(path)) {
      try {
        return await sync(path)
      } catch (error) {
        if (!isAbsent(error)) throw error
        if (path === '') throw missing(root, error)
      }
    }
  }

  return { root, fileSystem, at, enter, make, syncUp, syncDeepest, syncEntry: (path, how) => syncEntry(path, how, fileSystem) }
}

function entering(root: string, fileSystem: FileSystem, at: (path: string) => string): LocalFolder['enter'] {
  let realRoot: string | undefined

  async function requireRoot(): Promise<string> {
    try {
      const real = await fileSystem.realpath(root)
      await requireFolder(real, root, root, fileSystem)
      return real
    } catch (error) {
      throw isAbsent(error) ? missing(root, error) : error
    }
  }

  return async (folder) => {
    if (folder === '') {
      realRoot = await requireRoot()
      return
    }
    realRoot ??= await requireRoot()
    const real = await fileSystem.realpath(at(folder)).catch(async (error: unknown) => {
      if (isAbsent(error)) realRoot = await requireRoot()
      throw error
    })
    if (real === join(realRoot, folder)) return
    // The root may itself be a link that was turned to another disk meanwhile.
    realRoot = await requireRoot()
    if (real !== join(realRoot, folder)) throw outside(folder, `it leads through a symbolic link to ${real}`)
  }
}

/** Else a read would find nothing in it, and a write something that is no help to anybody. `real`: where `path` leads. */
async function requireFolder(real: string, path: string, root: string, fileSystem: FileSystem): Promise<void> {
  if ((await fileSystem.lstat(real)).kind !== 'folder') throw notAFolder(root, path)
}

/** The root, and what is above it, may be reached through symbolic links: with a slash at its end a path means the folder behind the link. */
const followed = (path: string): string => `${path}/`

async function makeOne(path: string, fileSystem: FileSystem): Promise<void> {
  await fileSystem.mkdir(path).catch((error: unknown) => {
    if (codeOf(error) !== 'EEXIST') throw error
  })
}

async function makeRoot(root: string, fileSystem: FileSystem): Promise<void> {
  const made: string[] = []
  for (let path = root; ; path = dirname(path)) {
    try {
      await requireFolder(await fileSystem.realpath(path), path, root, fileSystem)
      break
    } catch (error) {
      if (!isAbsent(error) || path === dirname(path)) throw error
      made.unshift(path)
    }
  }
  for (const path of made) await makeOne(path, fileSystem)
  // Also when it was there: whoever made it may have died before its name was durable.
  for (const path of made.length > 0 ? made : [root]) await syncAbove(dirname(path), fileSystem)
}

async function syncAbove(path: string, fileSystem: FileSystem): Promise<void> {
  await syncEntry(followed(path), 'folder', fileSystem).catch((error: unknown) => {
    // The folder above the repository may belong to somebody else; then he made ours, and we could not.
    if (codeOf(error) !== 'EACCES' && codeOf(error) !== 'EPERM') throw error
  })
}

async function syncEntry(path: string, how: 'read' | 'folder', fileSystem: FileSystem): Promise<void> {
  const file = await fileSystem.open(path, how)
  try {
    await file.sync()
  } finally {
    await file.close()
  }
}
