import { describe, expect, it } from 'vitest'
import { manifestBytes, parseManifest, writeManifest } from './manifest.ts'

const context = { what: 'web.mf' }
const sha1 = 'a9993e364706816aba3e25717850c26c9cd0d89d'
const sha256 = 'ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad'
const sha512 = 'a'.repeat(128)

describe('the manifest of a package', () => {
  const lines = [
    { name: 'web.ovf', algorithm: 'SHA256', digest: sha256 },
    { name: 'wéb (1).vmdk', algorithm: 'SHA1', digest: sha1 },
    { name: 'c.iso', algorithm: 'SHA512', digest: sha512 },
  ] as const

  it('is one line for each file, and reads back as it was written', () => {
    const text = writeManifest(lines)
    expect(text.split('\n')[0]).toBe(`SHA256(web.ovf)= ${sha256}`)
    expect(parseManifest(text, context)).toEqual(lines)
  })

  it('has a length that is known before the sums', () => {
    expect(manifestBytes(lines)).toBe(Buffer.byteLength(writeManifest(lines)))
  })

  it('is read with the blanks, letters and line ends of other writers', () => {
    const text = `\ufeffSHA256 (web.ovf) = ${sha256.toUpperCase()}\r\n\r\nsha1(web.vmdk)=${sha1}\r\n`
    expect(parseManifest(text, context)).toEqual([
      { name: 'web.ovf', algorithm: 'SHA256', digest: sha256 },
      { name: 'web.vmdk', algorithm: 'SHA1', digest: sha1 },
    ])
  })

  const wrong: readonly (readonly [string, string, string])[] = [
    ['is no sum', 'web.ovf', 'line 2: "web.ovf" is no sum of a file'],
    ['has too few digits', `SHA256(web.vmdk)= ${sha1}`, 'line 2: the SHA256 of "web.vmdk" has 40 digits'],
    ['names a sum that nobody knows', `MD5(web.vmdk)= ${sha1.slice(8)}`, 'is no sum of a file'],
    ['names a file again', `SHA256(web.ovf)= ${sha256}`, 'line 2: "web.ovf" is there twice'],
  ]
  for (const [name, line, message] of wrong)
    it(`a line that ${name} is told`, () => {
      expect(() => parseManifest(`SHA256(web.ovf)= ${sha256}\n${line}\n`, context)).toThrow(
        expect.objectContaining({ code: 'POINT_DAMAGED', message: expect.stringContaining(message) }),
      )
    })

  it('36: a name that leads elsewhere is refused', () => {
    for (const name of ['../web.ovf', '/etc/passwd', 'a/b'])
      expect(() => parseManifest(`SHA256(${name})= ${sha256}`, context)).toThrow(expect.objectContaining({ code: 'PATH_OUTSIDE' }))
  })

  it('of two million characters is not read', () => {
    expect(() => parseManifest(' '.repeat(2_000_000), context)).toThrow('more than the 1048576 that are read')
  })
})
