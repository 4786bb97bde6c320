import type { CallOptions } from './blocks.ts'

/**
 * Calls `wake` when there may be work. A lost or doubled wake costs one poll interval, nothing else, so any queue serves as transport:
 * the in-process scheduler is a timer; on several nodes pg-boss carries the hints. No job is held while a run runs. What is due and who does it is
 * decided by the store alone.
 */
export interface Scheduler extends AsyncDisposable {
  /** Version of this contract. */
  readonly specVersion: 1
  /**
   * From now on `wake` is called at least every `pollMs` milliseconds, and soon after each hint. `wake` returns at once and does not throw; two calls
   * may overlap. Called once. An abort ends only this call, not the waking: that is `stop`.
   */
  start(wake: () => void, options: CallOptions & { readonly pollMs: number }): Promise<void>
  /** A run was created (`undefined`), or becomes due at the given time (ISO 8601 UTC). Best effort: a rejection is logged and forgotten. */
  notify(at: string | undefined, options: CallOptions): Promise<void>
  /** After it resolves `wake` is not called any more. Idempotent; also when never started. */
  stop(): Promise<void>
}
