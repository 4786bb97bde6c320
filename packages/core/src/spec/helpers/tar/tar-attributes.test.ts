import { describe, expect, it } from 'vitest'
import { archive, codeOf, pax, raw } from '../../../../test/tar-fixture.ts'
import { readTarAttributes, type TarAttributes } from './tar-attributes.ts'
import { createTarScanner } from './tar-scanner.ts'

describe('attributes of an entry', () => {
  const attributes = (...parts: Buffer[]): TarAttributes[] => {
    const found: TarAttributes[] = []
    const scanner = createTarScanner({ what: 'x', onEntry: (entry) => found.push(readTarAttributes(entry, { what: 'x' })) })
    scanner.write(archive(...parts))
    return found
  }
  const field = (start: number, value: Buffer | string, magic = 'ustar\x0000') => {
    const header = raw({})
    header.write(magic, 257, 8, 'latin1')
    header.set(Buffer.from(value), start)
    header.fill(0x20, 148, 156)
    header.write(
      `${header
        .reduce((total, byte) => total + byte, 0)
        .toString(8)
        .padStart(6, '0')}\0 `,
      148,
    )
    return header
  }
  it('are those of the header in octal and in base 256, or those of pax', () => {
    expect(attributes(field(108, '0001750\0'))).toEqual([{ mode: 0o644, uid: 1000, gid: 0, modified: 0, device: '0:0' }])
    expect(attributes(field(116, '  17 \0 \0'))).toMatchObject([{ gid: 15 }])
    expect(attributes(field(108, Buffer.from('80000000b2d05e00', 'hex')))).toMatchObject([{ uid: 3_000_000_000 }])
    expect(attributes(field(136, Buffer.from('ffffffffffffffffffffffff', 'hex')))).toMatchObject([{ modified: -1 }])
    expect(attributes(field(136, Buffer.from('fffffffffffffffffffffe00', 'hex')))).toMatchObject([{ modified: -512 }])
    expect(attributes(pax({ uid: '3000000000', gid: '', mtime: '-1.5' }), field(116, '0000017\0'))).toMatchObject([
      { uid: 3_000_000_000, gid: 15, modified: -2 },
    ])
    expect(attributes(field(329, '0000007\u00000000012\0'))).toMatchObject([{ device: '7:10' }])
    expect(attributes(field(329, '0000007\u00000000012\0', '\0'.repeat(8)))).toMatchObject([{ device: '0:0' }])
  })
  it('that are no numbers are refused', () => {
    for (const header of [field(108, 'abcdefg\0'), field(108, '0000009\0'), field(136, Buffer.from('807fffffffffffffffffffff', 'hex'))])
      expect(codeOf(() => attributes(header))).toBe('PROVIDER_FAILED')
    for (const records of [{ uid: '-1' }, { gid: '1e3' }, { mtime: 'yesterday' }])
      expect(codeOf(() => attributes(pax(records), raw({})))).toBe('PROVIDER_FAILED')
  })
})
