import type { ByteStream, CallOptions } from '../spec/blocks.ts'
import { codeOf, HoldfastError } from '../spec/errors.ts'
import type { FileSystem, OpenFile } from '../spec/file-system.ts'
import { type Pull, pullFrom, throwIfAborted } from '../spec/helpers/index.ts'
import type { LocalFolder } from './local-folder.ts'
import { belongsTo, folderOf, joinPath, nameOf, temporaryName } from './paths.ts'
import { isAbsent, storageError } from './repository-errors.ts'

export interface LocalPut {
  readonly path: string
  readonly bytes: ByteStream
  readonly random: () => string
  readonly size?: number | undefined
  readonly ifAbsent?: boolean | undefined
}

/** See `put` of the Repository contract. */
export async function localPut(folder: LocalFolder, put: LocalPut, options: CallOptions): Promise<{ readonly size: number }> {
  throwIfAborted(options.signal)
  const pull = pullFrom(put.bytes, options)
  try {
    if (put.ifAbsent) await refuseExisting(folder, put.path)
    const first = await pull.next()
    const size = first === undefined ? await putEmpty(folder, put) : await putWhole(folder, put, first, pull, options)
    await removeTemporaries(folder, put.path)
    await folder.syncUp(folderOf(put.path))
    return { size }
  } catch (error) {
    throw pull.threw(error) ? error : storageError(error, folder.root, `write '${put.path}'`)
  } finally {
    pull.close()
  }
}

/** Bytes are not read for a name that is taken. Other attempts at this name are over too, so their unfinished files go. */
async function refuseExisting(folder: LocalFolder, path: string): Promise<void> {
  try {
    await folder.enter(folderOf(path))
    await folder.fileSystem.lstat(folder.at(path))
  } catch (error) {
    // Without a root this goes on to the check that every put makes.
    if (isAbsent(error) || codeOf(error) === 'REPOSITORY_MISSING') return
    throw error
  }
  throw await exists(folder, path)
}

async function exists(folder: LocalFolder, path: string): Promise<HoldfastError> {
  await removeTemporaries(folder, path)
  return new HoldfastError('EXISTS', `'${path}' exists already in the repository at ${folder.root}`, { details: { path } })
}

/** Needs no free space when the name is there: an empty file takes none, and nothing is made beside it. */
async function putEmpty(folder: LocalFolder, put: LocalPut): Promise<number> {
  checkSize(folder, put, 0)
  const { path } = put
  try {
    const file = await openNew(folder, path, path, put.ifAbsent ? 'create' : 'truncate')
    await syncAndClose(file)
    return 0
  } catch (error) {
    throw codeOf(error) === 'EEXIST' ? await exists(folder, path) : error
  }
}

async function putWhole(folder: LocalFolder, put: LocalPut, first: Uint8Array, pull: Pull, options: CallOptions): Promise<number> {
  const temporary = joinPath(folderOf(put.path), temporaryName(nameOf(put.path), put.random()))
  const file = await openNew(folder, put.path, temporary, 'create')
  let open = true
  try {
    const size = await writeAll(file, first, pull, put, options)
    checkSize(folder, put, size)
    open = false
    await syncAndClose(file)
    throwIfAborted(options.signal)
    await publish(folder, put, temporary)
    return size
  } catch (error) {
    if (open) await file.close().catch(() => undefined)
    await folder.fileSystem.unlink(folder.at(temporary)).catch(() => undefined)
    throw error
  }
}

/** Another process may remove a folder that it emptied between the moment we made it, or found it, and the moment we use it. */
async function openNew(folder: LocalFolder, path: string, name: string, how: 'create' | 'truncate'): Promise<OpenFile> {
  for (let attempt = 1; ; attempt++) {
    try {
      await folder.make(folderOf(path), { root: path === 'repository.json' })
      return await folder.fileSystem.open(folder.at(name), how)
    } catch (error) {
      if (codeOf(error) !== 'ENOENT' || attempt === 5) throw error
    }
  }
}

async function writeAll(file: OpenFile, first: Uint8Array, pull: Pull, put: LocalPut, options: CallOptions): Promise<number> {
  const limit = put.size ?? Number.POSITIVE_INFINITY
  let size = 0
  for (let chunk: Uint8Array | undefined = first; chunk !== undefined && size <= limit; chunk = await pull.next()) {
    size += chunk.length
    await write(file, chunk, options)
  }
  return size
}

