import { describe, expect, it } from 'vitest'
import { codeOf } from '../spec/errors.ts'
import type { Flags } from '../spec/store.ts'
import { decodeFlag, decodeFlags, encodeFlag, flagFiles, flagNames } from './flags.ts'

const folder = 'shop-db-5df0343b0cbd73b7/20261120T020000Z-2db25c260b438de4'
const flags: Flags = {
  pin: 'before the "big" upgrade\n',
  holdUntil: Date.UTC(2027, 0, 1, 0, 0, 0, 7),
  quarantine: 'disk-0 is damaged',
  verifiedAt: Date.UTC(2026, 10, 21),
}
const files = Object.fromEntries(flagNames.map((flag) => [flag, encodeFlag(folder, flag, flags)])) as Record<
  (typeof flagNames)[number],
  Uint8Array
>

describe('flag files', () => {
  it('bring back every flag, field by field', () => {
    expect(decodeFlags(folder, files)).toEqual({ flags, damaged: [] })
    expect(decodeFlags(folder, {})).toEqual({ flags: {}, damaged: [] })
    expect(flagNames.map((flag) => encodeFlag(folder, flag, {}))).toEqual([undefined, undefined, undefined, undefined])
    expect(flagFiles).toEqual(['pin.json', 'hold.json', 'quarantine.json', 'verified.json'])
  })

  it.each(flagNames)('find every flipped bit of %s', (flag) => {
    const bytes = files[flag]
    for (let bit = 0; bit < bytes.length * 8; bit++) {
      const damaged = bytes.slice()
      damaged[bit >> 3] = (damaged[bit >> 3] ?? 0) ^ (1 << (bit & 7))
      expect(decodeFlags(folder, { [flag]: damaged }).damaged, `bit ${bit}`).toHaveLength(1)
    }
  })

  it('do not count beside another point, or under another name', () => {
    const elsewhere = 'shop-db-5df0343b0cbd73b7/20261121T020000Z-2db25c260b438de4'
    expect(() => decodeFlag(files.pin, elsewhere, 'pin')).toThrow(`flag of another point: ${folder}`)
    expect(() => decodeFlag(files.pin, folder, 'hold')).toThrow('not a hold flag')
  })

  it('never free a point when they cannot be read', () => {
    const empty = new Uint8Array(0)
    const read = decodeFlags(folder, { hold: empty, quarantine: empty, verified: empty })
    expect(read.flags).toEqual({ pin: 'hold.json cannot be read', quarantine: 'quarantine.json cannot be read' })
    expect(read.damaged.map(({ flag, error }) => [flag, codeOf(error)])).toEqual([
      ['hold', 'POINT_DAMAGED'],
      ['quarantine', 'POINT_DAMAGED'],
      ['verified', 'POINT_DAMAGED'],
    ])
    expect(decodeFlags(folder, { pin: files.pin, hold: empty }).flags).toEqual({ pin: flags.pin })
  })
})
