import { planRetention, type RetentionPoint, type RetentionPolicy } from '../../src/retention/index.ts'

/** The points of a history: sequences in the order of its times, nothing builds on anything. */
export function pointsOf(times: readonly number[]): readonly RetentionPoint[] {
  return times.map((createdAt, at) => ({ id: String(at), sequence: at + 1, createdAt, parents: [] }))
}

/** Positions of what stays, in ascending order. */
export function kept({ times }: { readonly times: readonly number[] }, policy: RetentionPolicy, now: number): readonly number[] {
  const { decisions } = planRetention(pointsOf(times), policy, now)
  return decisions
    .filter(({ keep }) => keep)
    .map(({ point }) => Number(point.id))
    .sort((a, b) => a - b)
}
