import { describe, expect, it } from 'vitest'
import { bytesOfUnit } from './allocation-units.ts'

describe('units of sizes', () => {
  const known: readonly (readonly [string, number])[] = [
    ['byte', 1],
    ['byte * 2^10', 1024],
    ['byte*2^20', 2 ** 20],
    ['byte * 2 ^ 30', 2 ** 30],
    ['byte * 2^40', 2 ** 40],
    ['byte * 10^9', 1e9],
    ['byte * 1024', 1024],
    ['byte * 1024 * 512', 524_288],
    ['bytes * 2^9', 512],
    ['KiloBytes', 1024],
    ['MegaBytes', 2 ** 20],
    ['GigaBytes', 2 ** 30],
    ['KB', 1024],
    ['MB', 2 ** 20],
    ['GB', 2 ** 30],
    ['TB', 2 ** 40],
    ['MegaByte * 2', 2 ** 21],
    ['mebibyte', 2 ** 20],
    ['GiB', 2 ** 30],
  ]
  for (const [text, bytes] of known) it(`${text} is ${bytes} bytes`, () => expect(bytesOfUnit(text)).toBe(bytes))

  for (const text of [
    '',
    'bit',
    'byte *',
    'byte * 2^',
    'byte * 2^99',
    'byte * 0',
    'byte / 2',
    'byte * -1',
    'hertz * 10^6',
    'constructor',
    'byte * 9^99',
  ])
    it(`${JSON.stringify(text)} is none`, () => expect(bytesOfUnit(text)).toBeUndefined())
})
