import { describe, expect, it } from 'vitest'
import { oneLine } from './index.ts'

describe('a text as one line', () => {
  it('has no break in it, whatever kind of break it had', () => {
    expect(oneLine('a\r\nBcc: b\u0000c\u2028d\u0085e\u001b[31mf')).toBe('a Bcc: b c d e [31mf')
  })
  it('is well-formed', () => {
    expect(oneLine('half \ud83d of it, whole 🛟')).toBe('half \ufffd of it, whole 🛟')
  })
  it('is cut between characters, with a mark', () => {
    expect(oneLine('abcdef', 6)).toBe('abcdef')
    expect(oneLine('abcdefg', 6)).toBe('abcde…')
    expect(oneLine('abcd🛟fg', 6)).toBe('abcd…')
    expect(oneLine('abcd🛟fg', 7)).toBe('abcd🛟…')
  })
})
