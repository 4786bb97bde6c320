import { type Plan, parsePlan } from '../model/plan.ts'
import type { CallOptions } from '../spec/blocks.ts'
import { HoldfastError } from '../spec/errors.ts'
import type { Json } from '../spec/json.ts'
import type { Store } from '../spec/store.ts'

const casTries = 10

export async function getPlan(store: Store, id: string, options: CallOptions): Promise<Plan | undefined> {
  const row = await store.plans.get(id, options)
  return row && parsePlan(id, row.plan)
}

/** Puts the plan over whatever is there; the same plan again changes nothing. */
export async function putPlan(store: Store, id: string, plan: Plan, options: CallOptions): Promise<void> {
  for (let tried = 0; tried < casTries; tried++) {
    const row = await store.plans.get(id, options)
    if (row && JSON.stringify(row.plan) === JSON.stringify(plan)) return
    if (await store.plans.put({ id, revision: row?.revision ?? 0, plan: plan as unknown as Json }, [], options)) return
  }
  throw new HoldfastError('STORE_BUSY', `The plan "${id}" is being changed by somebody else.`)
}

/** Plans given in code win over stored ones of the same name. */
export async function listPlans(
  store: Store,
  codePlans: ReadonlyMap<string, Plan>,
  options: CallOptions,
): Promise<readonly { readonly id: string; readonly plan: Plan }[]> {
  const found = new Map(codePlans)
  for await (const row of store.plans.list(options)) if (!found.has(row.id)) found.set(row.id, parsePlan(row.id, row.plan))
  return [...found].map(([id, plan]) => ({ id, plan })).sort((a, b) => (a.id < b.id ? -1 : 1))
}
