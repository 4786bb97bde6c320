import { isoTime } from '../model/names.ts'
import type { CallOptions } from '../spec/blocks.ts'
import { withDeadline } from '../spec/helpers/index.ts'
import type { Json } from '../spec/json.ts'
import type { Notification } from '../spec/notifier.ts'
import type { OutboxEvent } from '../spec/store.ts'
import { errorText } from './error-text.ts'
import type { EngineParts } from './parts.ts'

const batch = 20

/**
 * Hands what the outbox holds to every notifier. Delivery is at least once: an event leaves the outbox when all notifiers have taken it, and a
 * notifier that fails sees it again later under the same id.
 */
export async function deliverOutbox(parts: EngineParts, options: CallOptions): Promise<void> {
  if (parts.notifiers.size === 0) return
  for (;;) {
    const events = await parts.store.outbox.take(parts.leaseMs * 2, batch, options)
    for (const event of events) if (await deliver(parts, event, options)) await parts.store.outbox.done([event.id], options)
    if (events.length < batch) return
  }
}

async function deliver(parts: EngineParts, event: OutboxEvent, options: CallOptions): Promise<boolean> {
  const notification = notificationOf(parts, event)
  let everyone = true
  for (const [name, notifier] of parts.notifiers) {
    try {
      const deadline = { ...options, clock: parts.clock, milliseconds: parts.stallMs, name: `Notifier "${name}"` }
      await withDeadline(deadline, (limited) => notifier.send(notification, limited))
    } catch (error) {
      everyone = false
      parts.logger.warn('A notification could not be sent; it is tried again.', { notifier: name, id: event.id, error: errorText(error) })
    }
  }
  return everyone
}

function notificationOf(parts: EngineParts, { id, event }: OutboxEvent): Notification {
  const fields = event as { readonly [name: string]: Json }
  const severity = fields.severity === 'warning' || fields.severity === 'error' ? fields.severity : 'info'
  return { id, at: isoTime(parts.clock.now()), severity, type: String(fields.type), text: String(fields.text), data: fields.data ?? null }
}
