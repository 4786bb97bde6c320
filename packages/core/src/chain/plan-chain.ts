import { describeDuration } from '../model/duration.ts'
import { isoTime } from '../model/names.ts'
import { pointSummary } from '../model/point-row.ts'
import type { Catalog } from '../spec/store.ts'
import { type ChainPolicy, defaultMaxIncrementals } from './chain-policy.ts'
import { fullDays } from './full-day.ts'

/** A point as its catalog row with the highest number. */
export type ChainPoint = Catalog['points'][number]

/** What the next backup of a workload is to be, and why, in words a person reads. */
export type ChainDecision =
  | { readonly form: 'full'; readonly reason: string }
  /** `chain`: the base and everything it builds on, base first. All of it must stay while the backup runs. */
  | { readonly form: 'incremental'; readonly reason: string; readonly base: ChainPoint; readonly chain: readonly ChainPoint[] }

/** What the decision depends on besides the points. */
export interface ChainOptions {
  /** Default: 10 increments in a row, and no other rule. */
  readonly policy?: ChainPolicy | undefined
  /** When the run was due, milliseconds since 1970: never the present time, so that every attempt of a run decides alike. */
  readonly due: number
  /** Kind of the provider that will make the backup. */
  readonly providerKind: string
}

/**
 * Decides what the next backup may build on. Pure. `points`: those of one workload in one repository, one row each, newest first; condemned ones do not
 * count. Only the newest point can be a base: an older one would bring back what has changed since. Which plan made it does not matter: each disk
 * builds on the same disk, whatever options chose it.
 *
 * A base is an offer. What only the platform knows is decided later, disk by disk: a provider that has lost its checkpoint answers BASE_LOST, and a disk
 * that is new or has shrunk comes whole, while the others build on the base.
 */
export function planChain(points: readonly ChainPoint[], options: ChainOptions): ChainDecision {
  const { policy = { maxIncrementals: defaultMaxIncrementals }, providerKind } = options
  const alive = points.filter((point) => !point.condemned)
  const [base] = alive
  if (base === undefined) return full('first backup')
  const summary = pointSummary(base)
  if (summary.disks.length === 0) return full('streams are always kept whole')
  if (summary.providerKind !== providerKind) return full(`the newest point was made by a provider of kind ${summary.providerKind}`)
  const decision = along(base, new Map(alive.map((point) => [point.pointId, point])), policy.maxIncrementals)
  if (decision.form === 'full') return decision
  const due = dueFull(policy, lastFullDue(alive), options.due)
  return due === undefined ? decision : full(due)
}

/** Walks down from the base one generation after the other. Only damaged rows can have more generations than there are points: they go in a circle. */
function along(base: ChainPoint, byId: ReadonlyMap<string, ChainPoint>, maxIncrementals: number): ChainDecision {
  if (maxIncrementals === 0) return full('every backup is full, because maxIncrementals is 0')
  const chain = new Set<ChainPoint>()
  let generation: ReadonlySet<ChainPoint> = new Set([base])
  for (let length = 0; generation.size > 0; length++) {
    if (length >= maxIncrementals) return full(`the chain has reached its limit of ${increments(maxIncrementals)}`)
    if (length >= byId.size) return full(`the ${byId.size} points build on each other in a circle`)
    const parents = new Set<ChainPoint>()
    for (const point of generation) {
      const which = point === base ? 'the newest point' : 'a point that it would build on'
      if (point.flags.quarantine !== undefined) return full(`${which}, ${point.pointId}, is quarantined`)
      chain.add(point)
      for (const id of point.parents) {
        const parent = byId.get(id)
        if (parent === undefined) return full(`a point that it would build on, ${id}, is missing`)
        parents.add(parent)
      }
    }
    generation = parents
  }
  return { form: 'incremental', reason: `builds on ${base.pointId}`, base, chain: [...chain] }
}

/** When the newest point was due that has every disk whole. A point that a merge made whole is one. */
function lastFullDue(alive: readonly ChainPoint[]): number | undefined {
  for (const point of alive) {
    const { disks, due } = pointSummary(point)
    if (disks.length > 0 && disks.every(({ form }) => form === 'full')) return Date.parse(due)
  }
  return undefined
}

/** No run is made so late that a full is due by so much after it: such a full is of a clock that was ahead, and would put off the next one until then. */
const aheadMs = 32 * 24 * 60 * 60 * 1000

/** Why a full is due by the clock, if it is. A last full that is not known, or of no time at all, is too old. */
function dueFull({ fullEvery, fullOn }: ChainPolicy, lastFull: number | undefined, due: number): string | undefined {
  const last = lastFull === undefined || Number.isNaN(lastFull) || lastFull > due + aheadMs ? undefined : lastFull
  const lastText = last === undefined ? 'no full backup is known' : `the last full backup is of ${isoTime(last)}`
  if (fullEvery !== undefined && !(last !== undefined && due - last < fullEvery))
    return `${lastText}, and one is made every ${describeDuration(fullEvery)}`
  if (fullOn === undefined) return undefined
  const { latest, dayOf, text } = fullDays(fullOn)
  return last !== undefined && dayOf(last) >= latest(due) ? undefined : `${lastText}, and one is made ${text}`
}

const increments = (count: number): string => `${count} increment${count === 1 ? '' : 's'}`
const full = (reason: string): ChainDecision => ({ form: 'full', reason })
