import { describe, expect, it } from 'vitest'
import { ambientMarker, findAmbient } from './ambient.ts'

const found = (text: string) => findAmbient('x.ts', text).map((use) => use.what)

describe('the ban of ambient time, randomness and environment', () => {
  it.each([
    ['const now = Date.now()', 'Date.now'],
    ['const now = new Date()', 'new Date()'],
    ['const now = Date()', 'Date()'],
    ['const now = globalThis.performance.now()', 'performance.now'],
    ['const x = Math.random()', 'Math.random'],
    ['const x = crypto.randomUUID()', 'crypto.randomUUID'],
    ['const signal = AbortSignal.timeout(5)', 'AbortSignal.timeout'],
    ['const home = process.env.HOME', 'process'],
    ['globalThis.setTimeout(f, 1)', 'setTimeout'],
    ['setTimeout(f, 1)', 'setTimeout'],
    ['const wait = setInterval', 'setInterval'],
    ["console.log('x')", 'console'],
    ['const options = { fetch }', 'fetch'],
    ["import { hostname } from 'node:os'", 'import of node:os'],
    ["import { setTimeout as delay } from 'node:timers/promises'", 'import of node:timers/promises'],
    ["import { createHash, randomBytes as bytes } from 'node:crypto'", 'import of randomBytes from node:crypto'],
    ["import * as crypto from 'node:crypto'", 'import of all of node:crypto'],
  ])('finds %s', (text, what) => {
    expect(found(text)).toContain(what)
  })

  it.each([
    'const day = new Date(clock.now())',
    "const day = Date.parse('2026-11-20T02:00:00Z')",
    "import { createHash } from 'node:crypto'",
    "import type { CpuInfo } from 'node:os'",
    'const f = (console: number) => 1',
    'options.fetch(url)',
    'const options = { process: 1 }',
    'type Timer = ReturnType<typeof setTimeout>',
    '// Date.now() in a comment',
    "const text = 'Date.now()'",
  ])('leaves %s alone', (text) => {
    expect(found(text)).toEqual([])
  })

  it('names the line', () => {
    expect(findAmbient('x.ts', '\n\nconst now = Date.now()\n')).toEqual([{ line: 3, what: 'Date.now' }])
  })

  it('asks for a reason in the marker of a file that may', () => {
    expect(ambientMarker.test('// ambient: the runner of real kills has no clock\n')).toBe(true)
    expect(ambientMarker.test('// ambient:\n')).toBe(false)
  })
})
