import { expect, it } from 'vitest'
import { localDays } from './local-days.ts'

const minute = 60_000
const zones = ['UTC', 'Europe/Berlin', 'America/New_York', 'Australia/Lord_Howe', 'Asia/Kolkata', 'Pacific/Apia', 'Africa/Monrovia']

it.each(zones)('tells the day of the calendar in %s, also around each change of clocks and before 1970', (zone) => {
  const dayOf = localDays(zone)
  const format = new Intl.DateTimeFormat('en-CA', { timeZone: zone, year: 'numeric', month: '2-digit', day: '2-digit' })
  const calendar = (time: number) => Date.parse(`${format.format(time)}T00:00:00Z`) / 86_400_000
  const years = [1947, 1969, 1972, 2011, 2025, 2026]
  const wrong = years.flatMap((year) =>
    Array.from({ length: 366 * 8 }, (_, at) => Date.UTC(year, 0, 1) + at * 180 * minute - (at % 3)).filter(
      (time) => dayOf(time) !== calendar(time),
    ),
  )
  expect(wrong).toEqual([])
})

it('finds the very millisecond of a change, in any order of the times', () => {
  const dayOf = localDays('America/Sao_Paulo')
  // At midnight of 4 November 2018 the clocks went from 00:00 to 01:00; on 18 February 2018 from 00:00 back to 23:00 of the day before.
  const forward = Date.parse('2018-11-04T03:00:00Z')
  const back = Date.parse('2018-02-18T02:00:00Z')
  const day = Date.parse('2018-02-17T00:00:00Z') / 86_400_000
  expect([forward, forward - 1, back + 60 * minute, back, back - 1, back + 60 * minute - 1].map((time) => dayOf(time) - day)).toEqual([
    260, 259, 1, 0, 0, 0,
  ])
})
