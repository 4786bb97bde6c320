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
import type { FileSystem, FileSystemEntry, OpenFile } from '../spec/file-system.ts'
import { type DirectWriter, directWriter } from './direct-writer.ts'
import { piecePool } from './piece-pool.ts'

const flags = {
  // Without O_NONBLOCK a hostile named pipe would hold the reader for ever; regular files do not care.
  read: constants.O_RDONLY | constants.O_NOFOLLOW | constants.O_NONBLOCK,
  create: constants.O_WRONLY | constants.O_CREAT | constants.O_EXCL | constants.O_NOFOLLOW,
  truncate: constants.O_WRONLY | constants.O_CREAT | constants.O_TRUNC | constants.O_NOFOLLOW | constants.O_NONBLOCK,
  direct: constants.O_WRONLY | constants.O_DIRECT | constants.O_NOFOLLOW,
  folder: constants.O_RDONLY | constants.O_DIRECTORY | constants.O_NOFOLLOW,
}

/**
 * The file system of this machine. Bytes for a new file are gathered and written behind: a failure of the disk may be told by the next write or by the sync, which waits for all.
 * @param options `directIo`: see {@link LocalRepositoryOptions.directIo}; default `auto`.
 */
export function nodeFileSystem({ directIo = 'auto' }: { readonly directIo?: 'auto' | 'never' } = {}): FileSystem {
  const pieces = piecePool()
  const writerFor = (handle: FileHandle, path: string): DirectWriter => {
    const allowed = directIo === 'auto' && constants.O_DIRECT !== undefined
    return directWriter(handle, pieces, allowed ? () => open(path, flags.direct) : undefined)
  }
  return {
    open: async (path, how) => {
      const handle = await open(path, flags[how], 0o600)
      return how === 'create' ? createdFile(handle, writerFor(handle, path)) : openFile(handle)
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
function createdFile(handle: FileHandle, writer: DirectWriter): OpenFile {
  const file = openFile(handle)
  return {
    ...file,
    async write(bytes) {
      await writer.write(bytes)
      return bytes.length
    },
    async sync() {
      await writer.flush()
      await handle.sync()
    },
    stat: async () => ({ ...(await file.stat()), size: writer.size }),
    async close() {
      try {
        await writer.close()
      } finally {
        await handle.close()
      }
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
