import { EventEmitter } from 'eventemitter3'
import type { Finding } from '../model/run-outcome.ts'
import { invalidOptions, nearest, showValue } from '../spec/helpers/index.ts'
import type { Logger } from '../spec/logger.ts'
import type { RunState } from '../spec/store.ts'
import { errorText } from './error-text.ts'

/** What every event about a run carries. */
export interface RunEvent {
  readonly id: string
  readonly key: string
  readonly operation: string
  readonly attempt: number
  readonly workload?: string
  readonly plan?: string
}

/** Names and payloads of the events of one engine. They tell what this process did; the store's outbox tells what happened anywhere. */
export interface EngineEvents {
  /** A due time became runs; `runs` are their keys. */
  'plan-fired': { readonly plan: string; readonly due: string; readonly runs: readonly string[] }
  /** Due times that passed without runs, and why. `due` is the first of them, ISO 8601 UTC. */
  'schedule-missed': { readonly plan: string; readonly due: string; readonly missed: number; readonly reason: string }
  'run-queued': RunEvent
  'run-started': RunEvent
  /** The attempt failed and the run is queued again. */
  'run-retried': RunEvent & { readonly error: unknown; readonly delayMs: number }
  'run-finished': RunEvent & { readonly state: RunState; readonly result?: unknown; readonly error?: unknown }
  /** A manifest is durable: from here on the point exists, whatever happens next. */
  'point-committed': RunEvent & { readonly repository: string; readonly point: string }
  'point-deleted': { readonly repository: string; readonly point: string }
  /** With the damaged parts of a disk, and the other points that build on it, where they are known. */
  'point-damaged': Finding & { readonly repository: string }
  'undo-failed': { readonly provider: string; readonly kind: string; readonly error: unknown }
  warning: { readonly code: string; readonly message: string; readonly cause?: unknown }
}

/** Name of an event. */
export type EventName = keyof EngineEvents
/** Hears one kind of event. What it returns is not used; a promise that rejects is treated like a throw. */
export type EventListener<Name extends EventName> = (event: EngineEvents[Name]) => void

/** A record, so that the compiler finds a name that is left out. */
const names: { readonly [Name in EventName]: true } = {
  'plan-fired': true,
  'schedule-missed': true,
  'run-queued': true,
  'run-started': true,
  'run-retried': true,
  'run-finished': true,
  'point-committed': true,
  'point-deleted': true,
  'point-damaged': true,
  'undo-failed': true,
  warning: true,
}

/** A misspelt name would never be heard, and nobody would miss it. */
function assertEventName(call: 'on' | 'off', name: unknown): void {
  if (typeof name === 'string' && Object.hasOwn(names, name)) return
  const known = Object.keys(names)
  const meant = typeof name === 'string' ? nearest(name, known) : undefined
  const problem = `is ${showValue(name)}; allowed: ${known.map((each) => `"${each}"`).join(', ')}`
  throw invalidOptions(`engine.${call}`, [{ path: 'name', problem, ...(meant !== undefined && { meant }) }])
}

/** Listeners are guests: one that throws becomes a warning in the log and never a failed backup. */
export interface EventHub {
  on<Name extends EventName>(name: Name, listener: EventListener<Name>): void
  off<Name extends EventName>(name: Name, listener: EventListener<Name>): void
  emit<Name extends EventName>(name: Name, event: EngineEvents[Name]): void
}

export function createEventHub(logger: Logger): EventHub {
  const emitter = new EventEmitter<Record<string, [unknown]>>()
  const listeners = new Map<string, Map<unknown, (event: unknown) => void>>()
  const failed = (name: string, error: unknown) => {
    logger.warn(`A listener of "${name}" threw.`, { code: 'LISTENER_FAILED', error: errorText(error) })
  }
  return {
    on(name, listener) {
      assertEventName('on', name)
      const guarded = (event: unknown) => {
        try {
          const answer = (listener as (event: unknown) => unknown)(event)
          if (answer instanceof Promise) answer.catch((error: unknown) => failed(name, error))
        } catch (error) {
          failed(name, error)
        }
      }
      const ofName = listeners.get(name) ?? new Map<unknown, (event: unknown) => void>()
      // Added twice it is heard once, so that taking it off once is enough.
      if (ofName.has(listener)) return
      listeners.set(name, ofName.set(listener, guarded))
      emitter.on(name, guarded)
    },
    off(name, listener) {
      assertEventName('off', name)
      const guarded = listeners.get(name)?.get(listener)
      if (guarded) emitter.off(name, guarded)
      listeners.get(name)?.delete(listener)
    },
    emit(name, event) {
      emitter.emit(name, event)
    },
  }
}
