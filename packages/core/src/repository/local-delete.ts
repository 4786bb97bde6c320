import { dirname, relative, resolve, sep } from 'node:path'
import type { CallOptions } from '../spec/blocks.ts'
import { codeOf, HoldfastError } from '../spec/errors.ts'
import type { FileSystem } from '../spec/file-system.ts'
import { throwIfAborted } from '../spec/helpers/index.ts'
import type { LocalFolder } from './local-folder.ts'
import { removeTemporaries } from './local-put.ts'
import { aliasRecordName, belongsTo, folderOf, joinPath, nameOf, outside, temporaryName } from './paths.ts'
import { isAbsent } from './repository-errors.ts'

/** See `delete` of the Repository contract, for one file. */
export async function localDeleteFile(folder: LocalFolder, path: string, options: CallOptions): Promise<void> {
  throwIfAborted(options.signal)
  const parent = folderOf(path)
  if (await enterIfThere(folder, parent)) {
    await removeAliases(folder, parent, (hidden) => belongsTo(hidden, nameOf(path)) === 'alias')
    await unlinkIfThere(folder, path)
    await removeTemporaries(folder, path)
    await removeEmptyFolders(folder, parent)
  }
  await folder.syncDeepest(parent)
}

/** See `delete` of the Repository contract, for everything below a folder. */
export async function localDeleteTree(folder: LocalFolder, path: string, options: CallOptions): Promise<void> {
  throwIfAborted(options.signal)
  if (await enterIfThere(folder, path)) {
    await removeTree(folder, path, options)
    await removeEmptyFolders(folder, folderOf(path))
  }
  await folder.syncDeepest(folderOf(path))
}

async function enterIfThere(folder: LocalFolder, path: string): Promise<boolean> {
  await folder.enter('')
  try {
    await folder.enter(path)
    return true
  } catch (error) {
    if (isAbsent(error)) return false
    throw error
  }
}

async function unlinkIfThere(folder: LocalFolder, path: string): Promise<void> {
  await folder.fileSystem.unlink(folder.at(path)).catch((error: unknown) => {
    if (!isAbsent(error)) throw error
  })
}

async function removeTree(folder: LocalFolder, path: string, options: CallOptions): Promise<void> {
  // Somebody may still be writing here; he finds no folder in the end, and we do not chase him for ever.
  for (let attempt = 1; ; attempt++) {
    await removeAliases(folder, path, (hidden) => /^\..+~alias-[^~]*$/.test(hidden))
    for (const { name, kind } of await entriesOf(folder, path)) {
      throwIfAborted(options.signal)
      const entry = joinPath(path, name)
      if (kind === 'folder') await removeTree(folder, entry, options)
      else await unlinkIfThere(folder, entry)
    }
    try {
      return await folder.fileSystem.rmdir(folder.at(path))
    } catch (error) {
      if (isAbsent(error)) return
      if (!isOccupied(error) || attempt === 10) throw error
    }
  }
}

async function removeEmptyFolders(folder: LocalFolder, path: string): Promise<void> {
  for (let at = path; at !== ''; at = folderOf(at)) {
    try {
      await folder.fileSystem.rmdir(folder.at(at))
    } catch (error) {
      if (isOccupied(error)) return
      if (!isAbsent(error)) throw error
    }
  }
}

/** An alias that went may have taken its emptied folder along. */
async function entriesOf(folder: LocalFolder, path: string): ReturnType<FileSystem['readdir']> {
  return folder.fileSystem.readdir(folder.at(path)).catch((error: unknown) => {
    if (isAbsent(error)) return []
    throw error
  })
}

const isOccupied = (error: unknown): boolean => codeOf(error) === 'ENOTEMPTY' || codeOf(error) === 'EEXIST'

/** Aliases go before what they name, so that at no moment another tool finds a name that leads nowhere. */
async function removeAliases(folder: LocalFolder, parent: string, chosen: (hidden: string) => boolean): Promise<void> {
  const { fileSystem } = folder
  for (const { name, kind } of await entriesOf(folder, parent)) {
    if (kind !== 'link' || !chosen(name)) continue
    const record = folder.at(joinPath(parent, name))
    const alias = resolve(dirname(record), await fileSystem.readlink(record))
    if (alias.startsWith(folder.root + sep)) await removeAlias(folder, alias, folder.at(parent), name)
    await unlinkIfThere(folder, joinPath(parent, name))
  }
}

