import type { ErrorCode } from '../spec/error-codes.ts'
import { codeOf, HoldfastError } from '../spec/errors.ts'

const codes: { readonly [errno: string]: ErrorCode } = {
  ENOSPC: 'DISK_FULL',
  EDQUOT: 'DISK_FULL',
  EACCES: 'REPOSITORY_NOT_WRITABLE',
  EPERM: 'REPOSITORY_NOT_WRITABLE',
  EROFS: 'REPOSITORY_NOT_WRITABLE',
  ELOOP: 'PATH_OUTSIDE',
  ENAMETOOLONG: 'INVALID_OPTIONS',
}

const words: { readonly [errno: string]: string } = {
  ENOSPC: 'no space is left',
  EDQUOT: 'the quota of this user is used up',
  EACCES: 'permission is denied',
  EPERM: 'the operation is not permitted',
  EROFS: 'the file system is mounted read-only',
  EIO: 'the disk reported an input/output error',
  EMFILE: 'this process has too many open files',
  ENFILE: 'this machine has too many open files',
  ELOOP: 'it is a symbolic link',
  ENAMETOOLONG: 'the name is too long',
  ESTALE: 'the share went away and came back',
  ENOENT: 'it was removed meanwhile',
}

/** Turns what the file system threw into the error of the table. `action` reads after "cannot": `write 'a/b'`. Errors of our own pass. */
export const storageError = (error: unknown, root: string, action: string): unknown => translated(error, { root, action, isRead: false })

/** The same for what only reads: whoever may not, hears nothing of writing. */
export const readError = (error: unknown, root: string, action: string): unknown => translated(error, { root, action, isRead: true })

interface Failed {
  readonly root: string
  readonly action: string
  readonly isRead: boolean
}

function translated(error: unknown, { root, action, isRead }: Failed): unknown {
  if (HoldfastError.isInstance(error)) return error
  const errno = codeOf(error)
  if (errno === undefined || !(error instanceof Error) || !('syscall' in error)) return error
  const message = `cannot ${action} in the repository at ${root}: ${words[errno] ?? error.message} (${errno})`
  const about = { cause: error, details: { errno, folder: root } }
  if (isRead && (errno === 'EACCES' || errno === 'EPERM'))
    return new HoldfastError('ACCESS_DENIED', message, {
      ...about,
      // As when it may not be written: owner and mode of a folder are mended without a change of any value.
      retryable: true,
      remedy: 'Run it as the user that owns the repository, or as root: its files can be read by their owner only.',
    })
  return new HoldfastError(codes[errno] ?? 'REPOSITORY_FAILED', message, about)
}

/** Trying again does not help: another path has to be given. `path`: the root, or what is above it. */
export function notAFolder(root: string, path: string): HoldfastError {
  const which = path === root ? `${root} is` : `${root} cannot be one: ${path} is`
  return new HoldfastError('INVALID_OPTIONS', `a repository is a folder, and ${which} a file`, {
    remedy: 'Name a folder that holds a repository, or one that is empty or not there yet.',
    details: { folder: root, path },
  })
}

export function missing(root: string, cause?: unknown): HoldfastError {
  return new HoldfastError('REPOSITORY_MISSING', `the folder of the repository, ${root}, is not there`, {
    cause,
    details: { folder: root },
  })
}

/** A file or folder that is not there: by name, or because what should be its folder is none. */
export function isAbsent(error: unknown): boolean {
  const errno = codeOf(error)
  return errno === 'ENOENT' || errno === 'ENOTDIR'
}
