import { HoldfastError } from '../spec/errors.ts'

/** One 512-byte header block, decoded as far as it matters for finding the next one. POSIX ustar, pax, GNU and v7 archives. */
export interface TarHeader {
  /** The type character, for example `0`. */
  readonly flag: string
  /** As in this block; long names come from the blocks before it. */
  readonly name: Buffer
  readonly linkName: Buffer
  readonly size: number
  /** Old GNU sparse: more blocks of the map follow. */
  readonly sparseContinues: boolean
}

export const tarBlock = 512

/** Sum of all bytes, the checksum field taken as spaces; some old writers took bytes as signed. */
function checksums(block: Buffer): { readonly unsigned: number; readonly signed: number } {
  let unsigned = 256
  let high = 0
  for (let at = 0; at < tarBlock; at++) {
    if (at === 148) at = 156
    const byte = block[at] as number
    unsigned += byte
    high += byte >> 7
  }
  return { unsigned, signed: unsigned - high * 256 }
}

export function isZeroBlock(block: Uint8Array): boolean {
  for (let at = 0; at < block.length; at++) if (block[at] !== 0) return false
  return true
}

/** A number field: octal text, or base-256 when the first bit is set (GNU; sizes of 8 GiB and more). Undefined when it is neither. */
export function tarNumber(field: Buffer): number | undefined {
  const first = field[0] as number
  if ((first & 0x80) === 0) {
    const text = field.toString('latin1').replace(/\0.*$/s, '').trim()
    if (text === '') return 0
    return /^[0-7]+$/.test(text) ? safe(Number.parseInt(text, 8)) : undefined
  }
  if (first & 0x40) return undefined
  let value = first & 0x3f
  for (let at = 1; at < field.length; at++) {
    value = value * 256 + (field[at] as number)
    if (value > Number.MAX_SAFE_INTEGER) return undefined
  }
  return value
}

const safe = (value: number): number | undefined => (Number.isSafeInteger(value) ? value : undefined)

function textField(block: Buffer, start: number, length: number): Buffer {
  const end = block.indexOf(0, start)
  return block.subarray(start, end < 0 || end > start + length ? start + length : end)
}

/** `at` is the block's offset in the stream, for messages. */
export function parseTarHeader(block: Buffer, at: number, what: string): TarHeader {
  const stored = tarNumber(block.subarray(148, 156))
  const { unsigned, signed } = checksums(block)
  if (stored !== unsigned && stored !== signed)
    throw new HoldfastError(
      'PROVIDER_FAILED',
      `${what}: no tar header at byte ${at}: its checksum is ${unsigned}, the field says ${stored ?? 'no number'}`,
    )
  const size = tarNumber(block.subarray(124, 136))
  if (size === undefined) throw new HoldfastError('PROVIDER_FAILED', `${what}: the tar header at byte ${at} has a size that is no number`)
  const flag = block[156] === 0 ? '0' : String.fromCharCode(block[156] as number)
  const magic = block.toString('latin1', 257, 263)
  const name = textField(block, 0, 100)
  // Only POSIX has the prefix; GNU keeps other things in that place.
  const prefix = magic === 'ustar\0' ? textField(block, 345, 155) : Buffer.alloc(0)
  return {
    flag,
    name: prefix.length > 0 ? Buffer.concat([prefix, Buffer.from('/'), name]) : name,
    linkName: textField(block, 157, 100),
    size,
    sparseContinues: flag === 'S' && block[482] === 1,
  }
}

/** The records of a pax header. Values are bytes: names need not be UTF-8. */
export function parsePaxRecords(body: Buffer, at: number, what: string): Map<string, Buffer> {
  const records = new Map<string, Buffer>()
  for (let start = 0; start < body.length; ) {
    const space = body.indexOf(0x20, start)
    const digits = space < 0 ? '' : body.toString('latin1', start, space)
    const length = /^[0-9]{1,9}$/.test(digits) ? Number(digits) : 0
    const end = start + length
    const equals = body.indexOf(0x3d, space)
    if (length === 0 || end > body.length || equals < 0 || equals >= end || body[end - 1] !== 0x0a)
      throw new HoldfastError('PROVIDER_FAILED', `${what}: the pax header at byte ${at} has a record that is not "length key=value"`)
    records.set(body.toString('utf8', space + 1, equals), body.subarray(equals + 1, end - 1))
    start = end
  }
  return records
}
