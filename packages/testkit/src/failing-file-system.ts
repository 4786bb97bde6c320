import type { FileSystem, OpenFile } from '@holdfast/core/spec'
import { errnoError } from './power-loss-file-system.ts'

/** What goes wrong. `short write`: the file system takes one byte of a longer write and reports no error; only writes are counted then. */
export type FileSystemFault = 'EIO' | 'ENOSPC' | 'EMFILE' | 'ETIMEDOUT' | 'EACCES' | 'EROFS' | 'short write' | 'failed sync'

/** A file system in which one call fails, and what became of that. To fail every call of an operation once, count `at` up until `fired` is false. */
export interface FailingFileSystem {
  /** What the code under test is given. */
  readonly fileSystem: FileSystem
  /** Whether call number `at` was reached. When it was not, all calls of the operation have been failed once. */
  readonly fired: boolean
  /** The method that was failed. */
  readonly failed: string | undefined
  /** Whether a file whose sync had failed was synced again: the second time says nothing. */
  readonly syncedAgain: boolean
}

/** Fails call number `at` (1 is the first) of a file system, and no other. Closing a file never fails. `failed sync` counts only syncs. */
export function failingFileSystem(inner: FileSystem, options: { readonly at: number; readonly fault: FileSystemFault }): FailingFileSystem {
  const state: State = { ...options, calls: 0, fired: false, failed: undefined, syncedAgain: false }
  const wrapped = <Given extends readonly unknown[], Result>(method: string, call: (...given: Given) => Promise<Result>) =>
    wrap(state, method, call)
  return {
    fileSystem: {
      open: async (path, how) => openFile(state, await wrapped('open', inner.open)(path, how)),
      link: wrapped('link', inner.link),
      rename: wrapped('rename', inner.rename),
      unlink: wrapped('unlink', inner.unlink),
      symlink: wrapped('symlink', inner.symlink),
      readlink: wrapped('readlink', inner.readlink),
      mkdir: wrapped('mkdir', inner.mkdir),
      rmdir: wrapped('rmdir', inner.rmdir),
      readdir: wrapped('readdir', inner.readdir),
      lstat: wrapped('lstat', inner.lstat),
      realpath: wrapped('realpath', inner.realpath),
      checkWritable: wrapped('checkWritable', inner.checkWritable),
      space: wrapped('space', inner.space),
    },
    get fired() {
      return state.fired
    },
    get failed() {
      return state.failed
    },
    get syncedAgain() {
      return state.syncedAgain
    },
  }
}

interface State {
  readonly at: number
  readonly fault: FileSystemFault
  calls: number
  fired: boolean
  failed: string | undefined
  syncedAgain: boolean
}

function isTurn(state: State, method: string): boolean {
  if (state.fault === 'short write' && method !== 'write') return false
  if (state.fault === 'failed sync' && method !== 'sync') return false
  if (++state.calls !== state.at) return false
  state.fired = true
  state.failed = method
  return true
}

function failure({ fault }: State, method: string, path?: string): Error {
  return errnoError(fault === 'short write' || fault === 'failed sync' ? 'EIO' : fault, method, path)
}

function wrap<Given extends readonly unknown[], Result>(
  state: State,
  method: string,
  call: (...given: Given) => Promise<Result>,
): (...given: Given) => Promise<Result> {
  return async (...given) => {
    if (isTurn(state, method)) throw failure(state, method, String(given[0]))
    return call(...given)
  }
}

function openFile(state: State, file: OpenFile): OpenFile {
  let syncFailed = false
  return {
    async write(bytes) {
      if (!isTurn(state, 'write')) return file.write(bytes)
      if (state.fault === 'short write') return file.write(bytes.subarray(0, 1))
      throw failure(state, 'write')
    },
    read: wrap(state, 'read', (target: Uint8Array, position: number) => file.read(target, position)),
    async sync() {
      if (syncFailed) state.syncedAgain = true
      syncFailed = isTurn(state, 'sync')
      if (syncFailed) throw failure(state, 'fsync')
      await file.sync()
    },
    stat: wrap(state, 'stat', () => file.stat()),
    close: () => file.close(),
  }
}
