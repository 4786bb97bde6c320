import { constants } from 'node:fs'
import { chmod, type FileHandle, lstat, mkdir, open, readdir, realpath, rename, rm, rmdir, stat, statfs, unlink } from 'node:fs/promises'
import { dirname, join, relative, sep } from 'node:path'
import { codeOf, HoldfastError } from '@holdfast/core/spec'
import { targetError } from './target-errors.ts'

/** The folder that a restore writes into. What is unfinished has a hidden name that says so, and goes on every way out but the death of the process. */
export interface TargetFolder {
  readonly path: string
  /** Bytes that can still be written. */
  freeBytes(): Promise<number>
  /** Makes a file: `write` fills it, then it is made durable and gets its name. When `write` rejects, nothing of it is left. */
  file(name: string, write: (handle: FileHandle) => Promise<void>): Promise<void>
  /** The same for a folder; `fill` makes what is in it durable. It gets the path of the folder under its unfinished name. */
  folder(name: string, fill: (path: string) => Promise<void>): Promise<void>
  /** Takes back the folders that were made for it, as far as they are empty. */
  giveUp(): Promise<void>
}

/**
 * Takes a folder that is empty, or makes it. Throws EXISTS when something is in it, INVALID_OPTIONS when it is or would be inside the repository: nothing
 * is ever written there; what the file system says otherwise as {@link targetError} tells it.
 */
export async function openTarget(path: string, repository: string): Promise<TargetFolder> {
  await refuseInside(path, repository)
  const made = await makeFolders(path).catch((error: unknown) => {
    throw targetError(error, path)
  })
  const names = await readdir(path).catch((error: unknown) => {
    throw targetError(error, path)
  })
  if (names.length > 0) throw notEmpty(path, names)
  const finish = async (name: string, unfinished: string): Promise<void> => {
    const final = join(path, name)
    // The folder was empty and is ours. What came since is somebody else's, and a rename would replace it.
    if (await exists(final))
      throw new HoldfastError('EXISTS', `${final} came while the restore was running.`, { remedy: 'Name another folder with --into.' })
    await rename(unfinished, final)
    await syncFolder(path)
  }
  return {
    path,
    async freeBytes() {
      const { bavail, bsize } = await statfs(path)
      return bavail * bsize
    },
    file: (name, write) => makeFile(join(path, unfinishedName(name)), join(path, name), write, (unfinished) => finish(name, unfinished)),
    folder: (name, fill) => makeFolder(join(path, unfinishedName(name)), join(path, name), fill, (unfinished) => finish(name, unfinished)),
    async giveUp() {
      for (const folder of [...made].reverse()) await rmdir(folder).catch(() => {})
    },
  }
}

const unfinishedName = (name: string): string => `.${name}.unfinished`

async function refuseInside(path: string, repository: string): Promise<void> {
  const [target, root] = [await realPathOf(path), await realpath(repository)]
  const away = relative(root, target)
  if (away !== '' && (away === '..' || away.startsWith(`..${sep}`))) return
  throw new HoldfastError('INVALID_OPTIONS', `${path} is inside the repository ${repository}, where this command writes nothing.`, {
    remedy: 'Name a folder somewhere else with --into.',
  })
}

/** The real path of what may not be there yet. */
async function realPathOf(path: string): Promise<string> {
  const missing: string[] = []
  for (let above = path; ; above = dirname(above)) {
    const real = await realpath(above).catch(() => undefined)
    if (real !== undefined) return join(real, ...missing)
    if (above === dirname(above)) return path
    missing.unshift(above.slice(dirname(above).length).replace(/^\/+/, ''))
  }
}

/** Answers those that were made, outermost first. */
async function makeFolders(path: string): Promise<readonly string[]> {
  const missing: string[] = []
  for (let folder = path; !(await exists(folder)); folder = dirname(folder)) missing.unshift(folder)
  for (const folder of missing) {
    await mkdir(folder, { mode: 0o700 })
    await syncFolder(dirname(folder)).catch(() => {})
  }
  const about = await stat(path)
  if (!about.isDirectory())
    throw new HoldfastError('EXISTS', `${path} is there and no folder.`, { remedy: 'Name a new or empty folder with --into.' })
  return missing
}

const exists = (path: string): Promise<boolean> =>
  lstat(path).then(
    () => true,
    (error: unknown) => {
      if (codeOf(error) === 'ENOENT') return false
      throw error
    },
  )

function notEmpty(path: string, names: readonly string[]): HoldfastError {
  const unfinished = names.find((name) => name.startsWith('.') && name.endsWith('.unfinished'))
  const what =
    unfinished === undefined
      ? `it holds ${names.length === 1 ? '' : `${names.length} names, `}"${names[0]}"`
      : `"${unfinished}" is from a restore that was killed`
  return new HoldfastError('EXISTS', `${path} is not empty: ${what}. A restore never writes beside other files.`, {
    remedy: `Name a new folder, for example --into ${join(path, 'restored')}, or empty this one.`,
  })
}

async function syncFolder(path: string): Promise<void> {
  const handle = await open(path, constants.O_RDONLY | constants.O_DIRECTORY)
  try {
    await handle.sync()
  } finally {
    await handle.close()
  }
}

type Finish = (unfinished: string) => Promise<void>

async function makeFile(unfinished: string, final: string, write: (handle: FileHandle) => Promise<void>, finish: Finish): Promise<void> {
  try {
    const handle = await open(unfinished, 'wx', 0o600)
    try {
      await write(handle)
      await handle.sync()
    } finally {
      await handle.close()
    }
    await finish(unfinished)
  } catch (error) {
    await unlink(unfinished).catch(() => {})
    throw targetError(error, final)
  }
}

async function makeFolder(unfinished: string, final: string, fill: (path: string) => Promise<void>, finish: Finish): Promise<void> {
  try {
    await mkdir(unfinished, { mode: 0o700 })
    await fill(unfinished)
    await finish(unfinished)
  } catch (error) {
    await removeTree(unfinished)
    throw targetError(error, final)
  }
}

/** Folders of an archive may forbid that anything in them is removed. */
async function removeTree(path: string): Promise<void> {
  const remove = () => rm(path, { recursive: true, force: true })
  await remove().catch(async () => {
    await openFolders(path)
    await remove().catch(() => {})
  })
}

async function openFolders(path: string): Promise<void> {
  await chmod(path, 0o700).catch(() => {})
  for (const entry of await readdir(path, { withFileTypes: true }).catch(() => []))
    if (entry.isDirectory()) await openFolders(join(path, entry.name))
}
