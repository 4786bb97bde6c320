import { parseWorkloadKey, workloadKey } from '../model/names.ts'
import { describeSelector, fits, isById, type WorkloadPattern, type WorkloadSelector } from '../model/workload-selection.ts'
import type { CallOptions } from '../spec/blocks.ts'
import { withDeadline } from '../spec/helpers/index.ts'
import type { WorkloadRef } from '../spec/workload.ts'
import { type EngineParts, providerNamed } from './parts.ts'

/** What selectors stand for now. */
export interface Selection {
  /** Each once, in the order of the selectors. */
  readonly workloads: readonly WorkloadRef[]
  /** In words: patterns that nothing fits. */
  readonly empty: readonly string[]
  /** Providers that could not be asked, with their errors. Their patterns stand for nothing now. */
  readonly failed: readonly { readonly provider: string; readonly error: unknown }[]
}

/** Asks each provider that a pattern names, once. Reads only. A provider that fails is an entry of `failed`, never a rejection; an abort is. */
export async function selectWorkloads(
  parts: EngineParts,
  selectors: readonly WorkloadSelector[],
  options: CallOptions,
): Promise<Selection> {
  const shown = new Map<WorkloadPattern, WorkloadRef[]>()
  const failed: { readonly provider: string; readonly error: unknown }[] = []
  const patterns = selectors.filter((each): each is WorkloadPattern => !isById(each))
  for (const [provider, ofProvider] of Map.groupBy(patterns, (pattern) => pattern.provider)) {
    try {
      const found = await inventory(parts, provider, ofProvider, options)
      for (const [pattern, workloads] of found) shown.set(pattern, workloads)
    } catch (error) {
      options.signal.throwIfAborted()
      failed.push({ provider, error })
    }
  }
  const workloads = new Map<string, WorkloadRef>()
  const empty: string[] = []
  for (const selector of selectors) {
    const chosen = isById(selector) ? [selector] : shown.get(selector)
    if (chosen?.length === 0) empty.push(describeSelector(selector))
    for (const workload of chosen ?? []) workloads.set(workloadKey(workload), { provider: workload.provider, id: workload.id })
  }
  return { workloads: [...workloads.values()], empty, failed }
}

async function inventory(
  parts: EngineParts,
  provider: string,
  patterns: readonly WorkloadPattern[],
  options: CallOptions,
): Promise<ReadonlyMap<WorkloadPattern, WorkloadRef[]>> {
  const found = new Map<WorkloadPattern, WorkloadRef[]>(patterns.map((pattern) => [pattern, []]))
  const deadline = { ...options, clock: parts.clock, milliseconds: parts.stallMs, name: `The inventory of provider "${provider}"` }
  await withDeadline(deadline, async (limited) => {
    for await (const workload of providerNamed(parts, provider).workloads(limited))
      for (const [pattern, workloads] of found) if (fits(pattern, workload)) workloads.push({ provider, id: workload.id })
  })
  // Providers show them in any order; the order of runs shall not change by that.
  for (const workloads of found.values()) workloads.sort((a, b) => (a.id < b.id ? -1 : 1))
  return found
}

/** Those that the catalog has points of: a workload that is gone from its platform still has points to look after. */
export async function knownWorkloads(parts: EngineParts, repository: string, options: CallOptions): Promise<readonly WorkloadRef[]> {
  const found: WorkloadRef[] = []
  for await (const key of parts.store.points.workloads(repository, options)) found.push(parseWorkloadKey(key))
  return found
}
