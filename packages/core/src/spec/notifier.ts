import type { CallOptions } from './blocks.ts'
import type { Json } from './json.ts'

/** A transition that people want to hear of. JSON, without secrets. */
export interface Notification {
  /** The outbox id, a function of the transition: the same transition has the same id in every delivery, so a receiver can drop doubles by it. */
  readonly id: string
  /** When it happened, ISO 8601 UTC. */
  readonly at: string
  /** How much it matters. */
  readonly severity: 'info' | 'warning' | 'error'
  /** What kind of transition, for filters: `run-failed`. */
  readonly type: string
  /** One or two sentences for people. */
  readonly text: string
  /** The same for programs. */
  readonly data: Json
}

/** Tells people. Delivery is at least once and in no order; a notifier that fails delays only itself and never a backup. */
export interface Notifier extends AsyncDisposable {
  /** Version of this contract. */
  readonly specVersion: 1
  /** For example `email`. */
  readonly kind: string
  /**
   * False: it is never told of this one, and nothing is kept for it. Absent: it is told of all. Asked again after a restart; the answer depends on the
   * notification alone. Must not throw.
   */
  wants?(notification: Notification): boolean
  /**
   * Resolves when the next system has taken it over. A rejection is tried again later, with growing delay, also after a restart; the same notification
   * may therefore arrive twice. One whose error is not `retryable` is left alone for an hour, so that it does not hold up the others; a number
   * `details.retryAfterMs` asks for a longer pause before anything is sent. Abort: it rejects soon, and whether it was sent is unknown.
   */
  send(notification: Notification, options: CallOptions): Promise<void>
}
