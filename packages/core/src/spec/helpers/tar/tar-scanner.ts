import { HoldfastError } from '../../errors.ts'
import { assertInside } from './inside.ts'
import { type PaxRecords, parsePaxRecords, paxNumber, paxText } from './pax-records.ts'
import { bufferOf, isZeroBlock, parseTarHeader, type TarContext, type TarHeader, tarBlock, tarFault } from './tar-header.ts'

/** One entry of an archive. Lent: its bytes are the caller's until `onEntry` returns. */
export interface TarEntry {
  /** With long names and pax records applied; need not be UTF-8. */
  readonly name: Uint8Array
  /** What a link points to; empty for other things. */
  readonly linkName: Uint8Array
  /** `file`, `directory`, `link` (a hard link), `symlink`, `character-device`, `block-device`, `fifo`, or `type-` and the character. */
  readonly type: string
  /** Bytes of its content in the archive (a sparse file: with its map and without its holes). */
  readonly size: number
  /** Where the content begins, counted in the bytes of the archive. */
  readonly offset: number
  /** The block it was read from. */
  readonly header: TarHeader
  /** The pax records that are for this entry alone; empty when there are none. */
  readonly pax: PaxRecords
}

/** What is told while an archive passes, in the order of the archive. What a callback throws comes out of `write`. */
export interface TarScannerOptions extends TarContext {
  /** Every header block, those of long names and pax records too, before anything is made of it: throw to refuse a kind of it. */
  onHeader?(header: TarHeader): void
  /** Each entry, when its header was read and before its content passes: throw to refuse it. */
  onEntry?(entry: TarEntry): void
  /** Content of the entry that was told last, without padding. Lent until it returns. */
  onContent?(bytes: Uint8Array): void
}

/** Reads an archive as it passes. Constant memory; keeps nothing of the chunks. */
export interface TarScanner {
  /**
   * Throws at the first byte that cannot be right, before the entry at fault is complete in the bytes given: the context's code, or PATH_OUTSIDE for
   * a name or the target of a hard link that is absolute, climbs above the folder, or holds a zero byte.
   */
  write(chunk: Uint8Array): void
  /** Proves that the archive was whole: TRUNCATED without two zero blocks. */
  end(): void
}

const types: { readonly [flag: string]: string } = {
  '0': 'file',
  '7': 'file',
  S: 'file',
  '1': 'link',
  '2': 'symlink',
  '3': 'character-device',
  '4': 'block-device',
  '5': 'directory',
  '6': 'fifo',
}
/** Long names and pax records larger than this are refused: what is kept of them must stay small. */
const maximumExtra = 1024 * 1024
/** Of pax: what decides about names and lengths. */
const decisive = ['path', 'linkpath', 'size', 'GNU.sparse.name']
const noRecords: PaxRecords = new Map()
const noName = Buffer.alloc(0)

type Expecting = 'header' | 'second-zero' | 'extra' | 'sparse-map' | 'body' | 'padding'

/** What the blocks before a header say about it. */
interface Before {
  readonly name?: Uint8Array
  readonly linkName?: Uint8Array
  readonly pax?: PaxRecords
}
const nothingBefore: Before = {}

/** Content of a long-name or pax block that is being collected. */
interface Extra {
  readonly flag: string
  readonly size: number
  readonly at: number
  readonly parts: Buffer[]
}

interface Scan {
  readonly options: TarScannerOptions
  readonly partial: Buffer
  partialLength: number
  position: number
  expecting: Expecting
  /** Bytes of the body or of the extra block that are still to come, padding included. */
  remaining: number
  /** How many of those that remain are padding. */
  padding: number
  extra: Extra | undefined
  sparse: TarHeader | undefined
  before: Before
  lastName: string
}

/**
 * The one reader of tar archives (POSIX.1-2001 ustar and pax, GNU, v7): finds the entries, refuses names that leave the folder, and proves the end.
 * Where readers of tar differ about what is meant, the archive is refused, so that what passes here is what another reader unpacks: a GNU long name
 * and a pax name that differ, a global pax header that sets a name or a size, or one that stands between an entry and its own long name.
 */
