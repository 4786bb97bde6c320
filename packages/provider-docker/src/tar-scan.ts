import { createHash, type Hash } from 'node:crypto'
import { type ByteStream, HoldfastError } from '@holdfast/core/spec'
import { mountName } from './engine-client.ts'
import { damaged, parseExtendedHeader, parseTarHeader, type TarHeader } from './tar-header.ts'

const metaLimit = 1 << 20

/** What a volume holds, told by its archive. Two archives of equal content have equal summaries, whatever the order of their entries. */
export interface TarSummary {
  readonly entries: number
  readonly hardLinks: number
  /** Bytes of the contents of files. */
  readonly bytes: number
  /** Sums over all entries of the hash of what an entry is, of name and content of the files, and of content alone. */
  readonly entrySum: string
  readonly namedContentSum: string
  readonly contentSum: string
}

/**
 * Looks at every header of a tar before its bytes go on, and refuses one that would reach outside the volume: a name or hard link that is
 * absolute, has a `..`, does not begin with `data`, or leads through a symbolic link of the same archive. Symbolic links themselves may point
 * anywhere: they are content. With `contents` it also hashes the contents. Constant memory but for the names of symbolic links.
 */
export interface TarScan {
  /** Throws PATH_OUTSIDE, POINT_DAMAGED or UNSUPPORTED_FORMAT before the entry at fault is complete in the bytes given. */
  push(chunk: Uint8Array): void
  /** Throws TRUNCATED when the archive has not come to its end marks. */
  finish(): TarSummary
}

interface Overrides {
  pax: ReadonlyMap<string, string>
  longName?: string
  longLink?: string
}

export function createTarScan(options: { readonly contents: boolean }): TarScan {
  const state: ScanState = { header: Buffer.alloc(512), filled: 0, zeroBlocks: 0, overrides: { pax: new Map() } }
  const sums = createSums()
  const names = createNameCheck()
  const begin = (): void => {
    state.filled = 0
    if (state.header.every((byte) => byte === 0)) {
      state.zeroBlocks++
      return
    }
    if (state.zeroBlocks === 1) throw damaged('a single block of zeros lies between two entries')
    const parsed = parseTarHeader(state.header)
    const meta = 'xgLK'.includes(parsed.type)
    if (meta && parsed.size > metaLimit) throw damaged('an extended header is larger than 1 MiB')
    const entry = meta ? parsed : resolve(parsed, state.overrides)
    if (!meta) {
      names.check(entry)
      sums.entry(entry, state.overrides.pax)
      state.overrides = { pax: new Map() }
    }
    const hash = !meta && options.contents && isFile(entry.type) ? createHash('sha256') : undefined
    const { type, name, size } = entry
    state.body = { left: size, padding: -size & 511, type, name, meta: meta ? [] : undefined, hash }
    if (size === 0) endBody(state, sums)
  }
  return {
    push(chunk) {
      for (let at = 0; at < chunk.length && state.zeroBlocks < 2; ) {
        if (state.body) {
          at += takeBody(chunk, at, state.body, state, sums)
          continue
        }
        const part = chunk.subarray(at, at + 512 - state.filled)
        state.header.set(part, state.filled)
        state.filled += part.length
        at += part.length
        if (state.filled === 512) begin()
      }
    },
    finish() {
      if (state.zeroBlocks < 2) throw new HoldfastError('TRUNCATED', 'The archive ends before its end marks.')
      return sums.summary()
    },
  }
}

interface Body {
  left: number
  padding: number
  readonly type: string
  readonly name: string
  readonly meta: Buffer[] | undefined
  readonly hash: Hash | undefined
}
interface ScanState {
  readonly header: Buffer
  filled: number
  zeroBlocks: number
  overrides: Overrides
  body?: Body | undefined
}
type Sums = ReturnType<typeof createSums>

