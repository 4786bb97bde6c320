import type { Ids } from '@holdfast/core/spec'
import type { Random } from './random.ts'

/** `prefix1`, `prefix2`, ... : identifiers that are easy to read in a failing test. The prefix is lower-case letters and digits. */
export function countingIds(prefix = 'id'): Ids {
  let count = 0
  return { next: () => `${prefix}${++count}` }
}

/** Identifiers that look like real ones (20 lower-case letters and digits) and are a function of the seed. */
export function seededIds(random: Random): Ids {
  const alphabet = 'abcdefghijklmnopqrstuvwxyz0123456789'
  return { next: () => Array.from({ length: 20 }, () => random.pick([...alphabet])).join('') }
}
