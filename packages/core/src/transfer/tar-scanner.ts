import { HoldfastError } from '../spec/errors.ts'
import { checkInside } from './archive-path.ts'
import { isZeroBlock, parsePaxRecords, parseTarHeader, type TarHeader, tarBlock } from './tar-header.ts'

/** One entry of an archive. */
export interface TarEntry {
  /** As in the archive; need not be UTF-8. */
  readonly name: Buffer
  /** `file`, `directory`, `link` (a hard link), `symlink`, `character-device`, `block-device`, `fifo`, or `type-` and the character. */
  readonly type: string
  /** Bytes of its content in the archive (a sparse file: with its map and without its holes). */
  readonly size: number
  /** Where the content begins, counted in the bytes of the archive. */
  readonly offset: number
}

/** Reads an archive as it passes. Constant memory; keeps nothing of the chunks. */
export interface TarScanner {
  /** Throws at the first byte that cannot be right: PROVIDER_FAILED, PATH_OUTSIDE. */
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

type Expecting = 'header' | 'second-zero' | 'extra' | 'sparse-map' | 'body' | 'padding'

/** What the blocks before a header say about it. */
interface Overrides {
  name?: Buffer | undefined
  linkName?: Buffer | undefined
  size?: number | undefined
  realName?: Buffer | undefined
}

/** Content of a long-name or pax block that is being collected. */
interface Extra {
  readonly flag: string
  readonly size: number
  readonly at: number
  readonly parts: Buffer[]
}

interface Scan {
  readonly what: string
  readonly onEntry: ((entry: TarEntry) => void) | undefined
  readonly partial: Buffer
  partialLength: number
  position: number
  expecting: Expecting
  /** Bytes of the body or of the extra block that are still to come, padding included. */
  remaining: number
  extra: Extra | undefined
  sparse: TarHeader | undefined
  global: Overrides
  local: Overrides
  lastName: string
}

export function createTarScanner({ what, onEntry }: { readonly what: string; onEntry?(entry: TarEntry): void }): TarScanner {
  const scan: Scan = {
    what,
    onEntry,
    partial: Buffer.alloc(tarBlock),
    partialLength: 0,
    position: 0,
    expecting: 'header',
    remaining: 0,
    extra: undefined,
    sparse: undefined,
    global: {},
    local: {},
    lastName: '',
  }
  return {
    write(bytes) {
      const chunk = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength)
      for (let at = 0; at < chunk.length; ) {
        const inRun = scan.expecting === 'body' || scan.expecting === 'extra' || scan.expecting === 'padding'
        at += inRun ? run(scan, chunk, at) : step(scan, chunk, at)
      }
    },
    end() {
      if (scan.expecting === 'padding') return
      const last = scan.lastName === '' ? '' : `; the last entry was ${JSON.stringify(scan.lastName)}`
      throw new HoldfastError('TRUNCATED', `${what}: the archive ends after ${scan.position} bytes without its two end blocks${last}`)
    },
  }
}

const broken = ({ what }: Scan, message: string) => new HoldfastError('PROVIDER_FAILED', `${what}: ${message}`)

/** Bytes that need not be a whole block. Returns how many were used. */
function run(scan: Scan, chunk: Buffer, at: number): number {
  if (scan.expecting === 'padding') {
    const rest = chunk.subarray(at)
    if (!isZeroBlock(rest)) throw broken(scan, `there are bytes after the end of the archive, after byte ${scan.position}`)
    scan.position += rest.length
    return rest.length
  }
  const part = chunk.subarray(at, at + scan.remaining)
  if (scan.expecting === 'extra') scan.extra?.parts.push(Buffer.from(part))
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
  else throw broken(scan, `one block of zeros at byte ${scan.position - 2 * tarBlock}, then more: an archive ends with two`)
}

