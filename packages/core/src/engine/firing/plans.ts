import { createHash } from 'node:crypto'
import { type Plan, parsePlan } from '../../model/plan.ts'
import { nextDue, type Schedule } from '../../schedule/index.ts'
import type { CallOptions } from '../../spec/blocks.ts'
import { HoldfastError } from '../../spec/errors.ts'
import type { Json } from '../../spec/json.ts'
import type { Cursor, PlanRow, Store } from '../../spec/store.ts'
import { errorText } from '../error-text.ts'
import type { EngineParts } from '../parts.ts'

const casTries = 10

/** A plan as its row holds it: with the nodes that have it in their code. A plan put by hand has none. */
interface StoredPlan {
  readonly plan: Plan
  readonly owners: readonly string[]
}

export async function getPlan(store: Store, id: string, options: CallOptions): Promise<Plan | undefined> {
  const row = await store.plans.get(id, options)
  return row && storedPlan(row).plan
}

/** One of {@link listPlans}. Throws NOT_FOUND if there is none, INVALID_OPTIONS for one that a newer version has written. */
export async function requirePlan(
  parts: EngineParts,
  codePlans: ReadonlyMap<string, Plan>,
  id: string,
  options: CallOptions,
): Promise<Plan> {
  const plan = (parts.codePlans.areStored ? undefined : codePlans.get(id)) ?? (await getPlan(parts.store, id, options))
  if (plan) return plan
  const known = (await listPlans(parts, codePlans, options)).map((each) => `"${each.id}"`).join(', ')
  throw new HoldfastError('NOT_FOUND', `There is no plan "${id}". Known: ${known || 'none'}.`)
}

/** Throws INVALID_OPTIONS for a plan that a newer version has written. */
export function storedPlan({ id, plan }: PlanRow): StoredPlan {
  const { owners = [], ...rest } = plan as { readonly owners?: readonly string[] }
  return { plan: parsePlan(id, rest), owners }
}

/** Another time of the day is another schedule, which is due at its own time; a longer jitter is not. */
export function scheduleId({ missed: _missed, overlap: _overlap, jitter: _jitter, ...when }: Schedule): string {
  return createHash('sha256').update(JSON.stringify(when)).digest('hex').slice(0, 16)
}

/**
 * Puts the plan over whatever is there; the same plan again changes nothing, and a schedule that stays keeps its due time. `owner`: the node that has it in
 * its code.
 */
export async function putPlan(store: Store, id: string, plan: Plan, options: CallOptions & { readonly owner?: string }): Promise<void> {
  for (let tried = 0; tried < casTries; tried++) {
    const row = await store.plans.get(id, options)
    const known = (row?.plan as { readonly owners?: readonly string[] } | undefined)?.owners ?? []
    // Put by hand it belongs to nobody: no node's code takes it away again.
    const owners = options.owner === undefined ? [] : known.includes(options.owner) ? known : [...known, options.owner]
    const json = { ...plan, ...(owners.length > 0 && { owners }) } as unknown as Json
    if (row && JSON.stringify(row.plan) === JSON.stringify(json)) return
    const cursors = await cursorsOf(store, id, plan, options)
    if (await store.plans.put({ id, revision: row?.revision ?? 0, plan: json }, cursors, options)) return
  }
  throw new HoldfastError('STORE_BUSY', `The plan "${id}" is being changed by somebody else.`)
}

async function cursorsOf(store: Store, planId: string, { schedule }: Plan, options: CallOptions): Promise<readonly Cursor[]> {
  if (!schedule) return []
  const { now } = await store.plans.due(0, options)
  return [{ planId, schedule: scheduleId(schedule), due: nextDue(schedule, now) }]
}

/** Nothing is ever deleted by a plan without retention; whoever did not mean that shall learn it before the disk is full. */
export function tellAbsentRetention(parts: EngineParts, id: string, plan: Plan): void {
  if (plan.kind !== 'backup' || plan.retention) return
  const message = `Plan "${id}" has no retention: all its points stay for ever. Give it one, for example { last: 3, daily: 7, weekly: 4 }.`
  parts.logger.info(message, { code: 'RETENTION_ABSENT' })
  parts.events.emit('warning', { code: 'RETENTION_ABSENT', message })
}

/**
 * Makes the store's plans those of this node's code: puts each, and gives up those that this node has put once and that its code has no more. A plan goes
 * when no node has it in its code; one put by hand is left alone.
 */
export async function reconcilePlans(parts: EngineParts, codePlans: ReadonlyMap<string, Plan>, options: CallOptions): Promise<void> {
  const { store, name: owner } = parts
  for (const [id, plan] of codePlans) {
    await putPlan(store, id, plan, { ...options, owner })
    tellAbsentRetention(parts, id, plan)
  }
  const rows: PlanRow[] = []
  for await (const row of store.plans.list(options)) if (!codePlans.has(row.id)) rows.push(row)
  for (const row of rows) {
    const owners = (row.plan as { readonly owners?: readonly string[] }).owners ?? []
    if (!owners.includes(owner)) continue
    const left = owners.filter((each) => each !== owner)
    if (left.length === 0) await store.plans.remove(row.id, { ...options, revision: row.revision })
    else await giveUp(parts, row, left, options)
  }
  parts.codePlans.areStored = true
}

/**
 * False from `put` or `remove` means that somebody else has changed it: then it is no longer the plan that this node has put. One that a newer version has written is
 * left as it is: it must not keep this node from starting.
 */
async function giveUp(parts: EngineParts, row: PlanRow, owners: readonly string[], options: CallOptions): Promise<void> {
  const plan = readablePlan(parts, row)
  if (plan === undefined) return
  const cursors = await cursorsOf(parts.store, row.id, plan, options)
  await parts.store.plans.put({ ...row, plan: { ...plan, owners } as unknown as Json }, cursors, options)
}

/** Undefined with a warning for a plan that a newer version has written. */
function readablePlan({ logger }: EngineParts, row: PlanRow): Plan | undefined {
  try {
    return storedPlan(row).plan
  } catch (error) {
    logger.warn('A plan cannot be read here, so it is left to other nodes.', {
      code: 'PLAN_UNREADABLE',
      plan: row.id,
      error: errorText(error),
    })
    return undefined
  }
}

/** The plans as they fire: those of the store, and until this node's code is reconciled with it, over them those of the code. */
export async function listPlans(
  parts: EngineParts,
  codePlans: ReadonlyMap<string, Plan>,
  options: CallOptions,
): Promise<readonly { readonly id: string; readonly plan: Plan }[]> {
  const found = new Map(parts.codePlans.areStored ? [] : codePlans)
  for await (const row of parts.store.plans.list(options)) {
    const plan = found.has(row.id) ? undefined : readablePlan(parts, row)
    if (plan) found.set(row.id, plan)
  }
  return [...found].map(([id, plan]) => ({ id, plan })).sort((a, b) => (a.id < b.id ? -1 : 1))
}
