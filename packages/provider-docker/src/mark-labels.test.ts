import { describe, expect, it } from 'vitest'
import { attemptName, carriesMark, helperName, imageName, markFilter, markLabels, readMark, withoutOurLabels } from './mark-labels.ts'
import { nearNames } from './near-names.ts'

const mark = { system: 'Süd "shop" $HOME', plan: 'nightly\nplan', run: '3fa9', attempt: 2 }

describe('the mark as labels', () => {
  it('is read back as it was, whatever is in it', () => {
    expect(readMark(markLabels(mark))).toEqual(mark)
    for (const value of Object.values(markLabels(mark))) expect(value).toMatch(/^[\w%.!~*'()-]+$/)
  })
  it('is carried only by the same system, run and attempt', () => {
    expect(carriesMark(markLabels(mark), mark)).toBe(true)
    expect(carriesMark(markLabels(mark), { ...mark, attempt: 1 })).toBe(false)
    expect(carriesMark(markLabels(mark), { ...mark, run: 'other' })).toBe(false)
    expect(carriesMark(markLabels(mark), { ...mark, system: 'other' })).toBe(false)
    expect(carriesMark({}, mark)).toBe(false)
    expect(carriesMark({ ...markLabels(mark), 'holdfast.attempt': 'x' }, mark)).toBe(false)
    expect(carriesMark({ ...markLabels(mark), 'holdfast.run': '%E0%A4%A' }, mark)).toBe(false)
  })
  it('filters by what identifies the attempt', () => {
    expect(markFilter({ ...mark, system: 's' })).toEqual(['holdfast.system=s', 'holdfast.run=3fa9', 'holdfast.attempt=2'])
  })
  it('gives names that carry run and attempt and that the engine takes', () => {
    expect(attemptName(mark)).toMatch(/^[0-9a-f]{8}-3fa9\.2$/)
    for (const run of ['3fa9', 'a/b c', 'ü', 'x'.repeat(300)]) {
      expect(imageName({ ...mark, run })).toMatch(/^holdfast-helper:[A-Za-z0-9_][A-Za-z0-9_.-]{0,127}$/)
      expect(helperName({ ...mark, run }, 'read')).toMatch(/^[a-zA-Z0-9][a-zA-Z0-9_.-]+$/)
    }
    expect(attemptName({ ...mark, run: 'a/b' })).not.toBe(attemptName({ ...mark, run: 'a b' }))
    expect(attemptName(mark)).not.toBe(attemptName({ ...mark, system: 'other' }))
  })
  it('is dropped from recorded labels', () => {
    expect(withoutOurLabels({ tier: 'low', ...markLabels(mark) })).toEqual({ tier: 'low' })
    expect(withoutOurLabels(null)).toEqual({})
  })
})

describe('near names', () => {
  it('puts the likeliest first and leaves out what is far', () => {
    expect(nearNames('shop_db', ['grafana', 'shop-db', 'shop-db-old', 'wiki'])).toEqual(['shop-db'])
    expect(nearNames('db', ['shop-db', 'x'])).toContain('shop-db')
    expect(nearNames('nothing-like-it', ['a', 'b'])).toEqual([])
  })
})
