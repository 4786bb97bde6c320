import { isUtf8 } from 'node:buffer'
import { HoldfastError } from '../spec/errors.ts'
import type { TarEntry } from '../spec/helpers/tar/index.ts'
import type { ArchiveEntry } from '../spec/restore.ts'

/** An entry as the index tells it. */
export interface IndexedEntry extends ArchiveEntry {
  /** The bytes of the name, when they are not UTF-8: `name` then shows each wrong byte as U+FFFD. */
  readonly nameBytes?: Uint8Array
}

/**
 * The entry index of an archive: JSON lines, one per entry in the order of the archive, `{"name","type","size","offset"}` (a name that is not UTF-8:
 * `nameBase64` instead of `name`), and at the end `{"entries": <how many>}`. A function of the archive: verify makes it again and compares.
 */
export interface IndexWriter {
  add(entry: Pick<TarEntry, 'name' | 'type' | 'size' | 'offset'>): void
  /** What was added since the last call. */
  take(): Buffer
  /** The rest, with the last line. */
  end(): Buffer
}

export function createIndexWriter(): IndexWriter {
  let lines: string[] = []
  let count = 0
  const take = (): Buffer => {
    const bytes = Buffer.from(lines.join(''))
    lines = []
    return bytes
  }
  return {
    add({ name, type, size, offset }) {
      count++
      const bytes = Buffer.from(name.buffer, name.byteOffset, name.byteLength)
      const named = isUtf8(bytes) ? { name: bytes.toString('utf8') } : { nameBase64: bytes.toString('base64') }
      lines.push(`${JSON.stringify({ ...named, type, size, offset })}\n`)
    },
    take,
    end() {
      lines.push(`${JSON.stringify({ entries: count })}\n`)
      return take()
    },
  }
}

/** Longest line we read: a name of 1 MiB, written as base64 or with escapes. */
const maximumLine = 8 * 1024 * 1024

/** The entries of an index. Throws POINT_DAMAGED when a line is not what {@link createIndexWriter} writes, or the last line is missing. */
export async function* readIndex(chunks: AsyncIterable<Uint8Array>, file: string): AsyncGenerator<IndexedEntry, void, undefined> {
  const damaged = (why: string) => new HoldfastError('POINT_DAMAGED', `${file}: ${why}`)
  let count = 0
  let ended = false
  for await (const line of lines(chunks, damaged)) {
    if (ended) throw damaged('the index goes on after its last line')
    const record = parseLine(line, damaged)
    if (typeof record === 'number') {
      if (record !== count) throw damaged(`the index has ${count} entries, its last line says ${record}`)
      ended = true
      continue
    }
    count++
    yield record
  }
  if (!ended) throw damaged(`the index ends after ${count} entries without its last line`)
}

async function* lines(chunks: AsyncIterable<Uint8Array>, damaged: (why: string) => Error): AsyncGenerator<string, void, undefined> {
  let rest: Buffer = Buffer.alloc(0)
  for await (const chunk of chunks) {
    const bytes = rest.length > 0 ? Buffer.concat([rest, chunk]) : Buffer.from(chunk)
    let start = 0
    for (let end = bytes.indexOf(10); end >= 0; end = bytes.indexOf(10, start)) {
      yield bytes.toString('utf8', start, end)
      start = end + 1
    }
    rest = bytes.subarray(start)
    if (rest.length > maximumLine) throw damaged(`a line of more than ${maximumLine} bytes`)
  }
  if (rest.length > 0) throw damaged('the index ends in the middle of a line')
}

function parseLine(line: string, damaged: (why: string) => Error): IndexedEntry | number {
  let parsed: unknown
  try {
    parsed = JSON.parse(line)
  } catch {
    throw damaged(`a line is not JSON: ${line.slice(0, 80)}`)
  }
  const value = (typeof parsed === 'object' && parsed !== null ? parsed : {}) as { readonly [key: string]: unknown }
  if (typeof value.entries === 'number') return value.entries
  const { name, nameBase64, type, size, offset } = value
  const named = typeof name === 'string' || typeof nameBase64 === 'string'
  if (!named || typeof type !== 'string' || !Number.isSafeInteger(size) || !Number.isSafeInteger(offset))
    throw damaged(`a line is not an entry: ${line.slice(0, 80)}`)
  const numbers = { type, size: size as number, offset: offset as number }
  if (typeof name === 'string') return { name, ...numbers }
  const nameBytes = Buffer.from(nameBase64 as string, 'base64')
  return { name: nameBytes.toString('utf8'), ...numbers, nameBytes }
}
