import type { ByteStream, CallOptions, MappedBlocks } from '../blocks.ts'
import { checkedExtents, createFingerprint, sameRuns } from '../checked-extents.ts'
import { type ClusterSet, createClusterSet } from '../cluster-set.ts'
import { type ClusterSum, sumsOf, zeroSum } from '../cluster-sums.ts'
import { checkSize, clusterBytes } from '../clusters.ts'
import { DiskImageError } from '../errors.ts'
import { type Filled, type Run, readAhead } from '../read-ahead.ts'
import { readBuffers } from '../read-buffers.ts'
import { largestDiskBytes, tableEntries } from './format.ts'
import { type BackingFormat, backingNameBytes, encodeHeader, l1EntriesOf } from './header.ts'
import { type Layout, layOut } from './layout.ts'
import { l1Clusters, l2Clusters, refcountBlockClusters, refcountTableClusters } from './tables.ts'

/** What `encodeQcow2` is told. */
export interface EncodeQcow2Options extends CallOptions {
  /** `all`: gaps and zero extents are left out and read as zero. `changes`: gaps are as in the backing file, zero extents become zero clusters that hide it. */
  readonly covers: 'all' | 'changes'
  /** Relative name of the backing file, written into the header for other programs. */
  readonly backing?: string
  /** What the backing file is. Default `qcow2`. */
  readonly backingFormat?: BackingFormat
  /** The sums of all clusters in the file, in order; the stream waits for what it returns. All were given before the stream ends. */
  readonly onSums?: (batch: readonly ClusterSum[]) => Promise<void> | void
}

/** A qcow2 file that is laid out but not written yet. */
export interface EncodedQcow2 {
  /** Exact length in bytes of the stream. */
  readonly size: number
  /** Bytes before the first data cluster. */
  readonly metadataBytes: number
  /** Clusters in the file; their sum is the number of cluster sums. */
  readonly counts: { readonly data: number; readonly zero: number }
  /** The bytes of the file; each call reads the source again. Chunks are large and lent: yours until you ask for the next one. */
  open(options: CallOptions): ByteStream
}

/** What is known of a file before its data is read. */
export interface Plan {
  readonly layout: Layout
  readonly touched: ClusterSet
  readonly counts: { readonly data: number; readonly zero: number }
  readonly fingerprint: string
}

const sumsPerBatch = 4096
const metadataChunk = 16 * clusterBytes

export function checkDiskSize(size: number): void {
  checkSize(size, 'the size of the disk')
  if (size <= largestDiskBytes) return
  throw new DiskImageError('INVALID_OPTIONS', `a disk of ${size} bytes is larger than ${largestDiskBytes}, the most that qcow2 holds here`)
}

/** A full image leaves zeros out. */
export async function* keptRuns(
  source: MappedBlocks,
  covers: 'all' | 'changes',
  options: CallOptions,
): AsyncGenerator<Run, void, undefined> {
  for await (const run of checkedExtents(source, options)) if (run.kind === 'data' || covers === 'changes') yield run
}

/** Asks the extents of a source once. */
export async function plan(source: MappedBlocks, options: CallOptions & { readonly covers: 'all' | 'changes' }): Promise<Plan> {
  const touched = createClusterSet()
  const fingerprint = createFingerprint()
  const counts = { data: 0, zero: 0 }
  let tables = 0
  for await (const run of keptRuns(source, options.covers, options)) {
    fingerprint.add(run)
    counts[run.kind] += run.count
    const last = Math.floor((run.index + run.count - 1) / tableEntries)
    for (let slot = Math.floor(run.index / tableEntries); slot <= last; slot += 1) if (touched.add(slot)) tables += 1
  }
  return { layout: layOut(l1EntriesOf(source.size), tables, counts.data), touched, counts, fingerprint: fingerprint.value() }
}

/** Clusters gathered into large chunks, in a buffer that is used again. */
async function* gathered(clusters: AsyncIterable<Buffer>, buffer: Buffer): AsyncGenerator<Buffer> {
  let used = 0
  for await (const cluster of clusters) {
    cluster.copy(buffer, used)
    used += cluster.length
    if (used < buffer.length) continue
    yield buffer
    used = 0
  }
  if (used > 0) yield buffer.subarray(0, used)
}

function* sumBatches(filled: Filled<readonly Uint8Array[]>): Generator<readonly ClusterSum[]> {
  let batch: ClusterSum[] = []
  let data = 0
  for (const run of filled.runs) {
    for (let index = run.index; index < run.index + run.count; index += 1) {
      batch.push({ index, kind: run.kind, sum: run.kind === 'zero' ? zeroSum : (filled.prepared[data++] as Uint8Array) })
      if (batch.length < sumsPerBatch) continue
      yield batch
      batch = []
    }
  }
  if (batch.length > 0) yield batch
}

/**
 * A disk as a standard qcow2 v3 file with 64 KiB clusters, metadata first, so that it streams anywhere with a length known before the first byte.
 * The extents of the source are asked three times, its data is read once, ahead of the writer. Memory does not depend on the size of the disk. The source stays the caller's.
 * A size that is no multiple of 512 is rounded up in the header, because QEMU counts in sectors; the exact one is kept in a header extension.
 * @throws INVALID_OPTIONS: an extent out of order, unaligned or outside the disk, extents that differ from call to call, a backing name that is not relative. What the source throws passes through; an aborted signal rejects with its reason.
 */
export async function encodeQcow2(source: MappedBlocks, options: EncodeQcow2Options): Promise<EncodedQcow2> {
  checkDiskSize(source.size)
  const backing = options.backing === undefined ? undefined : backingNameBytes(options.backing)
  const { layout, touched, counts, fingerprint } = await plan(source, options)
  const runs = (signal: AbortSignal) => sameRuns(keptRuns(source, options.covers, { signal }), fingerprint)

  async function* metadata({ signal }: CallOptions): AsyncGenerator<Buffer> {
    yield encodeHeader(source.size, layout, backing, undefined, options.backingFormat)
    yield* l1Clusters(layout, touched)
    yield* refcountTableClusters(layout)
    yield* refcountBlockClusters(layout)
    yield* l2Clusters(layout, runs(signal))
  }

  async function* stream({ signal }: CallOptions): AsyncGenerator<Uint8Array> {
    const [buffer] = readBuffers(source.size, 1, Math.min(metadataChunk, layout.dataStart * clusterBytes))
    yield* gathered(metadata({ signal }), buffer as Buffer)
    const { onSums } = options
    const prepare = onSums === undefined ? () => [] : sumsOf
    for await (const filled of readAhead(source, runs(signal), prepare, { signal })) {
      if (onSums !== undefined) for (const batch of sumBatches(filled)) await onSums(batch)
      if (filled.bytes.length > 0) yield filled.bytes
    }
  }

  return {
    size: layout.totalClusters * clusterBytes,
    metadataBytes: layout.dataStart * clusterBytes,
    counts,
    open: ({ signal }) => ({ [Symbol.asyncIterator]: () => stream({ signal }) }),
  }
}
