import type { CallOptions } from '../../spec/blocks.ts'
import { HoldfastError } from '../../spec/errors.ts'
import { nearest } from '../../spec/helpers/index.ts'
import type { Workload, WorkloadRef } from '../../spec/workload.ts'
import { type EngineParts, providerNamed } from '../parts.ts'

/**
 * A workload as its platform has it now.
 * @throws NOT_FOUND: with the id of the one whose name was given instead, or nearly.
 */
export async function findWorkload(parts: EngineParts, { provider, id }: WorkloadRef, options: CallOptions): Promise<Workload> {
  const platform = providerNamed(parts, provider)
  for await (const workload of platform.workloads({ ...options, id })) if (workload.id === id) return workload
  const near = await workloadNear(platform.workloads(options), id, options)
  const hint = near === undefined ? '' : near.name === id ? ` That is the name of "${near.id}".` : ` There is "${near.name}": "${near.id}".`
  throw new HoldfastError('NOT_FOUND', `Provider "${provider}" has no workload "${id}".${hint}`, {
    remedy: near === undefined ? 'Use an id as the list of its workloads has it.' : 'Use the id, as the list of its workloads has it.',
  })
}

/** The workload that was probably meant. A platform that cannot be listed now has none. */
async function workloadNear(workloads: AsyncIterable<Workload>, id: string, { signal }: CallOptions): Promise<Workload | undefined> {
  const named = new Map<string, Workload>()
  try {
    for await (const one of workloads) if (!named.has(one.name)) named.set(one.name, one)
  } catch (error) {
    if (signal.aborted) throw error
  }
  return named.get(nearest(id, [...named.keys()]) ?? '')
}
