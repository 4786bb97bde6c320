import type { RetentionPolicyInput } from '../../src/retention/index.ts'
import type { DifferenceName } from './differences.ts'

/** `vectors.json`. */
export interface VectorFile {
  readonly about: string
  /** The versions that were asked. */
  readonly restic: readonly string[]
  /** Now, for us. */
  readonly now: string
  /** Why each kind of difference is meant. */
  readonly differences: { readonly [name in DifferenceName]: string }
  /** Times are ISO 8601 UTC, oldest first; `zone` is the zone of the policy, and the machine's for restic. */
  readonly histories: readonly { readonly name: string; readonly zone: string; readonly times: readonly string[] }[]
  /** Policies that an older restic takes and we do not. */
  readonly refused: readonly RetentionPolicyInput[]
  readonly vectors: readonly Vector[]
}

/** One policy for one history. Positions are those of its times. */
export interface Vector {
  readonly history: string
  readonly policy: Omit<RetentionPolicyInput, 'zone'>
  /** What each version keeps. */
  readonly restic: { readonly [version: string]: readonly number[] }
  /** What we keep, where that is not what every version keeps. */
  readonly ours?: readonly number[]
  /** By version: why we keep something else. */
  readonly difference?: { readonly [version: string]: readonly DifferenceName[] }
}