export function createTarScanner(options: TarScannerOptions): TarScanner {
  const scan: Scan = {
    options,
    partial: Buffer.alloc(tarBlock),
    partialLength: 0,
    position: 0,
    expecting: 'header',
    remaining: 0,
    padding: 0,
    extra: undefined,
    sparse: undefined,
    before: nothingBefore,
    lastName: '',
  }
  return {
    write(bytes) {
      const chunk = bufferOf(bytes)
      for (let at = 0; at < chunk.length; ) {
        const inRun = scan.expecting === 'body' || scan.expecting === 'extra' || scan.expecting === 'padding'
        at += inRun ? run(scan, chunk, at) : step(scan, chunk, at)
      }
    },
    end() {
      if (scan.expecting === 'padding') return
      const last = scan.lastName === '' ? '' : `; the last entry was ${JSON.stringify(scan.lastName)}`
      throw new HoldfastError(
        'TRUNCATED',
        `${options.what}: the archive ends after ${scan.position} bytes without its two end blocks${last}`,
      )
    },
  }
}

/** Bytes that need not be a whole block. Returns how many were used. */
function run(scan: Scan, chunk: Buffer, at: number): number {
  if (scan.expecting === 'padding') {
    const rest = chunk.subarray(at)
    if (!isZeroBlock(rest)) throw tarFault(scan.options, `there are bytes after the end of the archive, after byte ${scan.position}`)
    scan.position += rest.length
    return rest.length
  }
  const part = chunk.subarray(at, at + scan.remaining)
  if (scan.expecting === 'extra') scan.extra?.parts.push(Buffer.from(part))
  else if (scan.options.onContent !== undefined && scan.remaining > scan.padding)
    scan.options.onContent(part.subarray(0, scan.remaining - scan.padding))
  scan.remaining -= part.length
  scan.position += part.length
  if (scan.remaining === 0) {
    if (scan.expecting === 'extra') endExtra(scan)
    scan.expecting = 'header'
  }
  return part.length
}

/** A whole block, put together from several chunks when it has to be. Returns how many bytes were used. */
function step(scan: Scan, chunk: Buffer, at: number): number {
  const part = chunk.subarray(at, at + tarBlock - scan.partialLength)
  scan.position += part.length
  if (scan.partialLength === 0 && part.length === tarBlock) block(scan, part)
  else {
    scan.partial.set(part, scan.partialLength)
    scan.partialLength += part.length
    if (scan.partialLength < tarBlock) return part.length
    scan.partialLength = 0
    block(scan, scan.partial)
  }
  return part.length
}

function block(scan: Scan, bytes: Buffer): void {
  if (scan.expecting === 'header') header(scan, bytes)
  else if (scan.expecting === 'sparse-map') {
    if (bytes[504] !== 1 && scan.sparse !== undefined) entry(scan, scan.sparse)
  } else if (isZeroBlock(bytes)) scan.expecting = 'padding'
  else throw tarFault(scan.options, `one block of zeros at byte ${scan.position - 2 * tarBlock}, then more: an archive ends with two`)
}

function header(scan: Scan, bytes: Buffer): void {
  const at = scan.position - tarBlock
  if (bytes[0] === 0 && isZeroBlock(bytes)) {
    scan.expecting = 'second-zero'
    return
  }
  const parsed = parseTarHeader(bytes, at, scan.options)
  scan.options.onHeader?.(parsed)
  if ('LKxgX'.includes(parsed.flag)) beginExtra(scan, parsed, at)
  else if (parsed.sparseContinues) {
    // Its block is gone when the map has been read.
    scan.sparse = parseTarHeader(Buffer.from(bytes), at, scan.options)
    scan.expecting = 'sparse-map'
  } else entry(scan, parsed)
}

