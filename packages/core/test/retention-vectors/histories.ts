/** When the snapshots of one machine were made, and the zone its clock was in. */
export interface History {
  readonly name: string
  /** IANA name; restic gives each snapshot the offset that the zone had at that moment. */
  readonly zone: string
  /** Milliseconds UTC, oldest first. */
  readonly times: readonly number[]
}

const minute = 60_000
const hour = 60 * minute
const day = 24 * hour
const from = Date.parse

const every = (first: number, step: number, count: number): readonly number[] => Array.from({ length: count }, (_, at) => first + at * step)

/** The same on every run, and with gaps of every size. */
function irregular(first: number, count: number, longest: number): readonly number[] {
  const times: number[] = []
  let time = first
  let state = 7
  for (let at = 0; at < count; at++) {
    times.push(time)
    state = (state * 48_271) % 2_147_483_647
    time += 1000 * Math.ceil((((state / 2_147_483_647) ** 4 * longest) as number) / 1000)
  }
  return times
}

/** All before 2026, but for the points that lie in the future on purpose. */
export const histories: readonly History[] = [
  { name: 'single', zone: 'UTC', times: [from('2025-06-01T12:00:00Z')] },
  { name: 'nightly', zone: 'UTC', times: every(from('2025-01-20T02:30:00Z'), day, 40) },
  { name: 'thrice-a-day', zone: 'Europe/Berlin', times: every(from('2025-06-01T04:00:00Z'), 8 * hour, 30) },
  // The clocks go from 03:00 back to 02:00 at 01:00 UTC on 26 October, and from 02:00 to 03:00 at 01:00 UTC on 30 March.
  { name: 'autumn', zone: 'Europe/Berlin', times: every(from('2025-10-25T20:15:00Z'), 30 * minute, 20) },
  { name: 'autumn-days', zone: 'Europe/Berlin', times: every(from('2025-10-23T21:30:00Z'), 12 * hour, 12) },
  { name: 'spring', zone: 'Europe/Berlin', times: every(from('2025-03-29T20:15:00Z'), 30 * minute, 20) },
  { name: 'spring-days', zone: 'America/New_York', times: every(from('2025-03-06T04:30:00Z'), 12 * hour, 12) },
  { name: 'half-hour', zone: 'Asia/Kolkata', times: every(from('2025-05-05T17:10:00Z'), 20 * minute, 15) },
  { name: 'new-year', zone: 'America/New_York', times: every(from('2024-12-26T04:30:00Z'), 17 * hour, 20) },
  { name: 'years', zone: 'Europe/Berlin', times: irregular(from('2019-11-30T23:30:00Z'), 30, 400 * day) },
  { name: 'irregular', zone: 'Europe/Berlin', times: irregular(from('2025-08-01T00:00:00Z'), 30, 6 * day) },
  {
    name: 'future',
    zone: 'UTC',
    times: [...every(from('2025-11-01T03:00:00Z'), day, 8), from('2098-05-01T03:00:00Z'), from('2098-05-02T03:00:00Z')],
  },
]
