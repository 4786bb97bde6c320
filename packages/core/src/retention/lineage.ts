import type { RetentionPoint } from './retention-plan.ts'

/** Who builds on whom, by position in a list that runs from newest to oldest. */
export interface Lineage {
  /** The point is good: it and everything it builds on is there, and nothing of it is quarantined. */
  isGood(at: number): boolean
  /** Position of the point with this id, which the point at `from` names as its parent, or -1. */
  find(from: number, id: string): number
}

/**
 * Pure. A point that claims to build on a newer one is damaged and not good; so no circle is followed. `elsewhere`: points that are good and not in the
 * list.
 */
export function lineageOf(sorted: readonly RetentionPoint[], elsewhere: ReadonlySet<string>): Lineage {
  const find = finder(sorted)
  const good = new Uint8Array(sorted.length)
  for (let at = sorted.length - 1; at >= 0; at--) {
    const { quarantined, parents } = sorted[at] as RetentionPoint
    let sound = quarantined === undefined
    for (const id of parents) {
      const parent = find(at, id)
      // Of a newer one nothing is known yet, so it does not count as good.
      const isSound = parent < 0 ? elsewhere.has(id) : good[parent] === 1
      if (!isSound) sound = false
    }
    good[at] = sound ? 1 : 0
  }
  return { isGood: (at) => good[at] === 1, find }
}

const near = 4

/** A base is nearly always the next older point; the index of all ids is made only when one is further away. */
function finder(sorted: readonly RetentionPoint[]): (from: number, id: string) => number {
  let index: ReadonlyMap<string, number> | undefined
  return (from, id) => {
    for (let at = from + 1; at <= from + near; at++) if (sorted[at]?.id === id) return at
    index ??= new Map(sorted.map((point, at) => [point.id, at]))
    return index.get(id) ?? -1
  }
}