async function removeAlias(folder: LocalFolder, alias: string, parent: string, record: string): Promise<void> {
  const { fileSystem } = folder
  const path = relative(folder.root, alias).split(sep).join('/')
  try {
    await folder.enter(folderOf(path))
    const target = resolve(dirname(alias), await fileSystem.readlink(alias))
    // The name may have been given to another target since.
    if (dirname(target) !== parent || belongsTo(record, nameOf(target)) !== 'alias') return
    await fileSystem.unlink(alias)
    await removeEmptyFolders(folder, folderOf(path))
    await folder.syncDeepest(folderOf(path))
  } catch (error) {
    // EINVAL: what is there is no link, so it is not an alias of ours any more.
    if (!isAbsent(error) && codeOf(error) !== 'EINVAL') throw error
  }
}

/**
 * See `alias` of the Repository contract: a relative symbolic link, put in place by a rename. Before it, a hidden link beside the target says where the
 * alias is: so deleting the target finds its aliases without a search.
 */
export async function localAlias(
  folder: LocalFolder,
  path: string,
  target: string,
  random: () => string,
  options: CallOptions & { readonly replace?: boolean },
): Promise<void> {
  throwIfAborted(options.signal)
  const { fileSystem } = folder
  if (path === target) throw outside(path, 'an alias cannot name itself')
  const found = await folder
    .enter(folderOf(target))
    .then(() => fileSystem.lstat(folder.at(target)))
    .catch((error: unknown) => {
      if (!isAbsent(error)) throw error
      return undefined
    })
  if (found?.kind !== 'file') {
    await folder.enter('')
    throw new HoldfastError(
      'NOT_FOUND',
      `cannot make the alias '${path}': there is no file '${target}' in the repository at ${folder.root}`,
    )
  }
  await folder.make(folderOf(path), { root: false })
  await refuseToReplace(folder, path, options.replace === true ? ['link', 'file'] : ['link'])
  const link = relative(folderOf(path), target)
  if ((await linkAt(folder, path)) === link) return await folder.syncUp(folderOf(path))
  const record = joinPath(folderOf(target), aliasRecordName(nameOf(target), path))
  await fileSystem.symlink(relative(folderOf(target), path), folder.at(record)).catch((error: unknown) => {
    if (codeOf(error) === 'EEXIST') return
    const refused = ['EPERM', 'ENOTSUP', 'EOPNOTSUPP', 'ENOSYS'].includes(codeOf(error) ?? '')
    if (refused) throw new HoldfastError('UNSUPPORTED', `the file system of ${folder.root} has no symbolic links`, { cause: error })
    throw error
  })
  await folder.syncUp(folderOf(target))
  const temporary = joinPath(folderOf(path), temporaryName(nameOf(path), random()))
  await fileSystem.symlink(link, folder.at(temporary))
  await fileSystem.rename(folder.at(temporary), folder.at(path))
  await removeTemporaries(folder, path)
  await folder.syncUp(folderOf(path))
}

/** Where the alias leads, or undefined when there is none. */
async function linkAt(folder: LocalFolder, path: string): Promise<string | undefined> {
  return await folder.fileSystem.readlink(folder.at(path)).catch((error: unknown) => {
    // EINVAL: a file.
    if (!isAbsent(error) && codeOf(error) !== 'EINVAL') throw error
    return undefined
  })
}

/** The name of a file that is gone, or of an earlier alias: an alias takes the place of bytes only where that was asked for. */
async function refuseToReplace(folder: LocalFolder, path: string, allowed: readonly string[]): Promise<void> {
  const entry = await folder.fileSystem.lstat(folder.at(path)).catch((error: unknown) => {
    if (!isAbsent(error)) throw error
    return undefined
  })
  if (entry && !allowed.includes(entry.kind)) {
    throw new HoldfastError('EXISTS', `cannot make the alias '${path}' in the repository at ${folder.root}: a ${entry.kind} has that name`)
  }
}
