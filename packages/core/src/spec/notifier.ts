import type { CallOptions } from './blocks.ts'
import type { Json } from './json.ts'

/** `id` is the outbox id: the same transition has the same id, delivery is at least once. `at` is ISO 8601 UTC. */
export interface Notification {
  readonly id: string
  readonly at: string
  readonly severity: 'info' | 'warning' | 'error'
  readonly type: string
  readonly text: string
  readonly data: Json
}
export interface Notifier extends AsyncDisposable {
  readonly specVersion: 1
  readonly kind: string
  send(notification: Notification, options: CallOptions): Promise<void>
}
