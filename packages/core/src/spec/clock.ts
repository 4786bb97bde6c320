import type { CallOptions } from './blocks.ts'

/** The only way to time. Applications may inject one; tests inject a fake. */
export interface Clock {
  /** Wall clock, milliseconds since 1970-01-01 UTC. May jump either way: never measure with it. */
  now(): number
  /** Milliseconds since any fixed moment. Never goes back. */
  monotonic(): number
  /** Resolves after at least `milliseconds` on the monotonic clock; rejects with the signal's reason when it aborts first, and leaves no timer then. */
  sleep(milliseconds: number, options: CallOptions): Promise<void>
}

/** The only way to randomness. */
export interface Ids {
  /** A new identifier: lower-case letters and digits, at least 80 random bits, sorted by nothing. */
  next(): string
}
