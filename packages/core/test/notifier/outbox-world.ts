import { countingIds, type FakeClock, fakeClock, type MemoryStore, memoryNotifier, memoryStore, recordingLogger } from '@holdfast/testkit'
import { parseEngineOptions } from '../../src/engine/engine-options.ts'
import type { EngineEvents } from '../../src/engine/events.ts'
import { outboxEvent } from '../../src/engine/notices/notices.ts'
import { createDelivery } from '../../src/engine/notices/outbox.ts'
import { HoldfastError } from '../../src/spec/errors.ts'
import type { Notification, Notifier } from '../../src/spec/notifier.ts'

export const [second, minute, hour, day] = [1_000, 60_000, 3_600_000, 86_400_000] as const
export const options = { signal: new AbortController().signal }

export interface World {
  readonly clock: FakeClock
  readonly store: MemoryStore
  /** Labels of the store's methods that were called. */
  readonly calls: string[]
}
export function world(turn?: (label: string, moment: 'before' | 'after') => void): World {
  const clock = fakeClock()
  const calls: string[] = []
  const store = memoryStore({
    clock,
    ids: countingIds('s'),
    async turn(label, moment) {
      if (moment === 'before') calls.push(label)
      turn?.(label, moment)
    },
  })
  return { clock, store, calls }
}

/** A process that delivers every five seconds, as the engine does. */
export function node({ clock, store }: World, notifiers: { readonly [name: string]: Notifier }) {
  const logger = recordingLogger()
  const { parts } = parseEngineOptions({ name: 'a', store, repositories: {}, providers: {}, notifiers, clock, logger })
  const warnings: EngineEvents['warning'][] = []
  parts.events.on('warning', (event) => warnings.push(event))
  const deliver = createDelivery(parts)
  const ending = new AbortController()
  return {
    logger,
    warnings,
    /** This process has run something. */
    work: () => parts.events.emit('run-finished', { id: 'r', key: 'k', operation: 'backup', attempt: 1, state: 'succeeded' }),
    once: () => clock.runUntil(deliver(options)),
    /** Polls for so long. */
    async live(milliseconds: number, every = 5 * second) {
      const until = clock.monotonic() + milliseconds
      while (clock.monotonic() < until) {
        await clock.runUntil(deliver({ signal: ending.signal })).catch(() => undefined)
        await clock.advance(Math.min(every, Math.max(0, until - clock.monotonic())))
      }
    },
    die: () => ending.abort(new Error('killed')),
    deliver: () => deliver({ signal: ending.signal }),
  }
}

export function happen({ clock, store }: World, ...ids: readonly string[]) {
  return store.outbox.add(
    ids.map((id) => outboxEvent(id, { type: 'run-failed', at: clock.now(), text: `text of ${id}`, data: { plan: 'nightly' } })),
    options,
  )
}

/** Rows that still wait, whoever has them at the moment. */
export function waiting({ store }: World): readonly string[] {
  const { outbox } = store.dump().state as { readonly outbox: ReadonlyMap<string, { readonly done: boolean }> }
  return [...outbox].flatMap(([id, { done }]) => (done ? [] : [id]))
}

export const idsOf = (received: readonly Notification[]) => received.map(({ id }) => id)
export const failingWith = (error: () => unknown) => {
  const tries: string[] = []
  const notifier: Notifier = {
    ...memoryNotifier(),
    async send({ id }) {
      tries.push(id)
      throw error()
    },
  }
  return { notifier, tries }
}
export const unreachable = () => new HoldfastError('NOTIFIER_FAILED', 'not there', { retryable: true })
