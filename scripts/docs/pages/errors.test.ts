import { readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { errorCodes, warningCodes } from '@holdfast/core/spec'
import { describe, expect, it } from 'vitest'
import { root } from '../../peers/locations.ts'
import { page } from './errors.ts'

const [errorsPart = '', warningsPart = ''] = page().text.split('## Warnings')
const rowsOf = (text: string) => [...text.matchAll(/^\| `([A-Z_]+)` \|/gm)].map(([, code]) => code)

/** Codes written in a call that warns or notes, in all packages. */
function usedCodes(): ReadonlyMap<string, string> {
  const used = new Map<string, string>()
  for (const folder of readdirSync(join(root, 'packages')))
    for (const path of readdirSync(join(root, 'packages', folder, 'src'), { recursive: true, encoding: 'utf8' })) {
      if (!path.endsWith('.ts') || path.endsWith('.test.ts')) continue
      const text = readFileSync(join(root, 'packages', folder, 'src', path), 'utf8')
      const calls = [
        /\battempt\.warn\(\s*'([A-Z_]+)'/g,
        /\.note\(\s*'(?:info|warning)',\s*'([A-Z_]+)'/g,
        /emit\('warning', \{\s*code: '([A-Z_]+)'/g,
        /logger\.warn\([^\n]*\{ code: '([A-Z_]+)'/g,
      ]
      // Warnings that a pure function answers, and that a run passes on.
      if (path.endsWith('retention-warnings.ts')) calls.push(/\bcode: '([A-Z_]+)'/g)
      for (const call of calls) for (const [, code = ''] of text.matchAll(call)) used.set(code, `${folder}/src/${path}`)
    }
  return used
}

describe('the page of errors', () => {
  it('has one row for each code, sorted', () => {
    expect(rowsOf(errorsPart)).toEqual(Object.keys(errorCodes).sort())
  })

  it('has no row that its text breaks', () => {
    const rows = (text: string) => text.split('\n').filter((line) => line.startsWith('| `'))
    for (const row of rows(errorsPart)) expect(row.replaceAll('\\|', '').split('|')).toHaveLength(6)
    for (const row of rows(warningsPart)) expect(row.replaceAll('\\|', '').split('|')).toHaveLength(4)
  })

  it('has one row for each code of a warning, and each that a package uses is one of them', () => {
    expect(rowsOf(warningsPart)).toEqual(Object.keys(warningCodes).sort())
    const used = usedCodes()
    expect([...used.keys()].sort(), JSON.stringify([...used])).toEqual(Object.keys(warningCodes).sort())
  })

  it('finds every code written the same way, with a meaning and a remedy that are sentences', () => {
    for (const [code, { meaning, remedy }] of Object.entries(errorCodes)) {
      expect(code).toMatch(/^[A-Z]+(_[A-Z]+)*$/)
      expect(meaning, code).toMatch(/^[A-Za-z].*\.$/)
      expect(remedy, code).toMatch(/^[A-Z].*\.$/)
    }
    for (const [code, meaning] of Object.entries(warningCodes)) expect(meaning, code).toMatch(/^[A-Z].*\.$/)
  })
})
