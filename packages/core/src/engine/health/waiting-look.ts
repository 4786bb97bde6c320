import { isStale } from '../../model/health.ts'
import { isoTime } from '../../model/names.ts'
import type { CallOptions } from '../../spec/blocks.ts'
import type { Json } from '../../spec/json.ts'
import type { Cursor, Run } from '../../spec/store.ts'
import { outboxEvent } from '../notices/notices.ts'
import { type EngineParts, offersOf } from '../parts.ts'
import type { Look } from './check-runner.ts'

/** The check is told only while there is something to say. */
export const waitingCheckName = 'waiting'

/** So long a node may be away, or a provider be waited for, before anybody is told. */
const patienceMs = 20 * 60_000
/** So many are named. */
const mostNamed = 3
const mostDue = 500

/** Something that is due, and that no node does. */
interface Waiting {
  /** Of its notification: the store keeps it once, whichever nodes see it. */
  readonly id: string
  readonly text: string
  readonly data: { readonly [name: string]: Json }
}

/**
 * What nobody does: queued runs that need what no node has, due times of plans that no node takes. Told when this process has seen it for a while, by the
 * monotonic clock: after a start everything is due, and a clock that jumps makes everything late.
 */
export function waitingLook(parts: EngineParts): Look {
  const seen = new Map<string, number>()
  const told = new Set<string>()
  return {
    name: waitingCheckName,
    async look(options) {
      const monotonic = parts.clock.monotonic()
      const { now, cursors } = await parts.store.plans.due(mostDue, options)
      const all = [...(await waitingRuns(parts, now, options)), ...cursors.map(waitingPlan)]
      const ids = new Set(all.map(({ id }) => id))
      for (const id of seen.keys()) if (!ids.has(id)) seen.delete(id)
      for (const id of ids) if (!seen.has(id)) seen.set(id, monotonic)
      // A provider is waited for until its last question has ended.
      const waiting = all.filter(({ id }) => monotonic - (seen.get(id) ?? monotonic) >= patienceMs + parts.stallMs)
      const fresh = waiting.filter(({ id }) => !told.has(id))
      if (fresh.length > 0)
        await parts.store.outbox.add(
          fresh.map((each) => notice(each, now)),
          options,
        )
      told.clear()
      for (const { id } of waiting) told.add(id)
      if (waiting.length === 0) return { state: 'OK', message: 'Nothing waits for a node that is not there.' }
      const named = waiting.slice(0, mostNamed).map(({ text }) => text)
      const more = waiting.length > mostNamed ? [`${waiting.length - mostNamed} more`] : []
      return { state: 'Warning', message: `${[...named, ...more].join('; ')}.` }
    },
  }
}

function notice({ id, text, data }: Waiting, now: number) {
  const remedy = 'Start a node that has what it needs, or take it away.'
  return outboxEvent(id, { type: 'schedule-missed', at: now, text: `${text}. ${remedy}`, data })
}

async function waitingRuns(parts: EngineParts, now: number, options: CallOptions): Promise<readonly Waiting[]> {
  const offers = await allOffers(parts, options)
  const found: Waiting[] = []
  for await (const run of parts.store.runs.list({ states: ['queued'] }, options)) {
    const missing = run.needs.filter((need) => !offers.has(need))
    if (missing.length > 0 && run.notBefore <= now) found.push(waitingRun(run, missing))
  }
  return found
}

function waitingRun({ id, key, operation, planId, workload, notBefore }: Run, missing: readonly string[]): Waiting {
  const lacks = missing.map((need) => `${need.replace(':', ' "')}"`).join(' and ')
  const about = { run: id, key, operation, ...(planId !== undefined && { plan: planId }), ...(workload !== undefined && { workload }) }
  const text = `Run "${key}" has been waiting since ${isoTime(notBefore)}, because no node has ${lacks}`
  return { id: `${id}/nobody`, text, data: { ...about, missing: [...missing] } }
}

function waitingPlan({ planId, schedule, due }: Cursor): Waiting {
  const since = isoTime(due ?? 0)
  const text = `Plan "${planId}" has been due since ${since}, and no node runs it: none has its providers, or none can read it`
  return { id: `${planId}/nobody/${schedule}/${since}`, text, data: { plan: planId, due: since } }
}

/** What this node has, and any other that reports: each reports a check of each of its providers and repositories, by their names. */
async function allOffers(parts: EngineParts, options: CallOptions): Promise<ReadonlySet<string>> {
  const offers = new Set(offersOf(parts))
  for (const { age, checks } of await parts.store.nodes.list(options)) {
    if (isStale(age, parts.nodeStaleMs) || !Array.isArray(checks)) continue
    for (const check of checks) {
      const { name } = check as { readonly name?: unknown }
      if (typeof name === 'string') offers.add(name.replace(' ', ':'))
    }
  }
  return offers
}
