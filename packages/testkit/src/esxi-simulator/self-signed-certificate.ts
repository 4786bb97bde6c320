import { createHash, createPublicKey, generateKeyPairSync, sign, X509Certificate } from 'node:crypto'

/** A key and a certificate that it has signed itself, as PEM, and its SHA-256 as `AA:BB:...`. */
export interface SelfSignedCertificate {
  readonly key: string
  readonly certificate: string
  readonly sha256: string
}

/** One value of DER: tag, length, content. Source: ITU-T X.690, section 8.1. */
function der(tag: number, ...content: readonly Uint8Array[]): Buffer {
  const body = Buffer.concat(content)
  if (body.length < 128) return Buffer.concat([Buffer.from([tag, body.length]), body])
  const length = Buffer.from(body.length.toString(16).padStart(body.length < 256 ? 2 : 4, '0'), 'hex')
  return Buffer.concat([Buffer.from([tag, 0x80 | length.length]), length, body])
}

const sequence = (...parts: readonly Uint8Array[]): Buffer => der(0x30, ...parts)
const identifier = (hexadecimal: string): Buffer => der(0x06, Buffer.from(hexadecimal, 'hex'))
const bitString = (bytes: Uint8Array): Buffer => der(0x03, Buffer.from([0]), bytes)
const utcTime = (text: string): Buffer => der(0x17, Buffer.from(text, 'latin1'))

const ecdsaWithSha256 = sequence(identifier('2a8648ce3d040302'))
const commonName = (name: string): Buffer => sequence(der(0x31, sequence(identifier('550403'), der(0x0c, Buffer.from(name)))))
const alternativeNames = der(
  0xa3,
  sequence(
    sequence(identifier('551d11'), der(0x04, sequence(der(0x82, Buffer.from('localhost')), der(0x87, Buffer.from([127, 0, 0, 1]))))),
  ),
)

/** A new certificate for 127.0.0.1 and `localhost`, good until 2049, as a host makes for itself. Source: RFC 5280, section 4.1. */
export function createSelfSignedCertificate(name = 'simulated host'): SelfSignedCertificate {
  const { privateKey } = generateKeyPairSync('ec', { namedCurve: 'P-256' })
  const publicKey = createPublicKey(privateKey).export({ type: 'spki', format: 'der' })
  const serial = Buffer.concat([Buffer.from([1]), createHash('sha256').update(publicKey).digest().subarray(0, 15)])
  const toBeSigned = sequence(
    der(0xa0, der(0x02, Buffer.from([2]))),
    der(0x02, serial),
    ecdsaWithSha256,
    commonName(name),
    sequence(utcTime('200101000000Z'), utcTime('491231235959Z')),
    commonName(name),
    publicKey,
    alternativeNames,
  )
  const certificate = new X509Certificate(sequence(toBeSigned, ecdsaWithSha256, bitString(sign('sha256', toBeSigned, privateKey))))
  return {
    key: privateKey.export({ type: 'pkcs8', format: 'pem' }).toString(),
    certificate: certificate.toString(),
    sha256: certificate.fingerprint256,
  }
}
