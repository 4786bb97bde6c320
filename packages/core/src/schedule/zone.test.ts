import { describe, expect, it } from 'vitest'
import { isZone, nearestZone, zoneOf } from './zone.ts'

const at = (time: string): number => Date.parse(`${time}Z`)

describe('time zone', () => {
  it('finds the times at which the wall shows a time: one, none in a gap, two when clocks go back', () => {
    const berlin = zoneOf('Europe/Berlin')
    expect(berlin.timesOf(at('2026-03-29T01:59'))).toEqual([at('2026-03-29T00:59')])
    expect(berlin.timesOf(at('2026-03-29T02:00'))).toEqual([])
    expect(berlin.timesOf(at('2026-03-29T03:00'))).toEqual([at('2026-03-29T01:00')])
    expect(berlin.timesOf(at('2026-10-25T02:00'))).toEqual([at('2026-10-25T00:00'), at('2026-10-25T01:00')])
    expect(berlin.timesOf(at('2026-10-25T03:00'))).toEqual([at('2026-10-25T02:00')])
  })

  it('reaches what lies in a gap at the end of the gap', () => {
    expect(zoneOf('Australia/Lord_Howe').reached(at('2026-10-04T02:15'))).toBe(at('2026-10-03T15:30'))
    expect(zoneOf('Pacific/Apia').reached(at('2011-12-30T12:00'))).toBe(at('2011-12-30T10:00'))
    expect(zoneOf('UTC').reached(at('2026-10-04T02:15'))).toBe(at('2026-10-04T02:15'))
  })

  it('knows offsets of parts of an hour, and of seconds before there were zones', () => {
    expect(zoneOf('Asia/Kathmandu').offsetAt(0)).toBe(5.5 * 3_600_000)
    expect(zoneOf('Asia/Kathmandu').offsetAt(at('2026-01-01T00:00'))).toBe(5.75 * 3_600_000)
    expect(zoneOf('America/St_Johns').offsetAt(at('2026-01-01T00:00'))).toBe(-3.5 * 3_600_000)
    expect(zoneOf('Europe/Berlin').offsetAt(at('1880-01-01T00:00'))).toBe((53 * 60 + 28) * 1000)
  })

  it('is known by its name, the old one too', () => {
    for (const name of ['UTC', 'Europe/Berlin', 'Asia/Kolkata', 'Asia/Calcutta', 'Etc/GMT-2', 'CET']) expect(isZone(name)).toBe(true)
    for (const name of ['', 'Berlin', '+02:00', '-03:30', 'GMT+2', 'Europe/Berlin ', 'Z']) expect(isZone(name)).toBe(false)
  })

  it('is told to whoever misspelt it', () => {
    const meant = ['berlin', 'New York', 'Europe/Berln', 'utc+', 'Mars/Olympus_Mons'].map(nearestZone)
    expect(meant).toEqual(['Europe/Berlin', 'America/New_York', 'Europe/Berlin', 'UTC', undefined])
  })
})
