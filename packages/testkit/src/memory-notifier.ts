import { HoldfastError, type Notification, type Notifier } from '@holdfast/core/spec'

/** A notifier that keeps what it is given. */
export interface MemoryNotifier extends Notifier {
  /** What was delivered, in order; the same notification twice when it was sent twice. */
  readonly received: readonly Notification[]
  /** From now on every send rejects with PROVIDER_FAILED, or no longer. */
  refuse(refuses?: boolean): void
}

/**
 * For tests of what is announced, and when. A send whose signal is aborted rejects with its reason and delivers nothing.
 *
 * @example
 * ```ts
 * const notifier = memoryNotifier()
 * notifier.refuse() // the engine has to send it again
 * ```
 */
export function memoryNotifier(): MemoryNotifier {
  const received: Notification[] = []
  let refuses = false
  return {
    specVersion: 1,
    kind: 'memory',
    received,
    refuse(next = true) {
      refuses = next
    },
    async send(notification, { signal }) {
      signal.throwIfAborted()
      if (refuses)
        throw new HoldfastError('PROVIDER_FAILED', `notification "${notification.id}": the receiver refuses it`, { retryable: true })
      received.push(notification)
    },
    async [Symbol.asyncDispose]() {},
  }
}
