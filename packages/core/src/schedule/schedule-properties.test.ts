import { describe, expect, it } from 'vitest'
import { isoTime } from '../model/names.ts'
import { weekdays } from './calendar.ts'
import { decideDue, inTimeMs } from './decide-due.ts'
import { describeSchedule } from './describe.ts'
import { latestDue, nextDue } from './next-due.ts'
import { parseSchedule } from './schedule-schema.ts'
import type { Schedule } from './types.ts'

const rounds = process.env.HOLDFAST_LONG === '1' ? 5_000 : 200
const seed = Number(process.env.HOLDFAST_SEED ?? Math.floor(Math.random() * 2 ** 32))
const minute = 60_000
const day = 1440 * minute

const zones = [
  ...['UTC', 'Europe/Berlin', 'America/New_York', 'America/St_Johns', 'Asia/Kolkata', 'Asia/Kathmandu', 'Australia/Lord_Howe'],
  ...['Pacific/Chatham', 'Africa/Cairo', 'Africa/Casablanca', 'America/Santiago', 'Antarctica/Troll', 'Pacific/Apia', 'Europe/Dublin'],
]

/** Calls `check` with a random source for each round; a failure names what makes it happen again. */
function forRandom(check: (random: Random) => void): void {
  for (let round = 0; round < rounds; round++) {
    const random = randomFrom(seed + round)
    try {
      check(random)
    } catch (error) {
      throw new Error(`HOLDFAST_SEED=${seed + round}: ${error instanceof Error ? error.message : error}`, { cause: error })
    }
  }
}

describe(`any schedule at any time (seed ${seed})`, { timeout: 600_000 }, () => {
  it('is due later than what was asked for, and at the same time whenever one asks before', () => {
    forRandom((random) => {
      const schedule = randomSchedule(random)
      let after = randomTime(random)
      expect(nextDue(structuredClone(schedule), after)).toBe(nextDue(schedule, after))
      for (let step = 0; step < 12; step++) {
        const due = nextDue(schedule, after)
        if (due === null) return
        expect(due).toBeGreaterThan(after)
        if (schedule.type !== 'every') expect(due % minute).toBe(0)
        const between = after + Math.floor(random() * (due - after))
        for (const moment of [due - 1, between]) expect(nextDue(schedule, moment), told(schedule, moment)).toBe(due)
        after = due
      }
    })
  })

  it('has as its latest due time the last one that is found by going on', () => {
    forRandom((random) => {
      const schedule = randomSchedule(random)
      const from = randomTime(random)
      const all = dueAfter(schedule, from, 12)
      const last = all.at(-1) ?? from
      const until = from + Math.floor(random() * (last - from + 1))
      expect(latestDue(schedule, from, until), told(schedule, from)).toBe(all.findLast((due) => due <= until) ?? null)
      expect(latestDue(schedule, from, last)).toBe(all.at(-1) ?? null)
      expect(latestDue(schedule, last, last)).toBeNull()
      expect(latestDue(schedule, last, from)).toBeNull()
    })
  })

  it('is due when the wall shows one of its times, or at the end of a gap that had one', () => {
    forRandom((random) => {
      const schedule = randomSchedule(random)
      if (!('at' in schedule)) return
      const wallTime = wallTimesIn(schedule.zone)
      for (const due of dueAfter(schedule, randomTime(random), 8)) {
        const skipped: string[] = []
        for (let wall = wallTime(due - minute) + minute; wall <= wallTime(due); wall += minute) skipped.push(isoTime(wall).slice(11, 16))
        expect(
          schedule.at.some((time) => skipped.includes(time)),
          told(schedule, due),
        ).toBe(true)
      }
    })
  })

  it('loses no due time and decides for none twice, however the clock jumps', () => {
    forRandom((random) => {
      const schedule = randomSchedule(random)
      const start = randomTime(random)
      const times = dueAfter(schedule, start, 40)
      let now = start
      let cursor: number | null = nextDue(schedule, start)
      let accounted = 0
      const fired: number[] = []
      for (let look = 0; look < 30 && cursor !== null; look++) {
        const step = (times[Math.floor(random() * 4)] ?? now) - start + Math.floor(random() * 2 * minute)
        now += random() < 0.25 ? -step : step
        if (now < cursor || now > (times.at(-1) ?? 0)) continue
        const { fire, next, missed } = decideDue(schedule, cursor, now)
        accounted += missed + (fire === null ? 0 : 1)
        if (fire !== null) fired.push(fire)
        if (next === null) break
        expect(next, told(schedule, now)).toBeGreaterThan(Math.max(now, cursor))
        expect(next).toBe(nextDue(schedule, now))
        cursor = next
      }
      expect(fired.every((due, index) => due > (fired[index - 1] ?? 0) && times.includes(due))).toBe(true)
      expect(accounted).toBe(times.filter((due) => due < (cursor ?? Number.POSITIVE_INFINITY)).length)
    })
  })

  it('runs at most once for what it missed, and never for what is too old', () => {
    forRandom((random) => {
      const schedule = randomSchedule(random)
      const times = dueAfter(schedule, randomTime(random), 20)
      const [due = 0] = times
      const now = due + Math.floor(random() ** 3 * ((times.at(-1) ?? due) - due))
      const { fire, missed, reason } = decideDue(schedule, due, now)
      const passed = times.filter((time) => time <= now)
      const late = now - (passed.at(-1) ?? 0)
      const window = schedule.missed.policy === 'skip' ? 0 : (schedule.missed.window ?? Number.POSITIVE_INFINITY)
      expect(fire).toBe(late <= Math.max(window, inTimeMs) ? passed.at(-1) : null)
      expect(missed).toBe(passed.length - (fire === null ? 0 : 1))
      expect(reason).toMatch(/^[A-Z].*\.$/)
    })
  })

  it('parses to itself and can be told in words', () => {
    forRandom((random) => {
      const schedule = randomSchedule(random)
      expect(parseSchedule(schedule, 'the schedule')).toEqual(schedule)
      expect(parseSchedule(JSON.parse(JSON.stringify(schedule)), 'the schedule')).toEqual(schedule)
      expect(describeSchedule(schedule)).not.toMatch(/undefined|NaN|object| {2}/)
    })
  })
})

