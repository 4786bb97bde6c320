import { describe, expect, it } from 'vitest'
import { parseChangeId, whyNotSince } from './change-id.ts'

const epoch = '52 de c0 d9 b9 43 9d 10-61 d5 4c 1b e9 7b 65 63'

describe('a change id', () => {
  it('28: is an epoch and a number in it', () => {
    expect(parseChangeId(`${epoch}/81`)).toEqual({ epoch, sequence: 81 })
  })

  it.each([undefined, '', '*', epoch, `${epoch}/`, '/4', `${epoch}/x`, ' /4'])('28: is none in another form: %s', (text) => {
    expect(parseChangeId(text)).toBeUndefined()
  })

  it.each([
    ['the same moment', `${epoch}/81`, undefined],
    ['a later one', `${epoch}/82`, undefined],
    ['another epoch', '53 de/82', expect.stringContaining('begun anew')],
    ['an earlier one, as after a return to a snapshot of the storage', `${epoch}/80`, expect.stringContaining('earlier time')],
    ['none', undefined, expect.stringContaining('does not track')],
    ['one that means nothing', '*', expect.stringContaining('does not track')],
  ])('28: lets changes be told up to %s, or says why not', (_name, now, why) => {
    expect(whyNotSince(`${epoch}/81`, now)).toEqual(why)
  })

  it('28: that means nothing lets no changes be told', () => {
    expect(whyNotSince('*', `${epoch}/81`)).toContain('begun anew')
  })
})
