import { describe, expect, it } from 'vitest'
import { isOf, type Marked, markLine, type Purpose, readFenceMark, readMark, withMark, withoutMarks } from './mark.ts'

const mark = { system: 'office', plan: 'nightly', run: '0123456789abcdef', attempt: 2 }
const purposes: readonly Purpose[] = ['backup', 'snapshot', 'machine-unfinished', 'machine']
const backup: Marked = { purpose: 'backup', mark }

describe('a mark in a text that people read', () => {
  it.each(purposes)('is one line and is read back: %s', (purpose) => {
    const text = markLine({ purpose, mark })
    expect(text).toMatch(/^[A-Z][^{\n]+\. \{"holdfast":1,.*\}$/)
    expect(readMark(text)).toEqual({ purpose, mark })
  })

  it('of a replica tells the point that it holds, or that it holds none', () => {
    const takes = { id: '5000-1', name: 'Büro 100%', ref: 'vm-7', run: 'r', attempt: 1, by: { id: '5000-2', ref: 'vm-8' } }
    for (const marked of [
      { purpose: 'replica', mark, point: 'p-1' },
      { purpose: 'replica', mark },
      { purpose: 'replica-swap', mark, point: 'p-2', takes },
    ] as const)
      expect(readMark(withMark('notes', marked))).toEqual(marked)
  })

  it('of an unfinished machine tells whether it is abandoned', () => {
    const abandoned = { purpose: 'machine-unfinished', mark, abandoned: true } as const
    expect(readMark(withMark('notes', abandoned))).toEqual(abandoned)
    expect(readMark(markLine({ purpose: 'machine', mark, abandoned: true }))).toBeUndefined()
  })

  it('of a replica that takes a place is none without the place', () => {
    expect(readMark(markLine({ purpose: 'replica-swap', mark, point: 'p-2' }))).toBeUndefined()
    expect(readMark(markLine({ purpose: 'machine', mark, point: 'p-2' }))).toBeUndefined()
  })

  it('holds any name, in plain ASCII without a percent sign', () => {
    const odd = { system: 'Büro 100% "A"\n{"holdfast":1}', plan: '\u{1f5a5}\u2028</x>', run: 'r', attempt: 1 }
    const text = markLine({ purpose: 'machine', mark: odd })
    expect(text).toMatch(/^[\x20-\x24\x26-\x7e]+$/)
    expect(readMark(text)).toEqual({ purpose: 'machine', mark: odd })
  })

  it('leaves whatever else the text says, and is replaced by the next one', () => {
    const notes = 'Web shop\r\n\r\nAsk {Ann} first'
    const unfinished = withMark(notes, { purpose: 'machine-unfinished', mark })
    const finished = withMark(unfinished, { purpose: 'machine', mark: { ...mark, attempt: 3 } })
    expect(finished.split('\n')).toEqual(['Web shop', '', 'Ask {Ann} first', expect.stringContaining('"attempt":3')])
    expect(readMark(finished)).toEqual({ purpose: 'machine', mark: { ...mark, attempt: 3 } })
    expect(withoutMarks(finished)).toBe('Web shop\n\nAsk {Ann} first')
    expect([withMark(undefined, backup), withMark('', backup)]).toEqual([markLine(backup), markLine(backup)])
  })

  it('is still read when the words before it were changed, or a line was written below it', () => {
    const json = markLine(backup).slice(markLine(backup).indexOf('{'))
    expect(readMark(`Keep this! ${json}  \r\nAnn, May 3rd`)).toEqual(backup)
  })

  const good = markLine(backup)
  it.each([
    ['no text', undefined],
    ['a text of somebody else', 'before the update'],
    ['words of ours alone', good.slice(0, good.indexOf('{'))],
    ['a mark cut off', good.slice(0, -2)],
    ['text behind it', `${good} do not touch`],
    ['another version', good.replace('"holdfast":1', '"holdfast":2')],
    ['an unknown purpose', good.replace('"purpose":"backup"', '"purpose":"rubbish"')],
    ['a field too many', good.replace('"attempt"', '"more":1,"attempt"')],
    ['a field missing', good.replace('"run":"0123456789abcdef",', '')],
    ['an attempt that is none', good.replace('"attempt":2', '"attempt":0')],
    ['two marks', `${good}\n${good}`],
  ])('%s is no mark', (_, text) => {
    expect(readMark(text)).toBeUndefined()
  })
})

describe('the mark of a fence', () => {
  it('makes nothing ours, and leaves another mark as it is', () => {
    const fence = { ...mark, run: 'fedcba9876543210' }
    const foreign = withMark('a machine of Ann', { purpose: 'fenced', mark: fence })
    expect([readMark(foreign), readFenceMark(foreign)]).toEqual([undefined, fence])
    const ours = withMark(withMark('', { purpose: 'machine', mark }), { purpose: 'fenced', mark: fence })
    expect([readMark(ours), readFenceMark(ours)]).toEqual([{ purpose: 'machine', mark }, fence])
    expect(readFenceMark(withMark(ours, { purpose: 'machine', mark }))).toEqual(fence)
  })
})

describe('whose a mark is', () => {
  it('is told by system, run and attempt, and never by the plan', () => {
    expect(isOf(backup, { ...mark, plan: 'renamed' })).toBe(true)
    for (const other of [{ system: 'home' }, { run: 'fedcba9876543210' }, { attempt: 1 }])
      expect(isOf(backup, { ...mark, ...other })).toBe(false)
    expect(isOf(undefined, mark)).toBe(false)
  })
})
