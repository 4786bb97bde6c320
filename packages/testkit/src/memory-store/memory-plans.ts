import { type Cursor, HoldfastError, type PlanStore } from '@holdfast/core/spec'
import { checkRequests, createRun } from './create-run.ts'
import { addEvents } from './memory-outbox.ts'
import { plain } from './plain.ts'
import type { StoreContext } from './store-state.ts'

const cursorKey = (planId: string, schedule: string): string => `${planId}\n${schedule}`

function replaceCursors(context: StoreContext, planId: string, cursors: readonly Cursor[]): void {
  const kept = new Map<string, Cursor>()
  for (const cursor of cursors) {
    const key = cursorKey(planId, cursor.schedule)
    kept.set(key, context.state.cursors.get(key) ?? { planId, schedule: cursor.schedule, due: cursor.due })
  }
  for (const [key, cursor] of [...context.state.cursors]) if (cursor.planId === planId) context.state.cursors.delete(key)
  for (const [key, cursor] of kept) context.state.cursors.set(key, cursor)
}

function dueCursors(context: StoreContext, limit: number): readonly Cursor[] {
  const now = context.now()
  const due = [...context.state.cursors.values()].filter((cursor) => cursor.due !== null && cursor.due <= now)
  const order = (left: Cursor, right: Cursor): number =>
    (left.due ?? 0) - (right.due ?? 0) || (cursorKey(left.planId, left.schedule) < cursorKey(right.planId, right.schedule) ? -1 : 1)
  return due.sort(order).slice(0, Math.max(0, limit))
}

export function memoryPlans(context: StoreContext): PlanStore {
  const { state } = context
  return {
    put: (plan, cursors, options) =>
      context.perform('plans.put', options, () => {
        if ((state.plans.get(plan.id)?.revision ?? 0) !== plan.revision) return false
        state.plans.set(plan.id, plain({ id: plan.id, revision: plan.revision + 1, plan: plan.plan }))
        replaceCursors(context, plan.id, cursors)
        return true
      }),
    get: (id, options) => context.perform('plans.get', options, () => state.plans.get(id)),
    list: (options) =>
      context.iterate('plans.list', options, () => [...state.plans.values()].sort((left, right) => (left.id < right.id ? -1 : 1))),
    remove: (id, options) =>
      context.perform('plans.remove', options, () => {
        const known = state.plans.get(id)
        if (known === undefined || (options.revision !== undefined && options.revision !== known.revision)) return false
        state.plans.delete(id)
        replaceCursors(context, id, [])
        return true
      }),
    due: (limit, options) => context.perform('plans.due', options, () => ({ now: context.now(), cursors: dueCursors(context, limit) })),
    cursors: (options) => context.perform('plans.cursors', options, () => ({ now: context.now(), cursors: [...state.cursors.values()] })),
    setBack: (from, due, options) =>
      context.perform('plans.setBack', options, () => {
        const key = cursorKey(from.planId, from.schedule)
        const current = state.cursors.get(key)
        if (current === undefined || current.due !== from.due || (from.due !== null && due >= from.due)) return false
        state.cursors.set(key, { ...current, due })
        return true
      }),
    advance: (from, next, runs, options) =>
      context.perform('plans.advance', options, () => {
        if (next !== null && from.due !== null && next <= from.due) {
          throw new HoldfastError('INVALID_OPTIONS', `plan ${from.planId}, schedule ${from.schedule}: ${next} is not after ${from.due}`)
        }
        checkRequests(runs)
        const key = cursorKey(from.planId, from.schedule)
        const current = state.cursors.get(key)
        if (current === undefined || current.due === null || current.due !== from.due) return false
        state.cursors.set(key, { ...current, due: next })
        for (const request of runs) createRun(context, request)
        addEvents(context, options.events ?? [])
        return true
      }),
  }
}
