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

function entryOf(stats: Stats): FileSystemEntry {
  return { kind: kindOf(stats), size: stats.size, modifiedAt: stats.mtimeMs, identity: `${stats.dev}:${stats.ino}` }
}

function kindOf(entry: { isFile(): boolean; isDirectory(): boolean; isSymbolicLink(): boolean }): FileSystemEntry['kind'] {
  if (entry.isFile()) return 'file'
  if (entry.isDirectory()) return 'folder'
  return entry.isSymbolicLink() ? 'link' : 'other'
}
