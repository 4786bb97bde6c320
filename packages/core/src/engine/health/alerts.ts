import type { NodeCheck } from '../../model/health.ts'
import { isoTime } from '../../model/names.ts'
import { formatDuration } from '../../spec/helpers/index.ts'
import type { NodeReport, OutboxEvent, StoreTime } from '../../spec/store.ts'
import { type Notice, outboxEvent } from '../notices/notices.ts'

/** A node's last report as the store lists it. */
export type LastReport = NodeReport & { readonly at: StoreTime; readonly age: number }

/** What a node is about to report of itself. */
export interface NextReport {
  readonly node: string
  readonly state: NodeReport['state']
  readonly checks: readonly NodeCheck[]
}

/** What else a node knows when it is about to report. */
interface Occasion {
  /** It has said nothing for too long. */
  readonly silent: boolean
  /** The store's: stands for the time of the last report in the first of all. */
  readonly epoch: number
  /** Milliseconds UTC. */
  readonly now: number
}

/**
 * What a report changes, told before it is written: whoever dies in between finds the same last report again and tells the same again. Each id is made
 * of the node and of the time of its last report before the transition, so that it is written once, whoever writes it.
 */
export function ownTransitions(last: LastReport | undefined, next: NextReport, { silent, epoch, now }: Occasion): readonly OutboxEvent[] {
  const { node, state } = next
  const events = silent && last ? [nodeBack(last, now)] : []
  if (state === 'Error' && last?.state !== 'Error') {
    const bad = next.checks.filter((check) => check.state === 'Error').map(({ name, message }) => ({ name, message }))
    const text = `Node "${node}" has an error: ${bad.map(({ name, message }) => `${name}: ${message}`).join('; ')}`
    const at = last?.at ?? `first-${epoch}`
    events.push(nodeEvent({ node, at }, { type: 'node-error', at: now, text, data: { node, state, checks: bad } }))
  }
  if (state !== 'Error' && last?.state === 'Error') {
    const text = `Node "${node}" has no error any more; it is ${state}.`
    events.push(nodeEvent(last, { type: 'node-recovered', at: now, text, data: { node, state } }))
  }
  return events
}

/** A node has fallen silent. Every other node sees it and writes the same id. */
export function nodeStale(last: LastReport): OutboxEvent {
  const { node, at, age } = last
  const since = isoTime(at)
  const silence = formatDuration(Math.abs(age))
  const text = `Node "${node}" has been silent since ${since} (${silence}). What it was running is taken over by nodes that can do it.`
  return nodeEvent(last, { type: 'node-stale', at: at + age, text, data: { node, state: 'Stale', since } })
}

/** Told by the node itself, which alone may be there, and by those who have missed it. `now`: when it was heard again. */
export function nodeBack(last: Pick<LastReport, 'node' | 'at'>, now: number): OutboxEvent {
  const { node, at } = last
  const [from, to] = [isoTime(at), isoTime(now)]
  const text = `Node "${node}" is back. It was silent from ${from} to ${to} (${formatDuration(Math.abs(now - at))}).`
  return nodeEvent(last, { type: 'node-back', at: now, text, data: { node, from, to } })
}

function nodeEvent(last: { readonly node: string; readonly at: StoreTime | string }, notice: Notice): OutboxEvent {
  return outboxEvent(`${notice.type}/${last.node}/${last.at}`, notice)
}
