import { X509Certificate } from 'node:crypto'
import { describe, expect, it } from 'vitest'
import { createSelfSignedCertificate } from './self-signed-certificate.ts'

describe('a certificate that a simulated host makes for itself', () => {
  it('is signed by its own key, and is for this machine', () => {
    const { certificate, key, sha256 } = createSelfSignedCertificate('one')
    const read = new X509Certificate(certificate)
    expect(read.verify(read.publicKey)).toBe(true)
    expect([read.subject, read.issuer, read.fingerprint256]).toEqual(['CN=one', 'CN=one', sha256])
    expect([read.checkHost('localhost'), read.checkIP('127.0.0.1'), read.checkHost('example.org')]).toEqual([
      'localhost',
      '127.0.0.1',
      undefined,
    ])
    expect(key).toContain('BEGIN PRIVATE KEY')
  })

  it('is another one each time', () => {
    expect(createSelfSignedCertificate().sha256).not.toBe(createSelfSignedCertificate().sha256)
  })
})
