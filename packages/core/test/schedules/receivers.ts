import { HoldfastError, type Json, type Notification, type Notifier, type OutboxEvent } from '@holdfast/core/spec'
import { type MemoryNotifier, memoryNotifier, type Random } from '@holdfast/testkit'
import type { StoreView } from './ledger.ts'
import type { Process, Traffic } from './traffic.ts'

const names = ['mail', 'chat'] as const
type Name = (typeof names)[number]

/** People who are told: each of them hears everything that he wants at least once. */
export interface Receivers {
  /** As one process reaches them. */
  views(process: Process, traffic: Traffic): { readonly [name: string]: Notifier }
  /** Whether a notification may be refused, or its acceptance not be heard of. */
  fail(fails: boolean): void
  /** These were put into the outbox. */
  announced(events: readonly OutboxEvent[]): void
  /** Every event has gone its way. */
  settled(state: StoreView): boolean
  check(state: StoreView): void
  refused(): number
  doubles(): number
}

/** The one wants everything, the other what has gone wrong. */
const wants: { readonly [name in Name]: (severity: Json | undefined) => boolean } = {
  mail: () => true,
  chat: (severity) => severity !== 'info',
}

export function createReceivers(random: Random, violate: (text: string) => void): Receivers {
  const notifiers = { mail: memoryNotifier(), chat: memoryNotifier() } as const satisfies { readonly [name in Name]: MemoryNotifier }
  const severities = new Map<string, Json | undefined>()
  let fails = true
  let refused = 0

  async function send(name: Name, notification: Notification, options: { readonly signal: AbortSignal }): Promise<void> {
    const fault = fails ? random.next() : 1
    if (fault < 0.2) refused++
    if (fault < 0.05) throw new HoldfastError('INVALID_OPTIONS', `${name} will not have it`)
    notifiers[name].refuse(fault < 0.2)
    await notifiers[name].send(notification, options)
    if (fault < 0.3) throw new HoldfastError('PROVIDER_FAILED', `the answer of ${name} was lost`, { retryable: true })
  }

  return {
    views: (process, traffic) =>
      Object.fromEntries(
        names.map((name) => [
          name,
          {
            specVersion: 1,
            kind: 'memory',
            wants: ({ severity }) => wants[name](severity),
            async send(notification, options) {
              await traffic.gate(process, `${name} send before`)
              await send(name, notification, options)
              await traffic.gate(process, `${name} send after`)
            },
            [Symbol.asyncDispose]: async () => {},
          } satisfies Notifier,
        ]),
      ),
    fail(next) {
      fails = next
    },
    announced(events) {
      for (const { id, event } of events) {
        const { to, severity } = event as { readonly to?: string; readonly severity?: Json }
        if (to === undefined) severities.set(id, severity)
      }
    },
    settled: ({ outbox }) => [...outbox.values()].every(({ done }) => done),
    check({ outbox }) {
      for (const name of names) {
        const heard = new Set(notifiers[name].received.map(({ id }) => id))
        for (const [id, severity] of severities)
          if (outbox.has(id) && wants[name](severity) && !heard.has(id)) violate(`${name} never heard of ${id}`)
      }
      for (const id of outbox.keys()) {
        const isShared = names.some((name) => id.endsWith(`@${name}`))
        if (!isShared && !severities.has(id)) violate(`nobody knows where ${id} comes from`)
      }
    },
    refused: () => refused,
    doubles: () => names.reduce((sum, name) => sum + doublesOf(notifiers[name].received), 0),
  }
}

const doublesOf = (received: readonly Notification[]): number => received.length - new Set(received.map(({ id }) => id)).size
