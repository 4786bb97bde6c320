import { seededRandom, vmdkOf } from '@holdfast/testkit'
import { describe, expect, it } from 'vitest'
import { createVmdkScanner } from './vmdk-scanner.ts'

const sector = 512
const random = seededRandom(20261121)
const disk = new Uint8Array(1_048_576 + 512)
disk.set(random.bytes(150_000), 65_536)
disk.set(random.bytes(10), 1_048_576)
const vmdk = Buffer.from(vmdkOf(disk))

function scan(bytes: Uint8Array, chunkBytes = Math.max(1, bytes.length)): void {
  const scanner = createVmdkScanner({ what: 'web-disk-0.vmdk' })
  for (let at = 0; at < bytes.length; at += chunkBytes) scanner.write(bytes.subarray(at, at + chunkBytes))
  scanner.end()
}
const codeOf = (act: () => unknown): string => {
  try {
    act()
    return 'nothing thrown'
  } catch (error) {
    return (error as { code: string }).code
  }
}
const changed = (act: (bytes: Buffer) => void, from = vmdk): Buffer => {
  const bytes = Buffer.from(from)
  act(bytes)
  return bytes
}

/** Directory and tables in front and no end-of-stream marker, as qemu writes it. */
function inFront(): Buffer {
  const bytes = vmdk.subarray(0, vmdk.length)
  const gtAt = 20
  const header = changed(
    (copy) => {
      copy.writeBigUInt64LE(21n, 56)
      copy.writeBigUInt64LE(0n, 48)
      copy.writeBigUInt64LE(20n, 36)
    },
    bytes.subarray(0, 128 * sector),
  )
  const grains: { readonly at: number; readonly number: number }[] = []
  let at = 128 * sector
  while (bytes.readUInt32LE(at + 8) > 0) {
    grains.push({ at: at / sector, number: Number(bytes.readBigUInt64LE(at)) / 128 })
    at += Math.ceil((12 + bytes.readUInt32LE(at + 8)) / sector) * sector
  }
  header.writeUInt32LE(gtAt + 2, 21 * sector)
  for (const grain of grains) header.writeUInt32LE(grain.at, 22 * sector + grain.number * 4)
  return Buffer.concat([header, bytes.subarray(128 * sector, at)])
}

describe('a whole streamOptimized VMDK', () => {
  it('is accepted whatever the chunks are', () => {
    for (const chunkBytes of [1, 13, 511, 512, 513, 65536, vmdk.length])
      expect(
        codeOf(() => scan(vmdk, chunkBytes)),
        `${chunkBytes}`,
      ).toBe('nothing thrown')
  })
  it('may have its directory in front and no end-of-stream marker, as qemu writes it', () => {
    expect(codeOf(() => scan(inFront()))).toBe('nothing thrown')
  })
})

describe('a VMDK that is not whole', () => {
  it('is TRUNCATED, cut at any sector', () => {
    for (let length = 0; length < vmdk.length; length += sector)
      expect(
        codeOf(() => scan(vmdk.subarray(0, length))),
        `${length}`,
      ).toBe('TRUNCATED')
    expect(codeOf(() => scan(vmdk.subarray(0, vmdk.length - 1)))).toBe('TRUNCATED')
  })
  it('is TRUNCATED, cut between two grains when the directory is in front', () => {
    const bytes = inFront()
    for (let length = 0; length < bytes.length; length += sector)
      expect(
        codeOf(() => scan(bytes.subarray(0, length))),
        `${length}`,
      ).toBe('TRUNCATED')
  })
  it('has nothing after its end-of-stream marker', () => {
    expect(codeOf(() => scan(Buffer.concat([vmdk, Buffer.alloc(1)])))).toBe('PROVIDER_FAILED')
  })
})

describe('a malformed VMDK', () => {
  const footerAt = vmdk.length - 2 * sector
  const cases: readonly [string, string, (bytes: Buffer) => void][] = [
    ['no magic', 'PROVIDER_FAILED', (bytes) => bytes.writeUInt32LE(0, 0)],
    ['not compressed', 'UNSUPPORTED_FORMAT', (bytes) => bytes.writeUInt32LE(0x20001, 8)],
    ['no markers', 'UNSUPPORTED_FORMAT', (bytes) => bytes.writeUInt32LE(0x10001, 8)],
    ['unknown compression', 'UNSUPPORTED_FORMAT', (bytes) => bytes.writeUInt16LE(2, 77)],
    ['transferred as text', 'PROVIDER_FAILED', (bytes) => bytes.writeUInt8(0x0d, 73)],
    ['capacity 2^63', 'PROVIDER_FAILED', (bytes) => bytes.writeBigUInt64LE(2n ** 63n, 12)],
    ['grain of 2^32 sectors', 'PROVIDER_FAILED', (bytes) => bytes.writeBigUInt64LE(2n ** 32n, 20)],
    ['no overhead', 'PROVIDER_FAILED', (bytes) => bytes.writeBigUInt64LE(0n, 64)],
    ['overhead behind the end', 'TRUNCATED', (bytes) => bytes.writeBigUInt64LE(2n ** 30n, 64)],
    ['grain outside the disk', 'PROVIDER_FAILED', (bytes) => bytes.writeBigUInt64LE(2n ** 60n, 128 * sector)],
    ['grain of 1 GiB', 'PROVIDER_FAILED', (bytes) => bytes.writeUInt32LE(2 ** 30, 128 * sector + 8)],
    ['unknown marker', 'PROVIDER_FAILED', (bytes) => bytes.writeUInt32LE(4, vmdk.length - sector + 12)],
    ['table instead of the end', 'PROVIDER_FAILED', (bytes) => bytes.writeUInt32LE(1, vmdk.length - sector + 12)],
    ['end marker with a length', 'PROVIDER_FAILED', (bytes) => bytes.writeBigUInt64LE(1n, vmdk.length - sector)],
    ['footer without magic', 'PROVIDER_FAILED', (bytes) => bytes.writeUInt32LE(0, footerAt)],
    ['footer that does not know the directory either', 'PROVIDER_FAILED', (bytes) => bytes.writeBigUInt64LE(2n ** 64n - 1n, footerAt + 56)],
    ['footer of another disk', 'PROVIDER_FAILED', (bytes) => bytes.writeBigUInt64LE(1n, footerAt + 12)],
    ['no footer', 'PROVIDER_FAILED', (bytes) => bytes.writeUInt32LE(0, footerAt - sector + 12)],
  ]
  for (const [name, code, act] of cases) it(`is refused: ${name}`, () => expect(codeOf(() => scan(changed(act)))).toBe(code))
})

describe('a VMDK with its directory in front', () => {
  it('may be filled up with zeros, as qemu does, but not with anything else, and not instead of its last grain', () => {
    const bytes = inFront()
    const padding = Buffer.alloc(26 * sector)
    expect(codeOf(() => scan(Buffer.concat([bytes, padding]), 700))).toBe('nothing thrown')
    expect(codeOf(() => scan(Buffer.concat([bytes, padding, Buffer.from('x')])))).toBe('PROVIDER_FAILED')
    const withoutLast = bytes.subarray(0, bytes.length - sector)
    expect(codeOf(() => scan(Buffer.concat([withoutLast, padding])))).toBe('TRUNCATED')
  })
})
