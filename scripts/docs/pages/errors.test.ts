import { errorCodes } from '@holdfast/core/spec'
import { describe, expect, it } from 'vitest'
import { page } from './errors.ts'

describe('the page of errors', () => {
  it('has one row for each code, sorted', () => {
    const rows = [...page().text.matchAll(/^\| `([A-Z_]+)` \|/gm)].map(([, code]) => code)
    expect(rows).toEqual(Object.keys(errorCodes).sort())
  })

  it('has no row that its text breaks', () => {
    const rows = page()
      .text.split('\n')
      .filter((line) => line.startsWith('| `'))
    for (const row of rows) expect(row.replaceAll('\\|', '').split('|')).toHaveLength(6)
  })

  it('finds every code written the same way, with a meaning and a remedy that are sentences', () => {
    for (const [code, { meaning, remedy }] of Object.entries(errorCodes)) {
      expect(code).toMatch(/^[A-Z]+(_[A-Z]+)*$/)
      expect(meaning, code).toMatch(/^[A-Za-z].*\.$/)
      expect(remedy, code).toMatch(/^[A-Z].*\.$/)
    }
  })
})
