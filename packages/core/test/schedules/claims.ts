import type { Cursor, RunRequest } from '@holdfast/core/spec'
import { isoTime } from '../../src/model/names.ts'
import type { StoreView } from './ledger.ts'
import type { Process } from './traffic.ts'

/** A due time that one process has won: it moved the cursor from there to the next one. */
interface Claim {
  readonly process: Process
  /** Calls of that process that had failed when it won. */
  readonly failuresBefore: number
  readonly plan: string
  /** Every due time that the cursor has left behind. */
  readonly passed: readonly number[]
  /** Those that it left behind for the first time. */
  readonly first: readonly number[]
}

/** Every promise about due times, checked from outside the engine. */
export interface Claims {
  /** A process asks what is due: what it has claimed before must be explained by now. */
  looked(process: Process, state: () => StoreView): void
  won(process: Process, from: Cursor, next: number | null, requests: readonly RunRequest[], state: () => StoreView): void
  /** A cursor was set back: a clock was ahead. What it passes again has been claimed before. */
  setBack(plan: string, due: number): void
  /** A copy of the database is kept: with it comes back what was claimed and explained until now. */
  copied(state: StoreView): void
  /** The database is another one: an older copy of itself, or `empty`, and then plans begin anew. */
  forget(how: { readonly empty: boolean }): void
  /** Due times that got neither a run nor a word because the process that had claimed them died before it could say so. */
  unexplained(): number
}

/** `intervals`: milliseconds between the due times of each plan, which are multiples of it. */
export function createClaims(intervals: ReadonlyMap<string, number>, violate: (text: string) => void): Claims {
  const cursors = new Map<string, number>()
  let open: Claim[] = []
  /** The first due time of each plan: a clock that was set back passes older ones, and nobody was promised those. */
  const begins = new Map<string, number>()
  /** Due times that were claimed, whoever has to explain them. */
  let claimed = new Set<string>()
  let inCopy = new Set<string>()
  let lost = 0

  /** Due times that it left behind for the first time, without work and without a word until now. */
  function silentOf(claim: Claim, { runs, outbox }: StoreView): readonly number[] {
    const told = claim.passed.some((due) => outbox.has(`${claim.plan}/missed/${isoTime(due)}`))
    // A clock that was set back lets somebody else claim it again, who may not have come to his word yet.
    const again = new Set(open.flatMap((other) => (other !== claim && other.plan === claim.plan ? other.passed : [])))
    return claim.first.filter((due) => {
      if (again.has(due)) return false
      const made = [...runs.values()].filter((run) => run.planId === claim.plan && run.key.endsWith(`/${isoTime(due)}`))
      if (made.length > 0) return made.some((run) => run.state === 'skipped' && !outbox.has(`${run.id}/skipped`))
      return !told && !outbox.has(`${claim.plan}/selection/${isoTime(due)}/0`)
    })
  }

  function explain(claim: Claim, state: StoreView): void {
    const silent = silentOf(claim, state)
    if (silent.length === 0) return
    const { process } = claim
    lost += silent.length
    // The claim and its word are two transactions.
    if (process.dead || process.failures > claim.failuresBefore) return
    violate(`${claim.plan}: due at ${isoTime(silent[0] ?? 0)}, and there is neither work nor a word of it`)
  }

  return {
    looked(process, state) {
      const ended = open.filter((each) => each.process === process || each.process.dead)
      if (ended.length === 0) return
      for (const claim of ended) explain(claim, state())
      open = open.filter((each) => each.process !== process && !each.process.dead)
    },
    won(process, { planId, due }, next, requests, state) {
      if (due === null) return violate(`${planId}: claimed, though nothing is due`)
      const before = cursors.get(planId)
      if (before !== undefined && due < before) violate(`${planId}: due at ${isoTime(due)} was claimed twice`)
      if (before !== undefined && (next ?? Infinity) <= before) violate(`${planId}: the cursor went back to ${next}`)
      cursors.set(planId, next ?? Infinity)
      const interval = intervals.get(planId) ?? Infinity
      const passed: number[] = []
      for (let at = due; at < (next ?? due + 1); at += interval) passed.push(at)
      const { runs } = state()
      for (const { key, dueAt } of requests) {
        if (!passed.includes(dueAt ?? 0)) violate(`${key} is for no due time of this claim`)
        if ([...runs.values()].filter((run) => run.key === key).length !== 1) violate(`${key} has not exactly one run`)
      }
      const begin = begins.get(planId) ?? due
      begins.set(planId, begin)
      const first = passed.filter((at) => at >= begin && !claimed.has(`${planId}/${at}`))
      for (const at of first) claimed.add(`${planId}/${at}`)
      open.push({ process, failuresBefore: process.failures, plan: planId, passed, first })
    },
    setBack: (plan, due) => void cursors.set(plan, due),
    copied(state) {
      inCopy = claimed.difference(new Set(open.flatMap((claim) => silentOf(claim, state).map((at) => `${claim.plan}/${at}`))))
    },
    forget({ empty }) {
      if (empty) begins.clear()
      cursors.clear()
      claimed = new Set(empty ? [] : inCopy)
      open = []
    },
    unexplained: () => lost,
  }
}
