import type { OutboxEvent, OutboxStore } from '@holdfast/core/spec'
import { plain } from './plain.ts'
import type { StoreContext } from './store-state.ts'

/** An id that was ever written is not written again, delivered or not. */
export function addEvents(context: StoreContext, events: readonly OutboxEvent[]): void {
  const { outbox } = context.state
  for (const { id, event } of events) if (!outbox.has(id)) outbox.set(id, { event: plain(event), hiddenUntil: 0, done: false })
}

export function memoryOutbox(context: StoreContext): OutboxStore {
  const { outbox } = context.state
  return {
    add: (events, options) => context.perform('outbox.add', options, () => addEvents(context, events)),
    take: (ttl, limit, options) =>
      context.perform('outbox.take', options, () => {
        const now = context.now()
        const ready = [...outbox].filter(([, entry]) => !entry.done && entry.hiddenUntil <= now).slice(0, Math.max(0, limit))
        for (const [id, entry] of ready) outbox.set(id, { ...entry, hiddenUntil: now + ttl })
        return ready.map(([id, { event }]) => ({ id, event }))
      }),
    done: (ids, options) =>
      context.perform('outbox.done', options, () => {
        for (const id of ids) {
          const entry = outbox.get(id)
          if (entry !== undefined) outbox.set(id, { ...entry, event: null, done: true })
        }
      }),
  }
}
