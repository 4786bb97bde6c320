import { createHash } from 'node:crypto'

/**
 * How many milliseconds later a run begins, so that not all begin at once: from 0 to `jitter` (milliseconds), without it. Pure: SHA-256 of the key, so every
 * node computes the same, and a run that is tried again keeps it.
 */
export function jitterOf(key: string, jitter: number): number {
  // 48 bits are exact in a number, and far more than the milliseconds of a day.
  return createHash('sha256').update(key).digest().readUIntBE(0, 6) % Math.max(1, Math.floor(jitter))
}
