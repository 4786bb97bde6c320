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

export function createTarScanner({ what, onEntry }: { readonly what: string; onEntry?(entry: TarEntry): void }): TarScanner {
  const partial = Buffer.alloc(tarBlock)
  let partialLength = 0
  let position = 0
  let expecting: Expecting = 'header'
  let remaining = 0
  let extra: { readonly flag: string; readonly size: number; readonly at: number; readonly parts: Buffer[] } | undefined
  let sparse: TarHeader | undefined
  let global: Overrides = {}
  let local: Overrides = {}
  let lastName = ''

  function take(body: Buffer, flag: string, at: number): void {
    if (flag === 'L') local.name = withoutZeros(body)
    else if (flag === 'K') local.linkName = withoutZeros(body)
    else {
      const records = overridesOf(parsePaxRecords(body, at, what), at, what)
      if (flag === 'g') global = { ...global, ...records }
      else local = { ...local, ...records }
    }
  }

  function entry(header: TarHeader): void {
    const own = { ...global, ...local }
    local = {}
    const name = own.realName ?? own.name ?? header.name
    // An L or K block of GNU comes before the entry only; a pax path wins over it, because it comes later.
    lastName = name.toString('utf8')
    checkInside(name, `${what}: entry`)
    if (header.flag === '1') checkInside(own.linkName ?? header.linkName, `${what}: hard link ${JSON.stringify(lastName)} to`)
    const size = bodySize(header, own.size, position, what)
    onEntry?.({ name, type: types[header.flag] ?? `type-${header.flag}`, size, offset: position })
    body(size)
  }

  function body(size: number): void {
    remaining = Math.ceil(size / tarBlock) * tarBlock
    expecting = remaining > 0 ? 'body' : 'header'
  }

  function header(block: Buffer): void {
    const at = position - tarBlock
    if (block[0] === 0 && isZeroBlock(block)) {
      expecting = 'second-zero'
      return
    }
    const parsed = parseTarHeader(block, at, what)
    if ('LKxgX'.includes(parsed.flag)) {
      if (parsed.size > maximumExtra)
        throw new HoldfastError(
          'PROVIDER_FAILED',
          `${what}: the tar header at byte ${at} announces ${parsed.size} bytes of long names, more than ${maximumExtra}`,
        )
      extra = { flag: parsed.flag, size: parsed.size, at, parts: [] }
      remaining = Math.ceil(parsed.size / tarBlock) * tarBlock
      expecting = 'extra'
      if (remaining === 0) endExtra()
    } else if (parsed.sparseContinues) {
      sparse = { ...parsed, name: Buffer.from(parsed.name), linkName: Buffer.from(parsed.linkName) }
      expecting = 'sparse-map'
    } else entry(parsed)
  }

  function endExtra(): void {
    if (extra === undefined) return
    take(Buffer.concat(extra.parts).subarray(0, extra.size), extra.flag, extra.at)
    extra = undefined
    expecting = 'header'
  }

  function block(bytes: Buffer): void {
    if (expecting === 'header') header(bytes)
    else if (expecting === 'sparse-map') {
      if (bytes[504] !== 1 && sparse !== undefined) entry(sparse)
    } else if (isZeroBlock(bytes)) expecting = 'padding'
    else
      throw new HoldfastError(
        'PROVIDER_FAILED',
        `${what}: one block of zeros at byte ${position - 2 * tarBlock}, then more: an archive ends with two`,
      )
  }

  /** Bytes that need not be a whole block. Returns how many were used. */
  function run(chunk: Buffer, at: number): number {
    const part = chunk.subarray(at, expecting === 'padding' ? undefined : at + remaining)
    if (expecting === 'padding') {
      if (part.length > 0 && !isZeroBlock(part))
        throw new HoldfastError('PROVIDER_FAILED', `${what}: there are bytes after the end of the archive, after byte ${position}`)
    } else {
      if (expecting === 'extra') extra?.parts.push(Buffer.from(part))
      remaining -= part.length
    }
    position += part.length
    if (remaining === 0 && expecting === 'extra') endExtra()
    else if (remaining === 0 && expecting === 'body') expecting = 'header'
    return part.length
  }

  /** A whole block, put together from several chunks when it has to be. Returns how many bytes were used. */
  function step(chunk: Buffer, at: number): number {
    const wanted = tarBlock - partialLength
    const part = chunk.subarray(at, at + wanted)
    position += part.length
    if (partialLength === 0 && part.length === tarBlock) block(part)
    else {
      partial.set(part, partialLength)
      partialLength += part.length
      if (partialLength < tarBlock) return part.length
      partialLength = 0
      block(partial)
    }
    return part.length
  }

  return {
    write(bytes) {
      const chunk = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength)
      for (let at = 0; at < chunk.length; ) {
        at += expecting === 'body' || expecting === 'extra' || expecting === 'padding' ? run(chunk, at) : step(chunk, at)
      }
    },
    end() {
      if (expecting === 'padding') return
      const last = lastName === '' ? '' : `; the last entry was ${JSON.stringify(lastName)}`
      throw new HoldfastError('TRUNCATED', `${what}: the archive ends after ${position} bytes without its two end blocks${last}`)
    },
  }
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
function bodySize(header: TarHeader, override: number | undefined, position: number, what: string): number {
  const size = override ?? header.size
  if (header.flag === '1' || header.flag === '2') return 0
  if (size > 0 && '3456'.includes(header.flag))
    throw new HoldfastError('PROVIDER_FAILED', `${what}: the entry before byte ${position} is no file, but has ${size} bytes`)
  return size
}