type Random = () => number

const told = (schedule: Schedule, moment: number): string => `${JSON.stringify(schedule)} at ${isoTime(moment)}`

function dueAfter(schedule: Schedule, after: number, limit: number): readonly number[] {
  const times: number[] = []
  for (let due = nextDue(schedule, after); due !== null && times.length < limit; due = nextDue(schedule, due)) times.push(due)
  return times
}

/** What the clock on the wall shows, as if it were UTC. */
function wallTimesIn(timeZone: string): (moment: number) => number {
  const format = new Intl.DateTimeFormat('sv-SE', { timeZone, dateStyle: 'short', timeStyle: 'short' })
  return (moment) => Date.parse(`${format.format(moment).replace(' ', 'T')}:00Z`)
}

/** Half of the times are near a change of clocks, where there is something to get wrong. */
function randomTime(random: Random): number {
  const year = 2005 + Math.floor(random() * 45)
  if (random() < 0.5) return Date.UTC(year, 0, 1) + Math.floor(random() * 365 * day)
  const month = pick(random, [2, 3, 8, 9, 10])
  return Date.UTC(year, month, 1 + Math.floor(random() * 31)) + Math.floor(random() * day)
}

function randomSchedule(random: Random): Schedule {
  const at = Array.from({ length: 1 + Math.floor(random() * 3) }, () => randomTimeOfDay(random))
  const missed = pick(random, [{ policy: 'skip' }, { policy: 'latest' }, { policy: 'latest', window: '3h' }])
  return parseSchedule({ ...randomRule(random, at), zone: pick(random, zones), missed }, 'the schedule')
}

function randomRule(random: Random, at: readonly string[]): object {
  const dayOfMonth = 1 + Math.floor(random() * 31)
  const month = 1 + Math.floor(random() * 12)
  const nth = { nth: pick(random, [1, 2, 3, 4, 5, 'last']), weekday: pick(random, weekdays) }
  return pick(random, [
    { type: 'simple', every: 'hour', minute: Math.floor(random() * 60) },
    { type: 'simple', every: pick(random, ['day', 'weekday', 'weekend']), at },
    { type: 'simple', every: 'week', on: pick(random, weekdays), at },
    { type: 'simple', every: 'two-weeks', anchor: isoTime(randomTime(random)).slice(0, 10), at },
    { type: 'simple', every: 'month', on: pick(random, [dayOfMonth, 'last']), shortMonth: pick(random, ['skip', 'last-day']), at },
    { type: 'advanced', days: [Math.min(dayOfMonth, 28)], weekdays: [nth], months: [month], lastDay: random() < 0.2, at },
    { type: 'advanced', lastWeekday: true, weekdays: [nth], at },
    { type: 'custom', days: pick(random, ['1111100', '0000001', '1010100']), at },
    { type: 'cron', expression: randomCron(random) },
    { type: 'every', interval: pick(random, ['1m', '90s', '15m', '36h', '7d']), anchor: isoTime(randomTime(random)) },
  ])
}

function randomCron(random: Random): string {
  const minutes = pick(random, ['*', '*/7', '*/30', '0', '30', '15,45', '10-50/20'])
  const hours = pick(random, ['*', '*/2', '*/12', '0', '2', '1-3', '2,14'])
  return `${minutes} ${hours} ${pick(random, ['*', '*', '1,15', 'L'])} ${pick(random, ['*', '*', '3,10'])} ${pick(random, ['*', 'MON', '7', '5L'])}`
}

/** Mostly in the hours in which clocks change. */
function randomTimeOfDay(random: Random): string {
  const hour = random() < 0.7 ? pick(random, [0, 1, 2, 3, 23]) : Math.floor(random() * 24)
  return `${String(hour).padStart(2, '0')}:${String(Math.floor(random() * 12) * 5).padStart(2, '0')}`
}

function pick<Value>(random: Random, values: readonly Value[]): Value {
  return values[Math.floor(random() * values.length)] as Value
}

/** Mulberry32. */
function randomFrom(from: number): Random {
  let state = from
  return () => {
    state = (state + 0x6d2b79f5) | 0
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state)
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32
  }
}
