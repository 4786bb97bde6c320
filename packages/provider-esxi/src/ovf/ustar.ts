import { HoldfastError, showValue } from '@holdfast/core/spec'

export const tarBlock = 512
/** The most that eleven octal digits say: 8 GiB less one. */
const largestOctal = 8 ** 11 - 1

/** Two blocks of zeros. */
export const endOfArchive = (): Uint8Array => new Uint8Array(2 * tarBlock)

/** Zeros behind the content of a file, up to the next block. */
export const paddingOf = (size: number): number => (tarBlock - (size % tarBlock)) % tarBlock

const octal = (value: number, digits: number): string => `${value.toString(8).padStart(digits, '0')}\0`

/** Sizes of 8 GiB and more as a number to the base of 256 with the first bit set, which GNU tar, bsdtar and the readers of Go, Python and Node all take. */
function writeSize(header: Buffer, size: number): void {
  if (size <= largestOctal) header.write(octal(size, 11), 124, 'latin1')
  else {
    header.writeUInt32BE(0x8000_0000, 124)
    header.writeBigUInt64BE(BigInt(size), 128)
  }
}

/** How an entry is written. */
export interface TarFile {
  /** Up to 100 bytes, without a slash. */
  readonly name: string
  readonly size: number
  /** Seconds since 1970. */
  readonly modified: number
}

/**
 * The header of a plain file in the USTAR layout. Source: POSIX.1-2017, pax, "ustar Interchange Format".
 * @throws UNSUPPORTED: a name that it cannot hold.
 */
export function ustarHeader({ name, size, modified }: TarFile): Uint8Array {
  const bytes = Buffer.from(name)
  if (bytes.length > 100)
    throw new HoldfastError('UNSUPPORTED', `the name ${showValue(name)} has ${bytes.length} bytes, and an OVA holds names of 100`, {
      remedy: 'Restore the point into a folder instead, and pack it there under shorter names.',
    })
  const header = Buffer.alloc(tarBlock)
  bytes.copy(header, 0)
  header.write(octal(0o644, 7), 100, 'latin1')
  header.write(octal(0, 7), 108, 'latin1')
  header.write(octal(0, 7), 116, 'latin1')
  writeSize(header, size)
  header.write(octal(Math.max(0, Math.floor(modified)), 11), 136, 'latin1')
  header.write('        ', 148, 'latin1')
  header.write('0', 156, 'latin1')
  header.write('ustar\x0000', 257, 'latin1')
  const checksum = header.reduce((sum, byte) => sum + byte, 0)
  header.write(`${checksum.toString(8).padStart(6, '0')}\0 `, 148, 'latin1')
  return header
}
