import { isoTime } from '../model/names.ts'
import type { Plan } from '../model/plan.ts'
import { decideDue, jitterOf } from '../schedule/index.ts'
import type { CallOptions } from '../spec/blocks.ts'
import type { Cursor, OutboxEvent, RunRequest } from '../spec/store.ts'
import type { WorkloadRef } from '../spec/workload.ts'
import { errorText } from './error-text.ts'
import { outboxEvent } from './notices.ts'
import type { EngineParts } from './parts.ts'
import { overlapKeyOf, planRequests } from './plan-runs.ts'
import { scheduleId, storedPlan } from './plans.ts'
import { skippedNotice } from './run-notices.ts'
import { knownWorkloads, type Selection, selectWorkloads } from './select-workloads.ts'

const batch = 1000
/** So long a provider that cannot be asked for its workloads is asked again, before the plan runs without those. */
const patienceMs = 15 * 60_000
const askAgainMs = 30_000

/** Turns due times into runs. */
export interface Firing {
  /** Claims every due time that this node can: each becomes its runs exactly once, whoever else tries. Gives the next due times, for a wake-up. */
  fire(options: CallOptions): Promise<readonly number[]>
}

/** What is remembered between two looks: only to keep from asking and telling the same thing at every poll. */
interface Memory {
  /** Plan -> since when its provider does not answer, and when it may be asked again; by the monotonic clock. */
  readonly waiting: Map<string, { readonly since: number; readonly again: number }>
  readonly told: Set<string>
  /** Plans as they were parsed last. */
  readonly parsed: Map<string, { readonly text: string; readonly plan: Plan }>
}

export function createFiring(parts: EngineParts): Firing {
  const memory: Memory = { waiting: new Map(), told: new Set(), parsed: new Map() }
  return {
    async fire(options) {
      const upcoming: number[] = []
      for (;;) {
        const { now, cursors } = await parts.store.plans.due(batch, options)
        let moved = 0
        for (const cursor of cursors) {
          const next = await fireCursor(parts, memory, cursor, now, options)
          if (next !== undefined) moved++
          if (next) upcoming.push(next)
        }
        if (moved === 0 || cursors.length < batch) return upcoming
      }
    },
  }
}

/** The next due time, null if there is none, undefined if the cursor was left to somebody else or to later. */
async function fireCursor(
  parts: EngineParts,
  memory: Memory,
  cursor: Cursor,
  now: number,
  options: CallOptions,
): Promise<number | null | undefined> {
  const plan = await planOf(parts, memory, cursor, options)
  if (!plan?.schedule || cursor.due === null || scheduleId(plan.schedule) !== cursor.schedule) return undefined
  const { fire, next, reason, missed } = decideDue(plan.schedule, cursor.due, now)
  const passed = missed > 0 ? [missedNotice(parts, cursor, missed, reason)] : []
  if (fire === null) {
    if (!(await parts.store.plans.advance(cursor, next, [], { ...options, events: eventsOf(passed) }))) return undefined
    tell(parts, passed)
    return next
  }
  const selection = await selectionOf(parts, memory, cursor, plan, options)
  if (!selection) return undefined
  const requests = dueRequests(parts, cursor.planId, plan, fire, selection.workloads)
  const notices = [...passed, ...selectionNotices(parts, cursor, fire, selection)]
  if (!(await parts.store.plans.advance(cursor, next, requests, { ...options, events: eventsOf(notices) }))) return undefined
  memory.waiting.delete(cursor.planId)
  tell(parts, notices)
  await tellFired(parts, cursor, fire, requests, options)
  return next
}

async function planOf(parts: EngineParts, memory: Memory, { planId }: Cursor, options: CallOptions): Promise<Plan | undefined> {
  const row = await parts.store.plans.get(planId, options)
  if (!row) return undefined
  // By its text: a plan that was removed and put again begins anew with its revisions.
  const text = JSON.stringify(row.plan)
  const known = memory.parsed.get(planId)
  if (known?.text === text) return known.plan
  try {
    const { plan } = storedPlan(row)
    memory.parsed.set(planId, { text, plan })
    return plan
  } catch (error) {
    const message = `The plan "${planId}" cannot be read here, so it is left to other nodes: ${errorText(error)}`
    if (!memory.told.has(message)) parts.events.emit('warning', { code: 'PLAN_UNREADABLE', message })
    memory.told.add(message)
    return undefined
  }
}

