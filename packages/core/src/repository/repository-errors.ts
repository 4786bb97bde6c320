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
export function storageError(error: unknown, root: string, action: string): unknown {
  if (HoldfastError.isInstance(error)) return error
  const errno = codeOf(error)
  if (errno === undefined || !(error instanceof Error) || !('syscall' in error)) return error
  const message = `cannot ${action} in the repository at ${root}: ${words[errno] ?? error.message} (${errno})`
  return new HoldfastError(codes[errno] ?? 'REPOSITORY_FAILED', message, { cause: error, details: { errno, folder: root } })
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
