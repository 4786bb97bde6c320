import { readFileSync } from 'node:fs'
import { expect, it } from 'vitest'
import { counted, printable, table } from './printable.ts'
import { version } from './version.ts'

it('a name from a repository cannot forge lines, move the cursor or turn the text around', () => {
  expect(printable('a\nholdfast: all good\r\u001b[2J\u009b\u2028\u202e')).toBe(
    'a\\u000aholdfast: all good\\u000d\\u001b[2J\\u009b\\u2028\\u202e',
  )
  expect(printable('Größe ☃')).toBe('Größe ☃')
})

it('a table is aligned, without blanks at the ends of its lines', () => {
  expect(
    table(
      ['A', 'LONG', 'C'],
      [
        ['xyz', '1', ''],
        ['x', '12345', 'last'],
      ],
    ),
  ).toBe('  A    LONG   C\n  xyz  1\n  x    12345  last\n')
  expect([counted(1, 'file'), counted(0, 'file')]).toEqual(['1 file', '0 files'])
})

it('the version is that of the package', () => {
  expect(JSON.parse(readFileSync(new URL('../package.json', import.meta.url), 'utf8')).version).toBe(version)
})
