import { createHash } from 'node:crypto'
import type { Mark } from '@holdfast/core/spec'

/** Names of machines have at most 80 characters on a host. */
const longestName = 80

const shortHash = (text: string): string => createHash('sha256').update(text).digest('hex').slice(0, 8)

/** As many units of UTF-16, which is what hosts count, without half a character at the end. */
const cut = (text: string, units: number): string => text.slice(0, units).replace(/[\uD800-\uDBFF]$/, '')

/** The name of a machine while it is unfinished: told from the mark alone, and taken by nothing else. */
export function attemptName(name: string, { system, run, attempt }: Mark): string {
  const suffix = ` holdfast-${shortHash(system)}-${/^[\w-]{1,20}$/.test(run) ? run : shortHash(run)}.${attempt}`
  return `${cut(name, longestName - suffix.length).trim()}${suffix}`
}

/** Whether a machine is called as one that an attempt of this system makes. Of one that it cannot read a host may give the path of its file instead. */
export const isAttemptName = (name: string, system: string): boolean =>
  /[\w-]{1,20}\.\d/.test(name.split(` holdfast-${shortHash(system)}-`)[1] ?? '')
