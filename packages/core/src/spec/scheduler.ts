import type { CallOptions } from './blocks.ts'

/**
 * Calls `wake` when there may be work. A lost or doubled wake costs one poll interval, nothing else, so any queue serves as transport:
 * the in-process scheduler is a timer; on several nodes pg-boss carries the hints. No job is held while a run runs.
 */
export interface Scheduler extends AsyncDisposable {
  readonly specVersion: 1
  start(wake: () => void, options: CallOptions & { readonly pollMs: number }): Promise<void>
  /** A run was created, or becomes due at the given time (ISO 8601 UTC). Best effort. */
  notify(at: string | undefined, options: CallOptions): Promise<void>
  stop(): Promise<void>
}