async function write(file: OpenFile, bytes: Uint8Array, options: CallOptions): Promise<void> {
  for (let done = 0; done < bytes.length; ) {
    throwIfAborted(options.signal)
    const written = await file.write(done === 0 ? bytes : bytes.subarray(done))
    if (written === 0) throw new HoldfastError('REPOSITORY_FAILED', 'the file system took no bytes and reported no error')
    done += written
  }
}

/** Sync comes once: after a failure the system may have dropped the bytes and would answer well the next time. */
async function syncAndClose(file: OpenFile): Promise<void> {
  try {
    await file.sync()
  } finally {
    await file.close()
  }
}

function checkSize(folder: LocalFolder, put: LocalPut, size: number): void {
  if (put.size === undefined || put.size === size) return
  const found = size > put.size ? 'more' : `only ${size}`
  throw new HoldfastError('TRUNCATED', `the stream for '${put.path}' was to give ${put.size} bytes and gave ${found}`, {
    details: { path: put.path, folder: folder.root, expected: put.size, received: size },
  })
}

/** The moment from which everybody sees the file, whole. */
async function publish(folder: LocalFolder, put: LocalPut, temporary: string): Promise<void> {
  const { fileSystem } = folder
  const [from, to] = [folder.at(temporary), folder.at(put.path)]
  if (!put.ifAbsent) {
    await fileSystem.rename(from, to).catch((error: unknown) => overtaken(folder, put.path, error))
    return
  }
  try {
    await fileSystem.link(from, to)
  } catch (error) {
    if (!(codeOf(error) === 'EEXIST' && (await isSame(fileSystem, from, to)))) throw await linkError(folder, put.path, error)
  }
  await fileSystem.unlink(from).catch((error: unknown) => {
    if (!isAbsent(error)) throw error
  })
}

/** An NFS client may send `link` twice and hear EEXIST about its own success. */
async function isSame(fileSystem: FileSystem, from: string, to: string): Promise<boolean> {
  try {
    return (await fileSystem.lstat(from)).identity === (await fileSystem.lstat(to)).identity
  } catch (error) {
    if (isAbsent(error)) return false
    throw error
  }
}

async function linkError(folder: LocalFolder, path: string, error: unknown): Promise<unknown> {
  const errno = codeOf(error)
  if (errno === 'EEXIST') return exists(folder, path)
  if (errno === 'ENOENT') {
    const taken = await folder.fileSystem.lstat(folder.at(path)).then(
      () => true,
      () => false,
    )
    return taken ? exists(folder, path) : givenUp(folder, path, error)
  }
  if (errno !== 'EPERM' && errno !== 'ENOTSUP' && errno !== 'EOPNOTSUPP') return error
  return new HoldfastError('UNSUPPORTED', `cannot create '${path}': the file system of ${folder.root} has no hard links (${errno})`, {
    cause: error,
    remedy: 'Keep the repository on a file system with hard links, for example ext4, xfs, btrfs, zfs or NFS.',
  })
}

/** A later put of the same name removed our temporary file: then it is as if ours had come just before it. */
async function overtaken(folder: LocalFolder, path: string, error: unknown): Promise<void> {
  if (codeOf(error) !== 'ENOENT') throw error
  await folder.fileSystem.lstat(folder.at(path)).catch(() => {
    throw givenUp(folder, path, error)
  })
}

function givenUp(folder: LocalFolder, path: string, cause: unknown): HoldfastError {
  return new HoldfastError(
    'REPOSITORY_FAILED',
    `another process deleted '${path}' in the repository at ${folder.root} while it was being written`,
    {
      cause,
      details: { path },
    },
  )
}

/** Whoever decided this name decided it for all: unfinished files of the same name are never needed again. */
export async function removeTemporaries(folder: LocalFolder, path: string): Promise<void> {
  const parent = folderOf(path)
  const names = await folder.fileSystem.readdir(folder.at(parent)).catch((error: unknown) => {
    if (isAbsent(error)) return []
    throw error
  })
  for (const { name } of names) {
    if (belongsTo(name, nameOf(path)) !== 'temporary') continue
    await folder.fileSystem.unlink(folder.at(joinPath(parent, name))).catch((error: unknown) => {
      if (!isAbsent(error)) throw error
    })
  }
}