/** How many bytes of the chunk belonged to the entry that is being passed. */
function takeBody(chunk: Uint8Array, at: number, body: Body, state: ScanState, sums: Sums): number {
  if (body.left > 0) {
    const part = chunk.subarray(at, at + Math.min(body.left, chunk.length - at))
    body.left -= part.length
    if (body.meta) body.meta.push(Buffer.from(part))
    else if (isFile(body.type)) sums.bytes(part.length)
    body.hash?.update(part)
    if (body.left === 0) endBody(state, sums)
    return part.length
  }
  const skipped = Math.min(body.padding, chunk.length - at)
  body.padding -= skipped
  if (body.padding === 0) state.body = undefined
  return skipped
}

function endBody(state: ScanState, sums: Sums): void {
  const { body } = state
  if (!body) return
  if (body.meta) state.overrides = readMeta(body.type, Buffer.concat(body.meta), state.overrides)
  else if (isFile(body.type)) sums.content(body.name, body.hash)
  if (body.padding === 0) state.body = undefined
}

/** The stream as it is, each chunk looked at before it goes on. `onEnd` gets the summary when all has passed and the end was proven. */
export function scanned(source: ByteStream, options: { readonly contents: boolean; onEnd?(summary: TarSummary): void }): ByteStream {
  return {
    async *[Symbol.asyncIterator]() {
      const scan = createTarScan(options)
      for await (const chunk of source) {
        scan.push(chunk)
        yield chunk
      }
      const summary = scan.finish()
      options.onEnd?.(summary)
    },
  }
}

/** Reads an archive to its end for what it tells. */
export async function summarize(source: ByteStream & AsyncDisposable, options: { readonly contents: boolean }): Promise<TarSummary> {
  try {
    const scan = createTarScan(options)
    for await (const chunk of source) scan.push(chunk)
    return scan.finish()
  } finally {
    await source[Symbol.asyncDispose]()
  }
}

/**
 * Equal content? With hard links the engine may name another of the names first, so then contents are compared without their names;
 * the names are compared in any case.
 */
export function sameContent(left: TarSummary, right: TarSummary): boolean {
  const linked = left.hardLinks > 0 || right.hardLinks > 0
  const key = (summary: TarSummary): string =>
    [summary.entries, summary.hardLinks, summary.bytes, summary.entrySum, summary.contentSum, linked ? '' : summary.namedContentSum].join()
  return key(left) === key(right)
}

const isFile = (type: string): boolean => type === '0' || type === '7'

function readMeta(type: string, bytes: Buffer, before: Overrides): Overrides {
  if (type === 'x') return { ...before, pax: parseExtendedHeader(bytes) }
  if (type === 'g') {
    const records = parseExtendedHeader(bytes)
    if (['path', 'linkpath', 'size'].some((key) => records.has(key))) throw damaged('a global header sets a name or a size')
    return before
  }
  const end = bytes.indexOf(0)
  const value = bytes.toString('latin1', 0, end === -1 ? bytes.length : end)
  return type === 'L' ? { ...before, longName: value } : { ...before, longLink: value }
}

/** The entry as the engine takes it: GNU long names go before extended headers, those before the header block. */
function resolve(header: TarHeader, { pax, longName, longLink }: Overrides): TarHeader {
  if (!'01234567'.includes(header.type))
    throw new HoldfastError(
      'UNSUPPORTED_FORMAT',
      `The archive has an entry of type ${JSON.stringify(header.type)} (${shown(header.name)}), which is not restored.`,
    )
  const name = longName || pax.get('GNU.sparse.name') || pax.get('path') || header.name
  const size = whole(pax.get('size')) ?? header.size
  if (size > 0 && (!isFile(header.type) || name.endsWith('/'))) throw damaged(`${shown(name)} is no file but has content`)
  return {
    ...header,
    name,
    size,
    link: longLink || pax.get('linkpath') || header.link,
    uid: whole(pax.get('uid')) ?? header.uid,
    gid: whole(pax.get('gid')) ?? header.gid,
    mtime: Math.floor(Number(pax.get('mtime') ?? header.mtime)),
  }
}