/** Undefined: not by this node, or not yet. */
async function selectionOf(
  parts: EngineParts,
  memory: Memory,
  cursor: Cursor,
  plan: Plan,
  options: CallOptions,
): Promise<Selection | undefined> {
  if (plan.kind === 'maintenance') return emptySelection
  if (plan.workloads === undefined) return { ...emptySelection, workloads: await knownWorkloads(parts, plan.repository, options) }
  // A node without the provider cannot tell what a pattern stands for.
  if (plan.workloads.some((each) => !('id' in each) && !parts.providers.has(each.provider))) return undefined
  const asked = parts.clock.monotonic()
  const waiting = memory.waiting.get(cursor.planId)
  if (waiting && waiting.again > asked) return undefined
  const selection = await selectWorkloads(parts, plan.workloads, options)
  // Not since the due time: a host that was off finds its plans late, and its platforms may need a minute to answer.
  const since = waiting?.since ?? asked
  if (selection.failed.length === 0 || asked - since >= patienceMs) return selection
  memory.waiting.set(cursor.planId, { since, again: asked + askAgainMs })
  const [{ provider, error } = { provider: '', error: undefined }] = selection.failed
  const message = `Provider "${provider}" cannot tell which workloads plan "${cursor.planId}" is for; it is asked again: ${errorText(error)}`
  parts.logger.warn(message, { code: 'SELECTION_FAILED' })
  return undefined
}

const emptySelection: Selection = { workloads: [], empty: [], failed: [] }

function dueRequests(
  parts: EngineParts,
  planId: string,
  plan: Plan,
  due: number,
  workloads: readonly WorkloadRef[],
): readonly RunRequest[] {
  const { schedule } = plan
  if (!schedule) return []
  const occasion = isoTime(due)
  return planRequests(parts, planId, plan, occasion, workloads).map((request) => ({
    ...request,
    dueAt: due,
    delay: jitterOf(request.key, schedule.jitter),
    overlap: { key: overlapKeyOf(request, occasion), policy: schedule.overlap },
  }))
}

/** Something to be told of a claim: in its transaction to those far away, afterwards to this process. */
interface Notice {
  readonly event: OutboxEvent
  here(): void
}

const eventsOf = (notices: readonly Notice[]): readonly OutboxEvent[] => notices.map(({ event }) => event)
function tell(parts: EngineParts, notices: readonly Notice[]): void {
  for (const { event, here } of notices) {
    parts.logger.warn(String((event.event as { readonly text?: unknown }).text), { notice: event.id })
    here()
  }
}

/** Every due time that passed without its runs is explained once. */
function missedNotice(parts: EngineParts, { planId, due }: Cursor, missed: number, reason: string): Notice {
  const first = isoTime(due ?? 0)
  const text = `Plan "${planId}" was due ${missed === 1 ? 'once' : `${missed} times`} without a run, from ${first} on. ${reason}`
  const event = outboxEvent(`${planId}/missed/${first}`, {
    type: 'schedule-missed',
    at: parts.clock.now(),
    text,
    data: { plan: planId, due: first, missed },
  })
  return { event, here: () => parts.events.emit('schedule-missed', { plan: planId, due: first, missed, reason }) }
}

/** A plan that protects less than somebody believes is worth a message each time. */
function selectionNotices(parts: EngineParts, { planId }: Cursor, due: number, { empty, failed }: Selection): readonly Notice[] {
  const told = [
    ...empty.map((pattern) => `Plan "${planId}": nothing fits ${pattern}.`),
    ...failed.map(({ provider, error }) => `Plan "${planId}" ran without the patterns of provider "${provider}": ${errorText(error)}`),
  ]
  return told.map((message, index) => ({
    event: outboxEvent(`${planId}/selection/${isoTime(due)}/${index}`, {
      type: 'selection-incomplete',
      at: parts.clock.now(),
      text: message,
      data: { plan: planId, due: isoTime(due) },
    }),
    here: () => parts.events.emit('warning', { code: 'SELECTION_INCOMPLETE', message }),
  }))
}

/** What was made, and what was not because the last one is still at work: only the store knows, after the claim. */
async function tellFired(
  parts: EngineParts,
  { planId }: Cursor,
  due: number,
  requests: readonly RunRequest[],
  options: CallOptions,
): Promise<void> {
  parts.events.emit('plan-fired', { plan: planId, due: isoTime(due), runs: requests.map((request) => request.key) })
  for (const { key } of requests) {
    const run = await parts.store.runs.get(key, options)
    if (!run) continue
    const { id, operation, attempt, workload } = run
    const told = { id, key, operation, attempt, plan: planId, ...(workload !== undefined && { workload }) }
    if (run.state !== 'skipped') parts.events.emit('run-queued', told)
    else {
      parts.events.emit('run-finished', { ...told, state: 'skipped' })
      await parts.store.outbox.add([skippedNotice(run, parts.clock.now())], options)
    }
  }
}
