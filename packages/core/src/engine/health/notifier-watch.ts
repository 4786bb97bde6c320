import type { Clock } from '../../spec/clock.ts'
import type { Notifier } from '../../spec/notifier.ts'
import { errorText } from '../error-text.ts'

/** Since when a notifier has not delivered anything that it was given. */
export interface NotifierTrouble {
  /** Milliseconds since the first delivery that failed, or that is still going on. */
  readonly forMs: number
  /** Deliveries that failed one after the other. */
  readonly failures: number
  /** Of the last one that failed; absent while the first is still going on. */
  readonly message?: string
}

/** A notifier that remembers how it is. */
export interface WatchedNotifier extends Notifier {
  /** Undefined: the last delivery was made, and none has been going on for longer than `patienceMs`. */
  trouble(patienceMs: number): NotifierTrouble | undefined
}

/** The same notifier; each delivery is remembered until the next one ends. */
export function watchNotifier(notifier: Notifier, clock: Clock): WatchedNotifier {
  const pending = new Set<{ readonly began: number }>()
  let failing: { readonly began: number; readonly failures: number; readonly message: string } | undefined
  return {
    specVersion: notifier.specVersion,
    kind: notifier.kind,
    wants: (notification) => notifier.wants?.(notification) ?? true,
    async send(notification, options) {
      const delivery = { began: clock.monotonic() }
      pending.add(delivery)
      try {
        await notifier.send(notification, options)
        failing = undefined
      } catch (error) {
        const message = error instanceof Error ? error.message : errorText(error)
        failing = { began: failing?.began ?? delivery.began, failures: (failing?.failures ?? 0) + 1, message }
        throw error
      } finally {
        pending.delete(delivery)
      }
    },
    trouble(patienceMs) {
      const now = clock.monotonic()
      const waiting = Math.max(0, ...[...pending].map(({ began }) => now - began))
      if (failing) return { forMs: Math.max(now - failing.began, waiting), failures: failing.failures, message: failing.message }
      return waiting > patienceMs ? { forMs: waiting, failures: 0 } : undefined
    },
    [Symbol.asyncDispose]: () => notifier[Symbol.asyncDispose](),
  }
}
