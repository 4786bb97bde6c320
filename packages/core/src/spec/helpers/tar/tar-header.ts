import { HoldfastError } from '../../errors.ts'

/** Whose archive is read, for messages, and what it is to hold a broken one. */
export interface TarContext {
  /** How messages name the archive, for example `volume.tar`. */
  readonly what: string
  /** Code of what cannot be right: PROVIDER_FAILED (the default) for an archive that comes from a workload, POINT_DAMAGED for one that comes from a repository. */
  readonly code?: 'PROVIDER_FAILED' | 'POINT_DAMAGED' | undefined
}

/** One 512-byte header block, decoded as far as it matters for finding the next one. Its bytes are lent: copy what you keep. */
export interface TarHeader {
  /** The type character, for example `0`. */
  readonly flag: string
  /**
   * Who lays out the fields after the link name: `ustar` (POSIX, pax too), `gnu` (GNU tar and its old form), `v7` (no magic; nothing after the link
   * name), `star` (a shorter prefix), `unknown` (some other magic or version: readers differ about the prefix).
   */
  readonly format: 'ustar' | 'gnu' | 'v7' | 'star' | 'unknown'
  /** As in this block, prefix included; long names come from the blocks before it. */
  readonly name: Uint8Array
  readonly linkName: Uint8Array
  /** Bytes. What the field says: for links it may be that of what they point to. */
  readonly size: number
  /** Old GNU sparse: more blocks of the map follow. */
  readonly sparseContinues: boolean
  /** The whole block. */
  readonly block: Uint8Array
}

export const tarBlock = 512
const noPrefix = Buffer.alloc(0)

export function tarFault({ what, code = 'PROVIDER_FAILED' }: TarContext, message: string): HoldfastError {
  return new HoldfastError(code, `${what}: ${message}`)
}

export const bufferOf = (bytes: Uint8Array): Buffer =>
  Buffer.isBuffer(bytes) ? bytes : Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength)

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

/**
 * A number field: octal text between spaces and zero bytes, or base 256 when the first bit is set (GNU and star, for what does not fit: sizes of
 * 8 GiB and more, large owners, negative times). An empty one is 0. Undefined when it is neither, or no safe integer.
 */
export function tarNumber(block: Uint8Array, start: number, length: number): number | undefined {
  const first = block[start] as number
  if (first & 0x80) return base256(block, start, length)
  let at = start
  let end = start + length
  while (at < end && isBlank(block[at])) at++
  while (end > at && isBlank(block[end - 1])) end--
  let value = 0
  for (; at < end && block[at] !== 0; at++) {
    const digit = (block[at] as number) - 0x30
    if (digit < 0 || digit > 7) return undefined
    value = value * 8 + digit
  }
  return Number.isSafeInteger(value) ? value : undefined
}

const isBlank = (byte: number | undefined): boolean => byte === 0x20 || byte === 0

/** Two's complement behind the first bit. */
function base256(block: Uint8Array, start: number, length: number): number | undefined {
  const first = block[start] as number
  const negative = (first & 0x40) !== 0
  const flip = negative ? 0xff : 0
  let value = (first ^ flip) & 0x7f
  for (let at = start + 1; at < start + length; at++) {
    value = value * 256 + ((block[at] as number) ^ flip)
    if (value >= Number.MAX_SAFE_INTEGER) return undefined
  }
  return negative ? -value - 1 : value
}

function textField(block: Buffer, start: number, length: number): Buffer {
  const end = block.indexOf(0, start)
  return block.subarray(start, end < 0 || end > start + length ? start + length : end)
}

const magics = { ustar: Buffer.from('ustar\x0000'), gnu: Buffer.from('ustar  \0'), v7: Buffer.alloc(8), star: Buffer.from('tar\0') }

function hasText(block: Uint8Array, start: number, text: Uint8Array, length = text.length): boolean {
  for (let at = 0; at < length; at++) if (block[start + at] !== text[at]) return false
  return true
}

function formatOf(block: Uint8Array): TarHeader['format'] {
  if (hasText(block, 257, magics.ustar)) return hasText(block, 508, magics.star) ? 'star' : 'ustar'
  if (hasText(block, 257, magics.gnu)) return 'gnu'
  return hasText(block, 257, magics.v7) ? 'v7' : 'unknown'
}

/**
 * Decodes a header block of POSIX ustar, pax, GNU and v7 archives. `at` is its offset in the archive, for messages. Throws the context's code when
 * the checksum does not match or the size is no size.
 */
export function parseTarHeader(bytes: Uint8Array, at: number, context: TarContext): TarHeader {
  const block = bufferOf(bytes)
  const stored = tarNumber(block, 148, 8)
  const { unsigned, signed } = checksums(block)
  if (stored !== unsigned && stored !== signed)
    throw tarFault(context, `no tar header at byte ${at}: its checksum is ${unsigned}, the field says ${stored ?? 'no number'}`)
  const size = tarNumber(block, 124, 12)
  if (size === undefined || size < 0) throw tarFault(context, `the tar header at byte ${at} has a size that is no number`)
  const flag = block[156] === 0 ? '0' : String.fromCharCode(block[156] as number)
  const format = formatOf(block)
  const name = textField(block, 0, 100)
  // GNU keeps other things in the place of the prefix. An unknown version of POSIX is taken as POSIX.
  const prefix = block[345] !== 0 && hasText(block, 257, magics.ustar, 6) ? textField(block, 345, format === 'star' ? 131 : 155) : noPrefix
  return {
    flag,
    format,
    name: prefix.length > 0 ? Buffer.concat([prefix, Buffer.from('/'), name]) : name,
    linkName: textField(block, 157, 100),
    size,
    sparseContinues: flag === 'S' && block[482] === 1,
    block,
  }
}