function whole(value: string | undefined): number | undefined {
  if (value === undefined) return undefined
  const number = Number(value)
  if (!/^\d+$/.test(value) || !Number.isSafeInteger(number)) throw damaged(`${JSON.stringify(value)} is not a number`)
  return number
}

export const shown = (name: string): string => JSON.stringify(Buffer.from(name, 'latin1').toString().slice(0, 300))

function createNameCheck(): { check(entry: TarHeader): void } {
  const symbolicLinks = new Set<string>()
  const outside = (what: string, name: string): HoldfastError =>
    new HoldfastError('PATH_OUTSIDE', `The archive holds ${what} that leads out of the volume: ${shown(name)}.`)
  const clean = (what: string, name: string): string => {
    const parts = name.split('/').filter((part) => part !== '' && part !== '.')
    if (name.startsWith('/') || name.includes('\0') || parts.includes('..') || parts[0] !== mountName) throw outside(what, name)
    if (symbolicLinks.size > 0)
      for (let length = 1; length < parts.length; length++)
        if (symbolicLinks.has(parts.slice(0, length).join('/'))) throw outside('a name through a symbolic link', name)
    return parts.join('/')
  }
  return {
    check(entry) {
      const name = clean('a name', entry.name)
      // The folder of the volume itself must stay one: as a file it would make the engine empty the volume, as a link lead out of it.
      if (name === mountName && entry.type !== '5' && !(entry.type === '0' && entry.name.endsWith('/')))
        throw outside('an entry in place of the volume itself', entry.name)
      if (entry.type === '1') {
        const target = clean('a hard link', entry.link)
        if (symbolicLinks.has(target)) symbolicLinks.add(name)
      } else if (entry.type === '2') symbolicLinks.add(name)
      else symbolicLinks.delete(name)
    },
  }
}

function createSums() {
  const totals = { entries: 0, hardLinks: 0, bytes: 0 }
  const entrySum = new Uint32Array(8)
  const namedContentSum = new Uint32Array(8)
  const contentSum = new Uint32Array(8)
  const add = (sum: Uint32Array, digest: Buffer): void => {
    for (let lane = 0; lane < 8; lane++) sum[lane] = (sum[lane] ?? 0) + digest.readUInt32LE(lane * 4)
  }
  const digest = (...parts: readonly (string | number | Buffer)[]): Buffer => {
    const hash = createHash('sha256')
    for (const part of parts) hash.update(Buffer.isBuffer(part) ? part : Buffer.from(`${part}\0`, 'latin1'))
    return hash.digest()
  }
  const path = (name: string): string => name.replace(/\/+$/, '')
  return {
    entry(entry: TarHeader, pax: ReadonlyMap<string, string>): void {
      totals.entries++
      if (entry.type === '1') totals.hardLinks++
      // A hard link is one more name of a file; which of the names comes first is no difference. Times before 1970 are not kept by the engine.
      const type = entry.type === '1' || entry.type === '7' ? '0' : entry.type
      const device = type === '3' || type === '4' ? entry.device : ''
      const link = type === '2' ? entry.link : ''
      const capability = pax.get('SCHILY.xattr.security.capability') ?? ''
      const { mode, uid, gid } = entry
      add(entrySum, digest(type, path(entry.name), mode & 0o7777, uid, gid, Math.max(0, entry.mtime), link, device, capability))
    },
    bytes(count: number): void {
      totals.bytes += count
    },
    content(name: string, hash: Hash | undefined): void {
      if (!hash) return
      const content = hash.digest()
      add(contentSum, content)
      add(namedContentSum, digest(path(name), content))
    },
    summary(): TarSummary {
      const hex = (sum: Uint32Array): string => Buffer.from(sum.buffer).toString('hex')
      return { ...totals, entrySum: hex(entrySum), namedContentSum: hex(namedContentSum), contentSum: hex(contentSum) }
    },
  }
}
