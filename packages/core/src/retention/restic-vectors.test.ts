import { readFileSync } from 'node:fs'
import { describe, expect, it } from 'vitest'
import { kept } from '../../test/retention-vectors/kept.ts'
import type { VectorFile } from '../../test/retention-vectors/vector-file.ts'
import { parseRetention } from './retention-policy.ts'

const file = JSON.parse(readFileSync(new URL('../../test/retention-vectors/vectors.json', import.meta.url), 'utf8')) as VectorFile
const histories = new Map(file.histories.map(({ name, zone, times }) => [name, { zone, times: times.map((time) => Date.parse(time)) }]))

describe.each([...histories])('what real restic programs kept of the history %s', (name, { zone, times }) => {
  const vectors = file.vectors.filter(({ history }) => history === name)

  it.each(file.restic)('is kept here, but for the differences that are named: restic %s', (version) => {
    expect(vectors.length).toBeGreaterThan(30)
    for (const { policy, restic, ours, difference } of vectors) {
      const keep = kept({ times }, parseRetention({ ...policy, zone }, 'vector'), Date.parse(file.now))
      const why = JSON.stringify(policy)
      const names = difference?.[version]
      if (names === undefined) expect(keep, why).toEqual(restic[version])
      else {
        expect(keep, why).toEqual(ours)
        expect(keep, why).not.toEqual(restic[version])
        expect(names.map((each) => file.differences[each]).every((text) => text.length > 0) && names.length > 0, why).toBe(true)
      }
    }
  })
})

it('every difference that is named occurs, and a version that has the rule of the oldest point differs in nothing else than hours and the future', () => {
  const found = file.vectors.flatMap(({ difference = {} }) => Object.values(difference).flat())
  expect(new Set(found)).toEqual(new Set(Object.keys(file.differences)))
  const newest = file.restic.at(-1) ?? ''
  const left = file.vectors.flatMap(({ difference }) => difference?.[newest] ?? [])
  expect(left).not.toContain('oldest-point')
  expect(left.length).toBeGreaterThan(0)
})

it.each(file.refused.map((policy) => [JSON.stringify(policy), policy] as const))(
  'what restic 0.14 takes for nothing or everything is refused: %s',
  (_text, policy) => {
    expect(() => parseRetention(policy, 'vector')).toThrow(expect.objectContaining({ code: 'INVALID_OPTIONS' }))
  },
)
