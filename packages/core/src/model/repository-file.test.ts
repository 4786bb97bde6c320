import { createHash } from 'node:crypto'
import { describe, expect, it } from 'vitest'
import { codeOf } from '../spec/errors.ts'
import { decodeRepositoryFile, encodeRepositoryFile, type RepositoryFile } from './repository-file.ts'

const file: RepositoryFile = { formatVersion: 1, repositoryId: 'abc', owner: 'store-1', epoch: 7 }
const codeFor = (bytes: Uint8Array): string | undefined => {
  try {
    decodeRepositoryFile(bytes)
    return 'taken'
  } catch (error) {
    return codeOf(error)
  }
}
const signed = (members: object): Uint8Array => {
  const body = `${JSON.stringify(members, undefined, 2).slice(0, -2)},\n`
  return new TextEncoder().encode(`${body}  "sha256": "${createHash('sha256').update(body).digest('hex')}"\n}\n`)
}

describe('repository.json', () => {
  it('comes back as it was written', () => {
    expect(decodeRepositoryFile(encodeRepositoryFile(file))).toEqual(file)
    expect(codeFor(signed(file))).toBe('taken')
  })

  it('finds every flipped bit and every cut, the empty file included', () => {
    const bytes = encodeRepositoryFile(file)
    for (let length = 0; length < bytes.length; length++) expect(codeFor(bytes.subarray(0, length))).toBe('REPOSITORY_DAMAGED')
    for (let bit = 0; bit < bytes.length * 8; bit++) {
      const damaged = bytes.slice()
      damaged[bit >> 3] = (damaged[bit >> 3] ?? 0) ^ (1 << (bit & 7))
      expect(codeFor(damaged), `bit ${bit}`).toBe('REPOSITORY_DAMAGED')
    }
  })

  it('refuses other versions and other shapes', () => {
    expect(codeFor(signed({ ...file, formatVersion: 2 }))).toBe('UNSUPPORTED_FORMAT')
    expect(codeFor(signed({ ...file, epoch: 'seven' }))).toBe('REPOSITORY_DAMAGED')
    expect(codeFor(signed({ ...file, more: 1 }))).toBe('REPOSITORY_DAMAGED')
    expect(codeFor(new TextEncoder().encode('<html>'))).toBe('REPOSITORY_DAMAGED')
    expect(() => encodeRepositoryFile({ ...file, owner: '' })).toThrow()
  })
})
