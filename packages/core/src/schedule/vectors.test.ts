import { readFileSync } from 'node:fs'
import { describe, expect, it } from 'vitest'
import { isoTime } from '../model/names.ts'
import { latestDue, nextDue } from './next-due.ts'
import { parseSchedule } from './schedule-schema.ts'
import type { Schedule, ScheduleInput } from './types.ts'

interface Vector {
  readonly name: string
  readonly from: string
  readonly until: string
  readonly schedule: ScheduleInput
  readonly due: readonly string[]
}

const file = new URL('../../test/schedule-vectors/__fixtures__/vectors.json', import.meta.url)
const { vectors } = JSON.parse(readFileSync(file, 'utf8')) as { readonly vectors: readonly Vector[] }

function dueTimes(schedule: Schedule, from: number, until: number): readonly number[] {
  const times: number[] = []
  for (let due = nextDue(schedule, from - 1); due !== null && due < until; due = nextDue(schedule, due)) times.push(due)
  return times
}

describe('due times that were worked out in another language', () => {
  it('are many, in many zones', () => {
    expect(vectors.length).toBeGreaterThan(100)
    expect(new Set(vectors.map(({ schedule }) => schedule.zone)).size).toBeGreaterThan(12)
  })

  it.each(vectors)('$name', ({ schedule: written, from, until, due }) => {
    const schedule = parseSchedule(written, 'the schedule')
    const [start, end] = [Date.parse(from), Date.parse(until)]
    expect(dueTimes(schedule, start, end).map(isoTime)).toEqual(due)
    const times = due.map((time) => Date.parse(time))
    // Half an hour and an hour later the wall may show the same time again.
    const later = times.flatMap((time) => [time - 1, time, time + 1, time + 1_800_000, time + 3_600_000])
    for (const moment of [start, end - 1, ...later.filter((time) => time < end)]) {
      expect(latestDue(schedule, start - 1, moment), `up to ${isoTime(moment)}`).toBe(times.findLast((time) => time <= moment) ?? null)
      const next = nextDue(schedule, moment)
      expect(next !== null && next < end ? next : null, `after ${isoTime(moment)}`).toBe(times.find((time) => time > moment) ?? null)
    }
  })
})
