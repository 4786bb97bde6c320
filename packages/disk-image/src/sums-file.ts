import type { BlockSource, ByteStream, CallOptions } from './blocks.ts'
import type { ClusterSum, SumBatches } from './cluster-sums.ts'
import { checkSize, clustersOf } from './clusters.ts'
import { disposeOnce, takeOver } from './dispose.ts'
import { DiskImageError } from './errors.ts'
import {
  checkRecords,
  encodeSumsHeader,
  headerBytes,
  parseSumsHeader,
  readIndex,
  readRecord,
  recordBytes,
  type SumsHeader,
  writeRecord,
} from './sums-format.ts'

/** The sums of one image file, in the file beside it. */
export interface SumsFile extends AsyncDisposable {
  /** Virtual size of the disk in bytes. */
  readonly size: number
  /** Number of sums. */
  readonly count: number
  /** All sums in order. Every record is checked as it passes. */
  batches(options: CallOptions): SumBatches
  /** The sum of one cluster, undefined when the image does not hold it. Asking in order is cheap. */
  find(index: number, options: CallOptions): Promise<ClusterSum | undefined>
}

/** Records in one read: 24 KiB. */
const pageRecords = 1024
/** As objects they take ten times as much, and a merge has some of each layer at once. */
const batchRecords = 128
const pagesKept = 8

/**
 * Sums as a file; the layout is in the README of this package.
 * @throws INVALID_OPTIONS, in the stream: sums out of order, outside the disk, or not `count` of them.
 */
export function encodeSums(header: SumsHeader, batches: SumBatches): { readonly size: number; readonly bytes: ByteStream } {
  checkSize(header.size, 'the size of the disk')
  checkSize(header.count, 'the count of sums')
  return { size: headerBytes + header.count * recordBytes, bytes: { [Symbol.asyncIterator]: () => encoded(header, batches) } }
}

async function* encoded({ size, count }: SumsHeader, batches: SumBatches): AsyncGenerator<Uint8Array, void, undefined> {
  yield encodeSumsHeader({ size, count })
  const page = Buffer.allocUnsafeSlow(pageRecords * recordBytes)
  let used = 0
  let seen = 0
  let previous = -1
  for await (const batch of batches) {
    for (const record of batch) {
      if (record.index <= previous || record.index >= clustersOf(size) || seen === count) {
        throw new DiskImageError(
          'INVALID_OPTIONS',
          `sum ${seen} of ${count}, of cluster ${record.index} after ${previous}, does not belong to a disk of ${size} bytes`,
        )
      }
      writeRecord(page, used, record)
      used += recordBytes
      seen += 1
      previous = record.index
      if (used < page.length) continue
      yield page
      used = 0
    }
  }
  if (seen !== count) throw new DiskImageError('INVALID_OPTIONS', `there are ${seen} sums, ${count} were announced`)
  if (used > 0) yield page.subarray(0, used)
}

/** Pages read for `find`, as they lie in the file, because as objects they would take many times as much: the newest few, and the first index of every page that was ever read. */
function createPages(source: BlockSource, header: SumsHeader) {
  const pageCount = Math.ceil(header.count / pageRecords)
  const firsts = new Map<number, number>()
  const kept = new Map<number, Promise<Buffer>>()
  const bytesOf = async (page: number, options: CallOptions) => {
    const buffer = Buffer.allocUnsafeSlow(Math.min(pageRecords, header.count - page * pageRecords) * recordBytes)
    await source.readInto(buffer, headerBytes + page * pageRecords * recordBytes, options)
    return buffer
  }
  const read = async (page: number, options: CallOptions) => {
    const bytes = await bytesOf(page, options)
    checkRecords(bytes, page * pageRecords, -1, header)
    return bytes
  }
  return {
    count: pageCount,
    async first(page: number, options: CallOptions): Promise<number> {
      const known = firsts.get(page)
      if (known !== undefined) return known
      const record = Buffer.alloc(recordBytes)
      await source.readInto(record, headerBytes + page * pageRecords * recordBytes, options)
      const index = readIndex(record, 0)
      firsts.set(page, index)
      return index
    },
    async records(page: number, options: CallOptions): Promise<Buffer> {
      const known = kept.get(page)
      // Whoever shares a read must not share the abort of the reader that began it.
      if (known !== undefined) return known.catch(() => read(page, options))
      const records = read(page, options)
      kept.set(page, records)
      records.catch(() => kept.delete(page))
      const oldest = kept.keys().next()
      if (kept.size > pagesKept && !oldest.done) kept.delete(oldest.value)
      return records
    },
  }
}

/** Index of the last of `count` ascending values that is not above `wanted`, -1 when all are above. */
async function lastNotAbove(count: number, wanted: number, valueAt: (position: number) => number | Promise<number>): Promise<number> {
  let low = -1
  let high = count - 1
  while (low < high) {
    const middle = Math.ceil((low + high) / 2)
    if ((await valueAt(middle)) <= wanted) low = middle
    else high = middle - 1
  }
  return low
}

const countIn = (page: Buffer): number => page.length / recordBytes

function findIn(page: Buffer, index: number): ClusterSum | undefined {
  let low = 0
  let high = countIn(page) - 1
  while (low <= high) {
    const middle = (low + high) >> 1
    const found = readIndex(page, middle)
    if (found === index) return readRecord(page, middle)
    if (found < index) low = middle + 1
    else high = middle - 1
  }
  return undefined
}

async function* allBatches(
  source: BlockSource,
  header: SumsHeader,
  options: CallOptions,
): AsyncGenerator<readonly ClusterSum[], void, undefined> {
  let previous = -1
  for (let first = 0; first < header.count; first += pageRecords) {
    options.signal.throwIfAborted()
    const page = Buffer.allocUnsafeSlow(Math.min(pageRecords, header.count - first) * recordBytes)
    await source.readInto(page, headerBytes + first * recordBytes, options)
    checkRecords(page, first, previous, header)
    const count = countIn(page)
    for (let start = 0; start < count; start += batchRecords)
      yield Array.from({ length: Math.min(batchRecords, count - start) }, (_, record) => readRecord(page, start + record))
    previous = readIndex(page, count - 1)
  }
}

/**
 * Opens a sums file. Takes the source over.
 * @throws UNSUPPORTED_FORMAT: not a sums file, or of a newer version. IMAGE_DAMAGED: contradicts itself or the length of the file, here or when a record is read. An aborted signal rejects with its reason.
 */
export function openSums(source: BlockSource, options: CallOptions): Promise<SumsFile> {
  return takeOver(source, async () => {
    options.signal.throwIfAborted()
    const start = Buffer.alloc(Math.min(source.size, headerBytes))
    await source.readInto(start, 0, options)
    const header = parseSumsHeader(start, source.size)
    const pages = createPages(source, header)
    let latest = 0
    return {
      ...header,
      batches: ({ signal }) => ({ [Symbol.asyncIterator]: () => allBatches(source, header, { signal }) }),
      async find(index, { signal }) {
        signal.throwIfAborted()
        if (pages.count === 0) return undefined
        // Reads go forward: first look at the page of the last answer, then anywhere.
        const near = latest
        const records = await pages.records(near, { signal })
        if (readIndex(records, 0) <= index && index <= readIndex(records, countIn(records) - 1)) return findIn(records, index)
        const page = await lastNotAbove(pages.count, index, (position) => pages.first(position, { signal }))
        if (page < 0) return undefined
        latest = page
        return findIn(await pages.records(page, { signal }), index)
      },
      [Symbol.asyncDispose]: disposeOnce([source]),
    }
  })
}
