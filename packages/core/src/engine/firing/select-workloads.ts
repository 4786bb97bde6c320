import { parseWorkloadKey, workloadKey } from '../../model/names.ts'
import { describeSelector, fits, isById, type WorkloadPattern, type WorkloadSelector } from '../../model/workload-selection.ts'
import type { CallOptions } from '../../spec/blocks.ts'
import { withDeadline } from '../../spec/helpers/index.ts'
import type { Workload, WorkloadRef } from '../../spec/workload.ts'
import { type EngineParts, providerNamed } from '../parts.ts'

/** What selectors stand for now. */
export interface Selection {
  /** Each once, in the order of the selectors. */
  readonly workloads: readonly WorkloadRef[]
  /** In words: patterns that nothing fits. */
  readonly empty: readonly string[]
  /** Providers that could not be asked, with their errors. Their patterns stand for nothing now. */
  readonly failed: readonly { readonly provider: string; readonly error: unknown }[]
}

type Shown = Pick<Workload, 'id' | 'name' | 'labels'>
/** What a provider has shown, or why it could not. */
export type Inventory = { readonly workloads: readonly Shown[] } | { readonly error: unknown }

/** Asks each provider that a pattern names, once. Reads only. A provider that fails is an entry of `failed`, never a rejection; an abort is. */
export async function selectWorkloads(
  parts: EngineParts,
  selectors: readonly WorkloadSelector[],
  options: CallOptions,
): Promise<Selection> {
  const inventories = new Map<string, Inventory>()
  for (const provider of patternProviders(selectors)) {
    inventories.set(provider, await readInventory(parts, provider, options))
    options.signal.throwIfAborted()
  }
  return selectFrom(selectors, inventories)
}

/** Those that must be asked what the patterns stand for, each once. */
export const patternProviders = (selectors: readonly WorkloadSelector[]): readonly string[] => [
  ...new Set(selectors.filter((each) => !isById(each)).map(({ provider }) => provider)),
]

/** The same from what providers have shown already. Pure. */
export function selectFrom(selectors: readonly WorkloadSelector[], inventories: ReadonlyMap<string, Inventory>): Selection {
  const workloads = new Map<string, WorkloadRef>()
  const empty: string[] = []
  for (const selector of selectors) {
    const chosen = isById(selector) ? [selector] : fitting(selector, inventories.get(selector.provider))
    if (chosen?.length === 0) empty.push(describeSelector(selector))
    for (const { provider, id } of chosen ?? []) workloads.set(workloadKey({ provider, id }), { provider, id })
  }
  const failed = [...inventories].flatMap(([provider, inventory]) => ('error' in inventory ? [{ provider, error: inventory.error }] : []))
  return { workloads: [...workloads.values()], empty, failed }
}

function fitting(pattern: WorkloadPattern, inventory: Inventory | undefined): readonly WorkloadRef[] | undefined {
  if (!inventory || 'error' in inventory) return undefined
  const found = inventory.workloads.filter((workload) => fits(pattern, workload))
  // Providers show them in any order; the order of runs shall not change by that.
  return found.map(({ id }) => ({ provider: pattern.provider, id })).sort((a, b) => (a.id < b.id ? -1 : 1))
}

/** Never rejects: also an abort is an error that is shown. */
export async function readInventory(parts: EngineParts, provider: string, options: CallOptions): Promise<Inventory> {
  const deadline = { ...options, clock: parts.clock, milliseconds: parts.stallMs, name: `The inventory of provider "${provider}"` }
  const workloads: Shown[] = []
  try {
    await withDeadline(deadline, async (limited) => {
      for await (const { id, name, labels } of providerNamed(parts, provider).workloads(limited))
        workloads.push({ id, name, ...(labels !== undefined && { labels }) })
    })
    return { workloads }
  } catch (error) {
    return { error }
  }
}

/** Those that the catalog has points of: a workload that is gone from its platform still has points to look after. */
export async function knownWorkloads(parts: EngineParts, repository: string, options: CallOptions): Promise<readonly WorkloadRef[]> {
  const found: WorkloadRef[] = []
  for await (const key of parts.store.points.workloads(repository, options)) found.push(parseWorkloadKey(key))
  return found
}
