import { constants, type Stats } from 'node:fs'
import {
  access,
  type FileHandle,
  link,
  lstat,
  mkdir,
  open,
  readdir,
  readlink,
  realpath,
  rename,
  rmdir,
  statfs,
  symlink,
  unlink,
} from 'node:fs/promises'
import { codeOf } from '../spec/errors.ts'
import type { FileSystem, FileSystemEntry, OpenFile } from '../spec/file-system.ts'
import { directWriter } from './direct-writer.ts'

const flags = {
  // Without O_NONBLOCK a hostile named pipe would hold the reader for ever; regular files do not care.
  read: constants.O_RDONLY | constants.O_NOFOLLOW | constants.O_NONBLOCK,
  create: constants.O_WRONLY | constants.O_CREAT | constants.O_EXCL | constants.O_NOFOLLOW,
  truncate: constants.O_WRONLY | constants.O_CREAT | constants.O_TRUNC | constants.O_NOFOLLOW | constants.O_NONBLOCK,
  folder: constants.O_RDONLY | constants.O_DIRECTORY | constants.O_NOFOLLOW,
}

/** The file system of this machine. */
export function nodeFileSystem(): FileSystem {
  return {
    open: async (path, how) => {
      const handle = await open(path, flags[how], 0o600)
      return how === 'create' ? createdFile(handle, path) : openFile(handle)
    },
    link,
    rename,
    unlink,
    symlink: (target, path) => symlink(target, path),
    readlink: (path) => readlink(path),
    mkdir: (path) => mkdir(path, { mode: 0o700 }).then(() => undefined),
    rmdir: (path) => rmdir(path),
    readdir: async (path) => (await readdir(path, { withFileTypes: true })).map((entry) => ({ name: entry.name, kind: kindOf(entry) })),
    lstat: async (path) => entryOf(await lstat(path)),
    realpath: (path) => realpath(path),
    checkWritable: (path) => access(path, constants.W_OK | constants.X_OK),
    async space(path) {
      const { bavail, blocks, bsize } = await statfs(path)
      return { freeBytes: bavail * bsize, totalBytes: blocks * bsize }
    },
  }
}

function openFile(handle: FileHandle): OpenFile {
  return {
    write: async (bytes) => (await handle.write(bytes)).bytesWritten,
    read: async (target, position) => (await handle.read(target, 0, target.length, position)).bytesRead,
    sync: () => handle.sync(),
    stat: async () => entryOf(await handle.stat()),
    close: () => handle.close(),
  }
}

/** A new file is written from its beginning to its end, once. */
function createdFile(handle: FileHandle, path: string): OpenFile {
  const writer = directWriter(handle, path)
  return {
    ...openFile(handle),
    write: (bytes) => writer.write(bytes),
    async close() {
      try {
        await writer.close()
      } finally {
        await handle.close()
      }
    },
  }
}

/** Writes of less are not worth a second handle. */
const directBytes = 256 << 10
/** What the disk wants to be a multiple of: position, length, and place in memory. */
const directUnit = 4096
/** Memory that is not on a page boundary is refused each time; one odd chunk among good ones is not the end of it. */
const mostRefusals = 3

/**
 * A new file. Large chunks of page-aligned memory, which a disk's image is made of, go past the page cache: to write them there and then from there
 * to the disk takes about twice as long, and pushes out of memory what the machine still needs. Where the system refuses that, they go the common way.
 */
function writtenFile(handle: FileHandle): OpenFile {
  const file = openFile(handle)
  let position = 0
  let refusals = constants.O_DIRECT === undefined ? mostRefusals : 0
  let direct: FileHandle | undefined
  const writeDirectly = async (bytes: Uint8Array): Promise<number | undefined> => {
    if (refusals === mostRefusals || bytes.length < directBytes) return undefined
    if (bytes.length % directUnit !== 0 || position % directUnit !== 0) return undefined
    try {
      // By its number: the name may belong to another file by now.
      direct ??= await open(`/proc/self/fd/${handle.fd}`, constants.O_WRONLY | constants.O_DIRECT)
    } catch {
      refusals = mostRefusals
      return undefined
    }
    try {
      const { bytesWritten } = await direct.write(bytes, 0, bytes.length, position)
      refusals = 0
      return bytesWritten
    } catch (error) {
      if (codeOf(error) !== 'EINVAL') throw error
      refusals++
      return undefined
    }
  }
  return {
    ...file,
    async write(bytes) {
      const written = (await writeDirectly(bytes)) ?? (await handle.write(bytes, 0, bytes.length, position)).bytesWritten
      position += written
      return written
    },
    async close() {
      await Promise.all([direct?.close(), handle.close()])
    },
  }
}

function entryOf(stats: Stats): FileSystemEntry {
  return { kind: kindOf(stats), size: stats.size, modifiedAt: stats.mtimeMs, identity: `${stats.dev}:${stats.ino}` }
}

function kindOf(entry: { isFile(): boolean; isDirectory(): boolean; isSymbolicLink(): boolean }): FileSystemEntry['kind'] {
  if (entry.isFile()) return 'file'
  if (entry.isDirectory()) return 'folder'
  return entry.isSymbolicLink() ? 'link' : 'other'
}