function header(scan: Scan, bytes: Buffer): void {
  const at = scan.position - tarBlock
  if (bytes[0] === 0 && isZeroBlock(bytes)) {
    scan.expecting = 'second-zero'
    return
  }
  const parsed = parseTarHeader(bytes, at, scan.what)
  if ('LKxgX'.includes(parsed.flag)) beginExtra(scan, parsed, at)
  else if (parsed.sparseContinues) {
    scan.sparse = { ...parsed, name: Buffer.from(parsed.name), linkName: Buffer.from(parsed.linkName) }
    scan.expecting = 'sparse-map'
  } else entry(scan, parsed)
}

function beginExtra(scan: Scan, { flag, size }: TarHeader, at: number): void {
  if (size > maximumExtra)
    throw broken(scan, `the tar header at byte ${at} announces ${size} bytes of long names, more than ${maximumExtra}`)
  scan.extra = { flag, size, at, parts: [] }
  scan.remaining = Math.ceil(size / tarBlock) * tarBlock
  scan.expecting = scan.remaining > 0 ? 'extra' : 'header'
}

function endExtra(scan: Scan): void {
  if (scan.extra === undefined) return
  const { flag, size, at, parts } = scan.extra
  scan.extra = undefined
  const body = Buffer.concat(parts).subarray(0, size)
  if (flag === 'L') scan.local.name = withoutZeros(body)
  else if (flag === 'K') scan.local.linkName = withoutZeros(body)
  else {
    const records = overridesOf(parsePaxRecords(body, at, scan.what), at, scan.what)
    if (flag === 'g') scan.global = { ...scan.global, ...records }
    else scan.local = { ...scan.local, ...records }
  }
}

function entry(scan: Scan, found: TarHeader): void {
  const own = { ...scan.global, ...scan.local }
  scan.local = {}
  const name = own.realName ?? own.name ?? found.name
  scan.lastName = name.toString('utf8')
  checkInside(name, `${scan.what}: entry`)
  if (found.flag === '1') checkInside(own.linkName ?? found.linkName, `${scan.what}: hard link ${JSON.stringify(scan.lastName)} to`)
  const size = bodySize(found, own.size, scan)
  scan.onEntry?.({ name, type: types[found.flag] ?? `type-${found.flag}`, size, offset: scan.position })
  scan.remaining = Math.ceil(size / tarBlock) * tarBlock
  scan.expecting = scan.remaining > 0 ? 'body' : 'header'
}

const withoutZeros = (body: Buffer): Buffer => {
  const zero = body.indexOf(0)
  return zero < 0 ? body : body.subarray(0, zero)
}

function overridesOf(records: ReadonlyMap<string, Buffer>, at: number, what: string): Overrides {
  const overrides: Overrides = {}
  const path = records.get('path')
  const linkPath = records.get('linkpath')
  const realName = records.get('GNU.sparse.name')
  const size = records.get('size')
  if (path !== undefined) overrides.name = path
  if (linkPath !== undefined) overrides.linkName = linkPath
  if (realName !== undefined) overrides.realName = realName
  if (size !== undefined) {
    const text = size.toString('latin1')
    const value = /^[0-9]{1,16}$/.test(text) ? Number(text) : Number.NaN
    if (!Number.isSafeInteger(value))
      throw new HoldfastError('PROVIDER_FAILED', `${what}: the pax header at byte ${at} has the size ${JSON.stringify(text.slice(0, 40))}`)
    overrides.size = value
  }
  return overrides
}

/** Links have no content, whatever their size field says (it may be that of what they point to); other things without content must say 0. */
function bodySize(found: TarHeader, override: number | undefined, scan: Scan): number {
  const size = override ?? found.size
  if (found.flag === '1' || found.flag === '2') return 0
  if (size > 0 && '3456'.includes(found.flag))
    throw broken(scan, `the entry ${JSON.stringify(scan.lastName)} before byte ${scan.position} is no file, but has ${size} bytes`)
  return size
}
