import type { RetentionPoint } from './retention-plan.ts'

/** The points from the newest to the oldest: the highest sequence first, then the higher id. The input stays as it is. */
export function newestFirst<Point extends RetentionPoint>(points: readonly Point[]): readonly Point[] {
  const sorted = bySequence(points) ?? [...points].sort((a, b) => b.sequence - a.sequence)
  orderEquals(sorted)
  return sorted
}

/**
 * Sequence and position packed into one number each, so that the sort compares numbers and calls nothing: several times as fast. Undefined when they do
 * not fit, which needs sequences that no real catalog has.
 */
function bySequence<Point extends RetentionPoint>(points: readonly Point[]): Point[] | undefined {
  const count = points.length
  const keys = new Float64Array(count)
  const most = Math.floor(Number.MAX_SAFE_INTEGER / Math.max(count, 1)) - 1
  for (let at = 0; at < count; at++) {
    const { sequence } = points[at] as Point
    if (!Number.isInteger(sequence) || sequence < 0 || sequence > most) return undefined
    keys[at] = sequence * count + at
  }
  keys.sort()
  const sorted = new Array<Point>(count)
  for (let at = 0; at < count; at++) sorted[count - 1 - at] = points[(keys[at] as number) % count] as Point
  return sorted
}

/** Points with the same sequence lie together; the order among them is that of their ids. */
function orderEquals(sorted: RetentionPoint[]): void {
  for (let from = 0; from < sorted.length; ) {
    const { sequence } = sorted[from] as RetentionPoint
    let until = from + 1
    while (sorted[until]?.sequence === sequence) until++
    if (until - from > 1) {
      const equals = sorted.slice(from, until).sort((a, b) => (a.id < b.id ? 1 : -1))
      for (const [offset, point] of equals.entries()) sorted[from + offset] = point
    }
    from = until
  }
}
