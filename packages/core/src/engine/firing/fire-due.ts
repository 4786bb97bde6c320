import { isoTime } from '../../model/names.ts'
import type { Plan } from '../../model/plan.ts'
import { type DueDecision, jitterOf, nextDue, type Schedule } from '../../schedule/index.ts'
import type { CallOptions } from '../../spec/blocks.ts'
import type { Cursor, OutboxEvent, PlanRow, RunRequest } from '../../spec/store.ts'
import type { WorkloadRef } from '../../spec/workload.ts'
import { errorText } from '../error-text.ts'
import { outboxEvent } from '../notices/notices.ts'
import { skippedNotice } from '../notices/run-notices.ts'
import type { EngineParts } from '../parts.ts'
import { createCursorWatch, lastRun } from './cursor-watch.ts'
import { createDueSelections, type DueSelections, dueKey } from './due-selections.ts'
import type { Inventories } from './inventories.ts'
import { overlapKeyOf, planRequests } from './plan-runs.ts'
import { scheduleId, storedPlan } from './plans.ts'
import type { Selection } from './select-workloads.ts'

const batch = 1000

/** Turns due times into runs. */
export interface Firing {
  /**
   * Claims every due time that this node can: each becomes its runs exactly once, whoever else tries. Waits for the store only; what needs to know what a
   * platform has is left to a later call. Gives the next due times, for a wake-up.
   */
  fire(options: CallOptions): Promise<readonly number[]>
}

export function createFiring(parts: EngineParts, inventories: Inventories): Firing {
  const planOf = createPlanReader(parts)
  const selections = createDueSelections(parts, inventories)
  const setBack = createCursorWatch(parts, planOf)
  return {
    async fire(options) {
      const upcoming: number[] = []
      /** Due times that are left to somebody else, or to later. */
      const left = new Set<string>()
      for (let limit = batch; ; limit = batch + left.size) {
        const { now, cursors } = await parts.store.plans.due(limit, options)
        upcoming.push(...(await setBack(now, options)))
        for (const cursor of cursors) {
          if (left.has(dueKey(cursor))) continue
          const row = await parts.store.plans.get(cursor.planId, options)
          const next = await fireCursor({ parts, selections, cursor, plan: row && planOf(row), now, options })
          if (next === undefined) left.add(dueKey(cursor))
          if (next) upcoming.push(next)
        }
        // Those that are left come again before all others: behind them may be some that this node can do.
        if (cursors.length >= limit) continue
        selections.keep(left)
        return upcoming
      }
    },
  }
}

interface Due {
  readonly parts: EngineParts
  readonly selections: DueSelections
  readonly cursor: Cursor
  readonly plan: Plan | undefined
  readonly now: number
  readonly options: CallOptions
}

/** The next due time, null if there is none, undefined if the cursor was left to somebody else or to later. */
async function fireCursor(given: Due): Promise<number | null | undefined> {
  const { parts, selections, cursor, plan, now, options } = given
  if (!plan?.schedule || cursor.due === null || scheduleId(plan.schedule) !== cursor.schedule) return undefined
  const { due, fire, next, reason, missed } = await decide(given, plan.schedule, cursor.due)
  const passed = missed > 0 ? [missedNotice(parts, cursor.planId, due, missed, reason)] : []
  if (fire === null) {
    if (!(await parts.store.plans.advance(cursor, next, [], { ...options, events: eventsOf(passed) }))) return undefined
    tell(parts, passed)
    return next
  }
  const selection = await selections.select(cursor, plan, now, options)
  if (!selection) return undefined
  const requests = dueRequests(parts, cursor.planId, plan, fire, selection.workloads)
  const fresh = await newRequests(parts, requests, options)
  const again = requests.length > 0 && fresh.length === 0
  const notices = again ? passed : [...passed, ...selectionNotices(parts, cursor, fire, selection)]
  if (!(await parts.store.plans.advance(cursor, next, requests, { ...options, events: eventsOf(notices) }))) return undefined
  tell(parts, notices)
  if (!again) await tellFired(parts, cursor, fire, fresh, options)
  return next
}

/** `due`: the first due time that it is about. It is not the cursor's when that was set back to before what has run already. */
async function decide(
  { parts, selections, cursor, now, options }: Due,
  schedule: Schedule,
  due: number,
): Promise<DueDecision & { readonly due: number }> {
  const decided = selections.decide(cursor, schedule, due, now)
  if (decided.missed === 0) return { ...decided, due }
  const done = await lastRun(parts, cursor, now, options)
  if (done === undefined || done < due) return { ...decided, due }
  const from = nextDue(schedule, done)
  if (from === null || from > now) return { ...decided, fire: null, next: nextDue(schedule, now), missed: 0, due }
  return { ...selections.decide(cursor, schedule, from, now), due: from }
}

/** Those that nobody has asked for yet: a due time comes again when a clock was set back. */
async function newRequests(parts: EngineParts, requests: readonly RunRequest[], options: CallOptions): Promise<readonly RunRequest[]> {
  const [first] = requests
  if (!first || !(await parts.store.runs.get(first.key, options))) return requests
  const fresh: RunRequest[] = []
  for (const request of requests) if (!(await parts.store.runs.get(request.key, options))) fresh.push(request)
  return fresh
}

/** Undefined, and told once, for a plan that cannot be read here. */
function createPlanReader(parts: EngineParts): (row: PlanRow) => Plan | undefined {
  /** Plans as they were parsed last. */
  const parsed = new Map<string, { readonly text: string; readonly plan: Plan }>()
  const told = new Set<string>()
  return (row) => {
    // By its text: a plan that was removed and put again begins anew with its revisions.
    const text = JSON.stringify(row.plan)
    const known = parsed.get(row.id)
    if (known?.text === text) return known.plan
    try {
      const { plan } = storedPlan(row)
      parsed.set(row.id, { text, plan })
      return plan
    } catch (error) {
      const message = `The plan "${row.id}" cannot be read here, so it is left to other nodes: ${errorText(error)}`
      if (!told.has(message)) parts.events.emit('warning', { code: 'PLAN_UNREADABLE', message })
      told.add(message)
      return undefined
    }
  }
}

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
function missedNotice(parts: EngineParts, planId: string, due: number, missed: number, reason: string): Notice {
  const first = isoTime(due)
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
