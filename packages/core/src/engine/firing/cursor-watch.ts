import { isoTime } from '../../model/names.ts'
import type { Plan } from '../../model/plan.ts'
import { nextDue } from '../../schedule/index.ts'
import type { CallOptions } from '../../spec/blocks.ts'
import { clockSkewMs } from '../../spec/run-store.ts'
import type { Cursor, PlanRow } from '../../spec/store.ts'
import type { EngineParts } from '../parts.ts'
import { scheduleId } from './plans.ts'

/** So often it is looked, although this process has not seen the store's clock go back: another one may have fired while it was ahead, and died. */
const lookEveryMs = 60_000
/** Runs of many due times, unless a plan has thousands of workloads. */
const mostRuns = 1_000

/** Finds cursors that wait for a later time than their schedules: a clock was ahead when they were moved. Gives the times they were set back to. */
export type CursorWatch = (now: number, options: CallOptions) => Promise<readonly number[]>

/** Keys keep anything from running twice for the due times that come again. `planOf` gives a plan that this node can read. */
export function createCursorWatch(parts: EngineParts, planOf: (row: PlanRow) => Plan | undefined): CursorWatch {
  let last: { readonly now: number; readonly looked: number } | undefined
  return async (now, options) => {
    const monotonic = parts.clock.monotonic()
    if (last && now >= last.now && monotonic - last.looked < lookEveryMs) {
      last = { ...last, now }
      return []
    }
    const times = await setBack(parts, planOf, options)
    last = { now, looked: monotonic }
    return times
  }
}

async function setBack(parts: EngineParts, planOf: (row: PlanRow) => Plan | undefined, options: CallOptions): Promise<readonly number[]> {
  const rows = new Map<string, PlanRow>()
  for await (const row of parts.store.plans.list(options)) rows.set(row.id, row)
  const { now, cursors } = await parts.store.plans.cursors(options)
  const times: number[] = []
  for (const cursor of cursors) {
    if (cursor.due !== null && cursor.due <= now) continue
    const row = rows.get(cursor.planId)
    const schedule = row && planOf(row)?.schedule
    if (!schedule || scheduleId(schedule) !== cursor.schedule) continue
    const next = nextDue(schedule, now)
    // Another node's clock may be a little ahead of the one that is asked here.
    const latest = nextDue(schedule, now + clockSkewMs)
    if (next === null || latest === null || (cursor.due !== null && cursor.due <= latest)) continue
    if (!(await parts.store.plans.setBack(cursor, next, options))) continue
    const before = cursor.due === null ? 'never again' : isoTime(cursor.due)
    parts.logger.warn(`Plan "${cursor.planId}" was due next ${before}, because a clock was ahead. Now it is due ${isoTime(next)}.`)
    times.push(next)
  }
  return times
}

/**
 * The last due time of the plan, up to `now`, that has its runs. A cursor that was set back passes such times once more, and they are not missed. Undefined:
 * none was found.
 */
export async function lastRun(parts: EngineParts, { planId }: Cursor, now: number, options: CallOptions): Promise<number | undefined> {
  let found: number | undefined
  let count = 0
  for await (const { key, dueAt } of parts.store.runs.list({ planId, order: 'newest-first' }, options)) {
    if (dueAt <= now && dueAt > (found ?? Number.NEGATIVE_INFINITY) && key.endsWith(`/${isoTime(dueAt)}`)) found = dueAt
    if (++count === mostRuns) break
  }
  return found
}
