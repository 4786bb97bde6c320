import { createHash } from 'node:crypto'
import { HoldfastError } from '../spec/errors.ts'
import { assertSafePath } from '../spec/helpers/index.ts'

/** Refuses what is not a plain relative path: nothing that one storage could read otherwise than another gets further. */
export function checkPath(path: string): string {
  if (path === '') throw outside(path, 'it is empty')
  if (path.startsWith('/')) throw outside(path, 'it is absolute')
  assertSafePath(path, 'The repository path')
  return path
}

/** A folder with or without its last `/`; the empty text is the root. */
export function checkFolder(folder: string): string {
  const path = folder.endsWith('/') && folder !== '/' ? folder.slice(0, -1) : folder
  return path === '' ? '' : checkPath(path)
}

/** A prefix of `list`: empty, or a folder that ends in `/`. */
export function checkPrefix(prefix: string): string {
  if (prefix !== '' && !prefix.endsWith('/')) {
    throw new HoldfastError('INVALID_OPTIONS', `cannot list ${JSON.stringify(prefix)}: a prefix is empty or ends in '/'`)
  }
  return checkFolder(prefix)
}

export function outside(path: string, reason: string): HoldfastError {
  return new HoldfastError('PATH_OUTSIDE', `The repository path ${JSON.stringify(path)} is refused: ${reason}`, { details: { path } })
}

/** The folder part; the empty text for what lies in the root. */
export function folderOf(path: string): string {
  return path.slice(0, Math.max(0, path.lastIndexOf('/')))
}

export function nameOf(path: string): string {
  return path.slice(path.lastIndexOf('/') + 1)
}

/** Joins folder and name where the folder may be the root. */
export function joinPath(folder: string, name: string): string {
  return folder === '' ? name : `${folder}/${name}`
}

// What lies hidden beside a file `name`: `.name~<random>` is unfinished, `.name~alias-<hash>` is a symbolic link that says where an alias of it is.
// No path that is asked for has a part that begins with a dot, so these can never be mistaken for one.

export function temporaryName(name: string, random: string): string {
  return `.${name}~${random}`
}

/** `alias`: its path. One alias has one record, whoever makes it, and however late. */
export function aliasRecordName(name: string, alias: string): string {
  return `.${name}~alias-${createHash('sha256').update(alias).digest('hex').slice(0, 16)}`
}

export function belongsTo(hidden: string, name: string): 'temporary' | 'alias' | undefined {
  const prefix = `.${name}~`
  if (!hidden.startsWith(prefix) || hidden.includes('~', prefix.length)) return undefined
  return hidden.startsWith('alias-', prefix.length) ? 'alias' : 'temporary'
}
