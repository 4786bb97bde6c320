import { describe, expect, it } from 'vitest'
import { checkItemName, createNameClaims } from './item-names.ts'

const codeOf = (act: () => unknown): string => {
  try {
    act()
    return 'accepted'
  } catch (error) {
    return (error as { code: string }).code
  }
}

describe('item names', () => {
  it('are plain file names', () => {
    for (const name of ['shop-db.tar', 'web-disk 0.vmdk', 'Äpfel.tar', 'x'.repeat(200)])
      expect(
        codeOf(() => checkItemName(name)),
        name,
      ).toBe('accepted')
  })
  it('are not paths', () => {
    for (const name of ['a/b', '/a', '..', '.', '../a', 'a\\b'])
      expect(
        codeOf(() => checkItemName(name)),
        name,
      ).toBe('PATH_OUTSIDE')
  })
  it('are not what some file system or tool cannot hold', () => {
    for (const name of ['', '.hidden', 'new\nline', 'nul\0', '\u007f', 'x'.repeat(201), '\ud800'])
      expect(
        codeOf(() => checkItemName(name)),
        JSON.stringify(name),
      ).toBe('INVALID_OPTIONS')
  })
  it('are taken once, whatever their case or Unicode form', () => {
    const claims = createNameClaims()
    claims.claim(['a.tar', 'a.tar.index'])
    claims.claim(['caf\u00e9'])
    for (const name of ['a.tar', 'A.TAR', 'a.tar.INDEX', 'cafe\u0301', 'SHA256SUMS', 'sha256sums'])
      expect(
        codeOf(() => claims.claim([name])),
        name,
      ).toBe('EXISTS')
    expect(codeOf(() => claims.claim(['new', 'a.tar']))).toBe('EXISTS')
    expect(codeOf(() => claims.claim(['new']))).toBe('accepted')
  })
})
