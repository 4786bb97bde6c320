import { describe, expect, it } from 'vitest'
import { parseRetention } from './retention-policy.ts'

const subject = 'plan "nightly"'

describe('a retention policy', () => {
  it('is filled in and parses to itself', () => {
    const policy = parseRetention({ daily: 7, within: '36h', maxAge: '400d' }, subject)
    expect(policy).toEqual({ daily: 7, within: 129_600_000, maxAge: 34_560_000_000, zone: 'UTC' })
    expect(parseRetention(policy, subject)).toEqual(policy)
    expect(parseRetention({ last: 0, within: 1000, zone: 'Europe/Berlin' }, subject)).toMatchObject({ last: 0, within: 1000 })
  })

  it.each([
    ['nothing', {}, 'expected at least one of last, hourly, daily, weekly, monthly, yearly, within above 0'],
    ['zeros', { last: 0, daily: 0, within: 0 }, 'leave the whole policy out to keep everything'],
    ['maxAge alone', { maxAge: '30d' }, 'write within instead'],
    ['maxAge and zeros', { maxAge: '30d', daily: 0 }, 'write within instead'],
    ['a maxAge of zero', { daily: 1, maxAge: '0d' }, 'maxAge is "0d": expected more than 0'],
    ['a misspelt rule', { dayly: 3 }, 'dayly is not known here'],
    ['a negative count', { daily: -1 }, 'daily is -1: expected a whole number, 0 or more'],
    ['half a point', { daily: 1.5 }, 'daily is 1.5'],
    ['endless', { daily: Number.POSITIVE_INFINITY }, 'daily is Infinity'],
    ['a length in words', { within: 'a week' }, 'within is "a week": expected a whole number with a unit'],
    ['a zone that is none', { daily: 1, zone: 'Berlin' }, 'zone is "Berlin": expected the IANA name'],
    ['an offset as zone', { daily: 1, zone: '+02:00' }, 'zone is "+02:00": expected the IANA name'],
    ['no object', 7, 'the value is 7; expected object'],
  ])('is refused: %s', (_name, input, message) => {
    expect(() => parseRetention(input, subject)).toThrow(
      expect.objectContaining({ code: 'INVALID_OPTIONS', message: expect.stringContaining(message) }),
    )
  })

  it('names the rule and the zone that were probably meant', () => {
    expect(() => parseRetention({ dayly: 3 }, subject)).toThrow(expect.objectContaining({ remedy: 'Did you mean "daily"?' }))
    expect(() => parseRetention({ daily: 3, zone: 'Berlin' }, subject)).toThrow(
      expect.objectContaining({ remedy: 'Did you mean "Europe/Berlin"?' }),
    )
  })
})
