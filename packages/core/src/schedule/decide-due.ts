import { isoTime } from '../model/names.ts'
import { roughly } from './describe.ts'
import { latestDue, nextDue } from './next-due.ts'
import type { Schedule } from './types.ts'

/** A run that begins this much after its due time is in time for every policy: loops look now and then, and hosts restart. */
export const inTimeMs = 5 * 60_000

/** Missed times are counted up to here. */
export const mostMissed = 100

/** What to do about a due time that has come. */
export interface DueDecision {
  /** The due time to run for, milliseconds UTC. Null: none. */
  readonly fire: number | null
  /** The due time to wait for next, milliseconds UTC. Null: never again. */
  readonly next: number | null
  /** How many due times get no run. At most 100. */
  readonly missed: number
  /** Why, in words that a person reads. */
  readonly reason: string
}

/**
 * Decides about a due time that has come, at `now`; both milliseconds UTC. Pure. At most one run comes of it: for the latest due time up to `now`, if it is
 * in time (five minutes) or the policy `latest` makes it up within its window. `next` is after `now` and after `due`, so that a clock that goes back fires
 * nothing twice. Only if `now` is before `due` nothing is decided, and `next` is `due`.
 */
export function decideDue(schedule: Schedule, due: number, now: number): DueDecision {
  if (now < due) return { fire: null, next: due, missed: 0, reason: 'It is not due yet.' }
  const latest = latestDue(schedule, due, now) ?? due
  const passed = 1 + countBetween(schedule, due, latest)
  const next = nextDue(schedule, now)
  const late = now - latest
  const limit = limitOf(schedule)
  if (late > limit) return { fire: null, next, missed: Math.min(passed, mostMissed), reason: refusal(schedule, latest, late, limit) }
  return { fire: latest, next, missed: passed - 1, reason: consent(latest, late) }
}

function limitOf({ missed }: Schedule): number {
  return missed.policy === 'skip' ? inTimeMs : Math.max(inTimeMs, missed.window ?? Number.POSITIVE_INFINITY)
}

function consent(latest: number, late: number): string {
  if (late <= inTimeMs) return `The run due at ${isoTime(latest)} is in time.`
  return `The run due at ${isoTime(latest)} is made up, ${roughly(late)} late.`
}

function refusal({ missed }: Schedule, latest: number, late: number, limit: number): string {
  const why = missed.policy === 'skip' ? 'the schedule skips what it missed' : `the schedule makes up for at most ${roughly(limit)}`
  return `Nobody looked at ${isoTime(latest)} or soon after; it is ${roughly(late)} late now, and ${why}.`
}

function countBetween(schedule: Schedule, after: number, until: number): number {
  let count = 0
  for (let due = nextDue(schedule, after); due !== null && due <= until && count < mostMissed; due = nextDue(schedule, due)) count++
  return count
}
