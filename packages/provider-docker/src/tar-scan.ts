import { createHash, type Hash } from 'node:crypto'
import {
  type ByteStream,
  createTarScanner,
  HoldfastError,
  readTarAttributes,
  type TarAttributes,
  type TarContext,
  type TarEntry,
  type TarHeader,
} from '@holdfast/core/spec'
import { mountName } from './engine-client.ts'

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

const context: TarContext = { what: 'volume archive', code: 'POINT_DAMAGED' }

/** Texts are bytes as latin1, so that no name is changed. */
interface Entry extends TarAttributes {
  readonly flag: string
  readonly name: string
  readonly link: string
  readonly capability: string
}

export function createTarScan(options: { readonly contents: boolean }): TarScan {
  const sums = createSums()
  const names = createNameCheck()
  let file: { readonly name: string; readonly hash: Hash | undefined } | undefined
  const endFile = (): void => {
    if (file) sums.content(file.name, file.hash)
    file = undefined
  }
  const scanner = createTarScanner({
    ...context,
    onHeader: refuseKind,
    onEntry(found) {
      endFile()
      const entry = entryOf(found)
      names.check(entry)
      refuseContent(found, entry)
      sums.entry(entry)
      if (isFile(entry.flag)) file = { name: entry.name, hash: options.contents ? createHash('sha256') : undefined }
    },
    onContent(bytes) {
      sums.bytes(bytes.length)
      file?.hash?.update(bytes)
    },
  })
  return {
    push: (chunk) => scanner.write(chunk),
    finish() {
      scanner.end()
      endFile()
      return sums.summary()
    },
  }
}

function damaged(message: string): HoldfastError {
  return new HoldfastError('POINT_DAMAGED', `The archive cannot be read: ${message}.`)
}

/** Kinds of headers that the engine does not read, or reads as something else. */
function refuseKind({ flag, format, name }: TarHeader): void {
  if (format === 'unknown') throw damaged('a header is of an unknown kind')
  if (format === 'star') throw damaged('a header is of the kind of star, which is not read')
  if (!'01234567xgLK'.includes(flag)) throw unsupported(`of type ${JSON.stringify(flag)}`, latin1(name))
}

const unsupported = (kind: string, name: string): HoldfastError =>
  new HoldfastError('UNSUPPORTED_FORMAT', `The archive has an entry ${kind} (${shown(name)}), which is not restored.`)

const latin1 = (bytes: Uint8Array): string => Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength).toString('latin1')

function entryOf(found: TarEntry): Entry {
  const capability = found.pax.get('SCHILY.xattr.security.capability')
  return {
    ...readTarAttributes(found, context),
    flag: found.header.flag,
    name: latin1(found.name),
    link: latin1(found.linkName),
    capability: capability ? latin1(capability) : '',
  }
}

/** The engine never writes sparse files of pax, and reads some of those as plain files with another name. */
function refuseContent({ pax, size, header }: TarEntry, { flag, name }: Entry): void {
  for (const key of pax.keys()) if (key.startsWith('GNU.sparse.')) throw unsupported('that is a sparse file', name)
  const stated = isFile(flag) ? size : header.size
  if (stated > 0 && (!isFile(flag) || name.endsWith('/'))) throw damaged(`${shown(name)} is no file but has content`)
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

const isFile = (flag: string): boolean => flag === '0' || flag === '7'

export const shown = (name: string): string => JSON.stringify(Buffer.from(name, 'latin1').toString().slice(0, 300))

function createNameCheck(): { check(entry: Entry): void } {
  const symbolicLinks = new Set<string>()
  const outside = (what: string, name: string): HoldfastError =>
    new HoldfastError('PATH_OUTSIDE', `The archive holds ${what} that leads out of the volume: ${shown(name)}.`)
  const clean = (what: string, name: string): string => {
    const parts = name.split('/').filter((part) => part !== '' && part !== '.')
    if (name.startsWith('/') || parts.includes('..') || parts[0] !== mountName) throw outside(what, name)
    if (symbolicLinks.size > 0)
      for (let length = 1; length < parts.length; length++)
        if (symbolicLinks.has(parts.slice(0, length).join('/'))) throw outside('a name through a symbolic link', name)
    return parts.join('/')
  }
  return {
    check(entry) {
      const name = clean('a name', entry.name)
      // The folder of the volume itself must stay one: as a file it would make the engine empty the volume, as a link lead out of it.
      if (name === mountName && entry.flag !== '5' && !(entry.flag === '0' && entry.name.endsWith('/')))
        throw outside('an entry in place of the volume itself', entry.name)
      if (entry.flag === '1') {
        const target = clean('a hard link', entry.link)
        if (symbolicLinks.has(target)) symbolicLinks.add(name)
      } else if (entry.flag === '2') symbolicLinks.add(name)
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
    entry(entry: Entry): void {
      totals.entries++
      if (entry.flag === '1') totals.hardLinks++
      // A hard link is one more name of a file; which of the names comes first is no difference. Times before 1970 are not kept by the engine.
      const type = entry.flag === '1' || entry.flag === '7' ? '0' : entry.flag
      const device = type === '3' || type === '4' ? entry.device : ''
      const link = type === '2' ? entry.link : ''
      const { mode, uid, gid, modified, capability } = entry
      add(entrySum, digest(type, path(entry.name), mode & 0o7777, uid, gid, Math.max(0, modified), link, device, capability))
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