function expectBody(scan: Scan, size: number, expecting: 'extra' | 'body'): void {
  scan.padding = (tarBlock - (size % tarBlock)) % tarBlock
  scan.remaining = size + scan.padding
  scan.expecting = scan.remaining > 0 ? expecting : 'header'
}

function beginExtra(scan: Scan, { flag, size }: TarHeader, at: number): void {
  if (size > maximumExtra)
    throw tarFault(scan.options, `the tar header at byte ${at} announces ${size} bytes of long names, more than ${maximumExtra}`)
  scan.extra = { flag, size, at, parts: [] }
  expectBody(scan, size, 'extra')
  if (size === 0) endExtra(scan)
}

function endExtra(scan: Scan): void {
  if (scan.extra === undefined) return
  const { flag, size, at, parts } = scan.extra
  scan.extra = undefined
  const body = Buffer.concat(parts).subarray(0, size)
  if (flag === 'L') scan.before = { ...scan.before, name: withoutZeros(body) }
  else if (flag === 'K') scan.before = { ...scan.before, linkName: withoutZeros(body) }
  else if (flag === 'g') checkGlobal(scan, parsePaxRecords(body, at, scan.options), at)
  else scan.before = { ...scan.before, pax: parsePaxRecords(body, at, scan.options) }
}

/** Some readers apply these to all entries that follow, others to none. */
function checkGlobal(scan: Scan, records: PaxRecords, at: number): void {
  const key = decisive.find((name) => records.has(name))
  if (key !== undefined)
    throw tarFault(scan.options, `the global pax header at byte ${at} sets ${key}, which readers of tar take differently`)
  if (scan.before !== nothingBefore)
    throw tarFault(scan.options, `the global pax header at byte ${at} stands between an entry and its long name or pax header`)
}

function entry(scan: Scan, found: TarHeader): void {
  const { options, position, before } = scan
  const pax = before.pax ?? noRecords
  scan.before = nothingBefore
  const name = overridden(scan, 'name', before.name, paxText(pax, 'GNU.sparse.name') ?? paxText(pax, 'path')) ?? found.name
  scan.lastName = bufferOf(name).toString('utf8')
  assertInside(name, `${options.what}: entry`)
  const isLink = found.flag === '1' || found.flag === '2'
  const linkName = isLink ? (overridden(scan, 'link', before.linkName, paxText(pax, 'linkpath')) ?? found.linkName) : noName
  if (found.flag === '1') assertInside(linkName, `${options.what}: hard link ${JSON.stringify(scan.lastName)} to`)
  const size = bodySize(scan, found, paxNumber(pax, 'size', position, options))
  options.onEntry?.({ name, linkName, type: types[found.flag] ?? `type-${found.flag}`, size, offset: position, header: found, pax })
  expectBody(scan, size, 'body')
}

/** GNU and pax are two ways to say the same; no writer says two things. */
function overridden(scan: Scan, of: string, gnu: Uint8Array | undefined, pax: Uint8Array | undefined): Uint8Array | undefined {
  if (gnu === undefined || gnu.length === 0) return pax
  if (pax !== undefined && !bufferOf(gnu).equals(pax))
    throw tarFault(scan.options, `the entry before byte ${scan.position} has two long ${of}s that differ, a GNU one and one of pax`)
  return gnu
}

const withoutZeros = (body: Buffer): Buffer => {
  const zero = body.indexOf(0)
  return zero < 0 ? body : body.subarray(0, zero)
}

/** Links have no content, whatever their size field says (it may be that of what they point to); other things without content must say 0. */
function bodySize(scan: Scan, found: TarHeader, override: number | undefined): number {
  const size = override ?? found.size
  if (found.flag === '1' || found.flag === '2') return 0
  if (size > 0 && '3456'.includes(found.flag))
    throw tarFault(
      scan.options,
      `the entry ${JSON.stringify(scan.lastName)} before byte ${scan.position} is no file, but has ${size} bytes`,
    )
  return size
}
