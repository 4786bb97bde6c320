import { pointSummary } from '../model/point-row.ts'
import type { Catalog } from '../spec/store.ts'

/** Increments in a row before a full backup is made again, unless told otherwise. */
export const defaultMaxIncrementals = 10

/** A point as its catalog row with the highest number. */
export type ChainPoint = Catalog['points'][number]

/** What the next backup of a workload is to be, and why, in words a person reads. */
export type ChainDecision =
  | { readonly form: 'full'; readonly reason: string }
  /** `chain`: the base and everything it builds on, base first. All of it must stay while the backup runs. */
  | { readonly form: 'incremental'; readonly reason: string; readonly base: ChainPoint; readonly chain: readonly ChainPoint[] }

/** What the decision depends on besides the points. */
export interface ChainOptions {
  /** Increments in a row before a full one; 0 makes every backup full. Default 10. */
  readonly maxIncrementals?: number
  /** Kind of the provider that will make the backup. */
  readonly providerKind: string
}

/**
 * Decides what the next backup may build on. Pure. `points`: those of one workload in one repository, one row each, newest first; condemned ones do not
 * count. Only the newest point can be a base: an older one would bring back what has changed since. A base is an offer: a provider that has lost its
 * checkpoint answers BASE_LOST, and a single disk that cannot be built on comes whole.
 */
export function planChain(points: readonly ChainPoint[], options: ChainOptions): ChainDecision {
  const alive = points.filter((point) => !point.condemned)
  const [base] = alive
  if (base === undefined) return full('first backup')
  const { disks, providerKind } = pointSummary(base)
  if (disks.length === 0) return full('streams are always kept whole')
  if (providerKind !== options.providerKind) return full(`the newest point was made by a provider of kind ${providerKind}`)
  return along(base, new Map(alive.map((point) => [point.pointId, point])), options.maxIncrementals ?? defaultMaxIncrementals)
}

/** Walks down from the base one generation after the other; a circle of damaged rows ends at the limit, like any chain that is too long. */
function along(base: ChainPoint, byId: ReadonlyMap<string, ChainPoint>, maxIncrementals: number): ChainDecision {
  const chain = new Set<ChainPoint>()
  let generation: ReadonlySet<ChainPoint> = new Set([base])
  for (let length = 0; generation.size > 0; length++) {
    if (length >= maxIncrementals) return full(`the chain has reached ${maxIncrementals} increments`)
    const parents = new Set<ChainPoint>()
    for (const point of generation) {
      if (point.flags.quarantine !== undefined)
        return full(`${point === base ? 'the newest point' : 'a point it would build on'} is quarantined`)
      chain.add(point)
      for (const id of point.parents) {
        const parent = byId.get(id)
        if (parent === undefined) return full('a point it would build on is missing')
        parents.add(parent)
      }
    }
    generation = parents
  }
  return { form: 'incremental', reason: `builds on ${base.pointId}`, base, chain: [...chain] }
}

const full = (reason: string): ChainDecision => ({ form: 'full', reason })
