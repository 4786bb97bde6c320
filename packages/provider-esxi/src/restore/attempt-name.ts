import { createHash } from 'node:crypto'
import type { Mark } from '@holdfast/core/spec'

/** Names of machines have at most 80 characters on a host. */
const longestName = 80

const shortHash = (text: string): string => createHash('sha256').update(text).digest('hex').slice(0, 8)

/** The name of a machine while it is unfinished: told from the mark alone, and taken by nothing else. */
export function attemptName(name: string, { system, run, attempt }: Mark): string {
  const suffix = ` holdfast-${shortHash(system)}-${/^[\w-]{1,20}$/.test(run) ? run : shortHash(run)}.${attempt}`
  return `${[...name]
    .slice(0, longestName - suffix.length)
    .join('')
    .trim()}${suffix}`
}
