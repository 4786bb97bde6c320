import type { Plan } from '../../model/plan.ts'
import { type DueDecision, decideDue, type Schedule } from '../../schedule/index.ts'
import type { CallOptions } from '../../spec/blocks.ts'
import type { Cursor } from '../../spec/store.ts'
import { errorText } from '../error-text.ts'
import type { EngineParts } from '../parts.ts'
import type { Answer, Inventories } from './inventories.ts'
import { type Inventory, knownWorkloads, patternProviders, type Selection, selectFrom } from './select-workloads.ts'

/** So long a provider that cannot be asked for its workloads is asked again, before the plan runs without those. */
const patienceMs = 15 * 60_000

/** One due time whose patterns are waited for. */
interface Wait {
  /** When it was first seen: on the monotonic clock, and on the store's. */
  readonly since: number
  readonly seen: number
  /** The end of the last failure that was told. */
  told?: number
}

/** What plans that are due stand for, and how late they are. */
export interface DueSelections {
  /** Whoever waits for a provider is as late as when it was first seen. */
  decide(cursor: Cursor, schedule: Schedule, due: number, now: number): DueDecision
  /** Undefined: not by this node, or not yet. Does not wait for providers. */
  select(cursor: Cursor, plan: Plan, now: number, options: CallOptions): Promise<Selection | undefined>
  /** Only these are due now: what was remembered of others is forgotten. */
  keep(due: ReadonlySet<string>): void
}

/** Which due time of which schedule. */
export const dueKey = ({ planId, schedule, due }: Cursor): string => `${planId}/${schedule}/${due}`

const emptySelection: Selection = { workloads: [], empty: [], failed: [] }

export function createDueSelections(parts: EngineParts, inventories: Inventories): DueSelections {
  const waits = new Map<string, Wait>()

  return {
    decide(cursor, schedule, due, now) {
      const decided = decideDue(schedule, due, now)
      const wait = waits.get(dueKey(cursor))
      // The last question may have been put at the end of the patience, behind one of somebody else. Longer ago it was not waiting but sleep.
      if (decided.fire !== null || !wait || now - wait.seen > patienceMs + 3 * parts.stallMs) return decided
      return decideDue(schedule, due, wait.seen)
    },
    async select(cursor, plan, now, options) {
      if (plan.kind === 'maintenance') return emptySelection
      if (plan.kind === 'verification' && plan.workloads === undefined)
        return { ...emptySelection, workloads: await knownWorkloads(parts, plan.repository, options) }
      const selectors = plan.workloads ?? []
      const providers = patternProviders(selectors)
      // A node without the provider cannot tell what a pattern stands for.
      if (!providers.every((each) => parts.providers.has(each))) return undefined
      if (providers.length === 0) return selectFrom(selectors, new Map())
      // Not since the due time: a host that was off finds its plans late, and its platforms may need a minute to answer.
      const wait = waits.get(dueKey(cursor)) ?? { since: parts.clock.monotonic(), seen: now }
      waits.set(dueKey(cursor), wait)
      const shown = askAll(parts, inventories, providers, wait, cursor.planId)
      return shown && selectFrom(selectors, shown)
    },
    keep(due) {
      for (const key of waits.keys()) if (!due.has(key)) waits.delete(key)
      if (waits.size === 0) inventories.forget()
    },
  }
}

/** Undefined: there is still something to wait for. */
function askAll(
  parts: EngineParts,
  inventories: Inventories,
  providers: readonly string[],
  wait: Wait,
  planId: string,
): ReadonlyMap<string, Inventory> | undefined {
  const patient = parts.clock.monotonic() - wait.since < patienceMs
  // All of them at once, also when the first has not answered.
  const asked = providers.map((provider) => ({ provider, answer: inventories.ask(provider, wait.since) }))
  const shown = new Map<string, Inventory>()
  for (const { provider, answer } of asked) {
    if (answer && !('error' in answer.inventory && patient)) shown.set(provider, answer.inventory)
    else if (answer) tellFailure(parts, provider, answer, wait, planId)
  }
  return shown.size === providers.length ? shown : undefined
}

function tellFailure(parts: EngineParts, provider: string, { inventory, ended }: Answer, wait: Wait, planId: string): void {
  if (!('error' in inventory) || (wait.told ?? -1) >= ended) return
  wait.told = ended
  const message = `Provider "${provider}" cannot tell which workloads plan "${planId}" is for; it is asked again: ${errorText(inventory.error)}`
  parts.logger.warn(message, { code: 'SELECTION_FAILED' })
}
