import { HoldfastError } from '@holdfast/core/spec'

/** One header block of a tar (POSIX.1-2001 ustar, GNU, or the old v7 form), as the Docker engine reads it. Texts are bytes as latin1, so that no name is changed. */
export interface TarHeader {
  readonly type: string
  readonly name: string
  readonly link: string
  readonly size: number
  readonly mode: number
  readonly uid: number
  readonly gid: number
  readonly mtime: number
  readonly device: string
}

export function damaged(message: string): HoldfastError {
  return new HoldfastError('POINT_DAMAGED', `The archive cannot be read: ${message}.`)
}

const text = (block: Buffer, start: number, length: number): string => {
  const end = block.indexOf(0, start)
  return block.toString('latin1', start, end === -1 || end > start + length ? start + length : end)
}

/** Octal digits, or base 256 when the first bit is set (GNU and star, for values that do not fit). */
function number(block: Buffer, start: number, length: number): number {
  const first = block[start] ?? 0
  if (first & 0x80) {
    const negative = (first & 0x40) !== 0
    let value = negative ? BigInt(first | ~0xff) : BigInt(first & 0x7f)
    for (let at = start + 1; at < start + length; at++) value = (value << 8n) | BigInt(block[at] ?? 0)
    if (value > BigInt(Number.MAX_SAFE_INTEGER) || value < BigInt(Number.MIN_SAFE_INTEGER))
      throw damaged('a number in a header is too large')
    return Number(value)
  }
  const digits = block.toString('latin1', start, start + length).replace(/^[ \0]+|[ \0]+$/g, '')
  if (!/^[0-7]*$/.test(digits)) throw damaged(`${JSON.stringify(digits)} is not an octal number`)
  return digits === '' ? 0 : Number.parseInt(digits, 8)
}

function checkSum(block: Buffer): void {
  let sum = 8 * 32
  for (let at = 0; at < 512; at++) if (at < 148 || at >= 156) sum += block[at] ?? 0
  if (sum !== number(block, 148, 8)) throw damaged('the checksum of a header does not match')
}

export function parseTarHeader(block: Buffer): TarHeader {
  checkSum(block)
  const magic = block.toString('latin1', 257, 265)
  const posix = magic === 'ustar\x0000'
  if (!posix && magic !== 'ustar  \0' && magic !== '\0'.repeat(8)) throw damaged('a header is of an unknown kind')
  if (posix && block.toString('latin1', 508, 512) === 'tar\0') throw damaged('a header is of the kind of star, which is not read')
  const prefix = posix ? text(block, 345, 155) : ''
  const name = text(block, 0, 100)
  const size = number(block, 124, 12)
  if (size < 0) throw damaged('a size is negative')
  const devices = magic.startsWith('ustar')
  return {
    type: block[156] === 0 ? '0' : String.fromCharCode(block[156] ?? 0),
    name: prefix === '' ? name : `${prefix}/${name}`,
    link: text(block, 157, 100),
    size,
    mode: number(block, 100, 8),
    uid: number(block, 108, 8),
    gid: number(block, 116, 8),
    mtime: number(block, 136, 12),
    device: devices ? `${number(block, 329, 8)}:${number(block, 337, 8)}` : '0:0',
  }
}

/** Records `length key=value\n` of an extended header. An empty value means "as in the header" to the engine, so it is left out. */
export function parseExtendedHeader(bytes: Buffer): ReadonlyMap<string, string> {
  const records = new Map<string, string>()
  for (let at = 0; at < bytes.length; ) {
    const space = bytes.indexOf(0x20, at)
    const digits = space === -1 ? '' : bytes.toString('latin1', at, space)
    const end = at + Number(digits)
    if (!/^\d{1,10}$/.test(digits) || end > bytes.length || end <= space + 1 || bytes[end - 1] !== 0x0a)
      throw damaged('an extended header is torn')
    const record = bytes.toString('latin1', space + 1, end - 1)
    const equals = record.indexOf('=')
    if (equals < 1) throw damaged('an extended header has a record without a name')
    const value = record.slice(equals + 1)
    if (value === '') records.delete(record.slice(0, equals))
    else records.set(record.slice(0, equals), value)
    at = end
  }
  return records
}

/** A tar with this one empty file, for the wipe; header fields as POSIX.1-1988 has them. */
export function tarOfOneFile(name: string): Uint8Array {
  const block = Buffer.alloc(512 * 3)
  block.write(name, 0, 'latin1')
  block.write('0000644\0', 100)
  block.write('0000000\0', 108)
  block.write('0000000\0', 116)
  block.write('00000000000\0', 124)
  block.write('00000000000\0', 136)
  block.write('        0ustar\x0000', 148, 'latin1')
  let sum = 0
  for (let at = 0; at < 512; at++) sum += block[at] ?? 0
  block.write(`${sum.toString(8).padStart(6, '0')}\0 `, 148, 'latin1')
  return block
}
