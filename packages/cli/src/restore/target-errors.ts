import { codeOf, type ErrorCode, HoldfastError } from '@holdfast/core/spec'

interface Meaning {
  readonly code: ErrorCode
  readonly words: string
  readonly remedy: string
}

const full: Meaning = {
  code: 'DISK_FULL',
  words: 'no space is left there',
  remedy: 'Free space, or name a folder on a larger disk with --into. The repository is not touched.',
}
const denied: Meaning = {
  code: 'ACCESS_DENIED',
  words: 'permission is denied',
  remedy: 'Name a folder that this user may write to, or run the command as root.',
}
const unfit: Meaning = {
  code: 'UNSUPPORTED',
  words: 'the file system there cannot hold it',
  remedy: 'Name a folder on a file system such as ext4, xfs, btrfs or zfs with --into.',
}
const gone = { code: 'INVALID_OPTIONS', remedy: 'Look at the path, and name another folder with --into.' } as const
const meanings: { readonly [errno: string]: Meaning } = {
  ENOSPC: full,
  EDQUOT: { ...full, words: 'the quota of this user is used up' },
  EACCES: denied,
  EPERM: { ...denied, words: 'the operation is not permitted' },
  EROFS: { ...denied, words: 'the file system is mounted read-only', remedy: 'Name a folder that can be written to with --into.' },
  EFBIG: { ...unfit, words: 'the file is too large for the file system there' },
  EINVAL: unfit,
  ENAMETOOLONG: {
    ...unfit,
    words: 'the name is too long for the file system there',
    remedy: 'Name a folder with a shorter path with --into.',
  },
  ENOENT: { ...gone, words: 'a folder on the way there is missing, or a link leads nowhere' },
  ENOTDIR: { ...gone, words: 'a part of the path is a file' },
  ELOOP: { ...gone, words: 'its links lead in a circle' },
  ENOTSUP: unfit,
  EOPNOTSUPP: unfit,
}
const other: Meaning = {
  code: 'PROVIDER_FAILED',
  words: '',
  remedy: 'Check the disk that holds the folder, or name another one with --into.',
}

/** What the file system said while something was written to `path`, as an error of the table. Errors of ours pass: they are of the repository. */
export function targetError(error: unknown, path: string): unknown {
  const errno = codeOf(error)
  if (HoldfastError.isInstance(error) || errno === undefined || !(error instanceof Error) || !('syscall' in error)) return error
  const { code, words, remedy } = meanings[errno] ?? other
  return new HoldfastError(code, `cannot write ${path}: ${words || error.message} (${errno})`, {
    remedy,
    cause: error,
    details: { path, errno },
  })
}
