import { HoldfastError } from '../errors.ts'
import { showValue } from './parse-options.ts'

/**
 * Throws PATH_OUTSIDE unless `name` can be one file name on every system: 1 to 200 bytes of UTF-8, no slash or backslash, no control character or
 * half of a surrogate pair, not beginning with a dot (our temporary files do), not ending in a dot or blank. `what` says in the message whose name it is.
 */
export function assertSafeName(name: string, what: string): void {
  const problem = unsafe(name)
  if (problem === undefined) return
  throw new HoldfastError('PATH_OUTSIDE', `${what} ${showValue(name)} cannot be a file name: ${problem}`, {
    remedy: 'Choose a plain file name. If nobody has chosen this one, do not use the data that it came with: it is damaged or hostile.',
  })
}

/** Throws PATH_OUTSIDE unless `path` is relative, `/`-separated, and every part of it is a safe name. */
export function assertSafePath(path: string, what: string): void {
  for (const part of path.split('/')) {
    const problem = unsafe(part)
    if (problem !== undefined) throw new HoldfastError('PATH_OUTSIDE', `${what} ${showValue(path)} is not a safe path: ${problem}`)
  }
}

function unsafe(name: string): string | undefined {
  if (name === '') return 'a part is empty'
  if (name.startsWith('.')) return 'it begins with a dot'
  if (/[/\\]/.test(name)) return 'it contains a slash'
  if (/\p{Cc}/u.test(name) || !name.isWellFormed()) return 'it contains a control character'
  if (/[. ]$/.test(name)) return 'it ends in a dot or blank'
  return new TextEncoder().encode(name).length > 200 ? 'it is longer than 200 bytes' : undefined
}
