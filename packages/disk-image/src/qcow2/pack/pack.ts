import type { CallOptions, MappedBlocks } from '../../blocks.ts'
import { otherExtents, sameRuns } from '../../checked-extents.ts'
import type { ClusterSum } from '../../cluster-sums.ts'
import { clusterBytes } from '../../clusters.ts'
import { DiskImageError } from '../../errors.ts'
import type { Run } from '../../read-ahead.ts'
import type { ClusterCodec } from '../decompress.ts'
import { checkDiskSize, keptRuns, type Plan, plan } from '../encode.ts'
import { backingNameBytes, encodeHeader } from '../header.ts'
import { chunkSums } from './chunk-sums.ts'
import { createImageWriter } from './image-writer.ts'
import type { WriteAt } from './metadata-writers.ts'
import { packedChunks } from './packed-chunks.ts'
import { createSharedSlots, slotClusters, slotsOf } from './shared-slots.ts'
import type { PackTarget } from './target.ts'
import { startWorkerPool } from './worker-pool.ts'

/** What `packQcow2` is told. */
export interface PackQcow2Options extends CallOptions {
  /** `all`: gaps and zeros are left out and read as zero. `changes`: gaps are as in the backing file, zeros become zero clusters that hide it. */
  readonly covers: 'all' | 'changes'
  /** Relative name of the backing file, written into the header for other programs. */
  readonly backing?: string
  /** `deflate`: what every program that knows qcow2 reads. `zstd`: smaller and three times as fast, read by QEMU 5.1 and newer. */
  readonly codec: 'deflate' | 'zstd'
  /** Threads that pack, 1 to 64; more than the machine has cores are of no use. Default 2. */
  readonly workers?: number
  /** The sums of all clusters in the file, in order; the image waits for what it returns. All were given before the call resolves. */
  readonly onSums?: (batch: readonly ClusterSum[]) => Promise<void> | void
}

/** A packed image that has been written. */
export interface PackedQcow2 {
  /** Length of the file in bytes. */
  readonly size: number
  /** Bytes before the first data cluster. */
  readonly metadataBytes: number
  /** Clusters in the file; their sum is the number of cluster sums. `plain`: those that could not be packed. */
  readonly counts: { readonly packed: number; readonly plain: number; readonly zero: number }
  /** Bytes of the disk that the file holds as data, and the bytes of the file that they take. */
  readonly dataBytes: number
  readonly storedBytes: number
}

const mostWorkers = 64
const codecs: readonly string[] = ['deflate', 'zstd'] satisfies readonly ClusterCodec[]

function checkOptions({ codec, workers = 2 }: PackQcow2Options): number {
  if (!codecs.includes(codec)) throw new DiskImageError('INVALID_OPTIONS', `codec is ${JSON.stringify(codec)}, not "deflate" or "zstd"`)
  if (Number.isInteger(workers) && workers >= 1 && workers <= mostWorkers) return workers
  throw new DiskImageError('INVALID_OPTIONS', `workers is ${workers}, not a whole number from 1 to ${mostWorkers}`)
}

/** There is memory, and a place in the layout, for as much data as was planned. */
async function* plannedRuns(runs: AsyncIterable<Run>, { counts, fingerprint }: Plan): AsyncGenerator<Run, void, undefined> {
  let data = 0
  for await (const run of sameRuns(runs, fingerprint)) {
    if (run.kind === 'data') data += run.count
    if (data > counts.data) throw otherExtents()
    yield run
  }
}

/**
 * Writes a disk as a qcow2 v3 file of packed clusters: each for itself, in threads; what cannot be packed stays plain. Header and tables lie in front of the data, as in a
 * file of `encodeQcow2`; the header is written last, so a file that was cut is no image. The same source gives the same bytes, whatever the number of workers.
 * The extents of the source are asked twice, its data is read once, ahead of the threads. Memory does not depend on the size of the disk: 8 MiB of buffers, and for each worker 6 MiB and
 * what a thread takes, about 30 MiB. Source and target stay the caller's; nobody makes the file durable.
 * When it rejects, all threads have ended, and no read or write is under way. The file is then worthless; the call may be repeated into an empty one.
 * @throws INVALID_OPTIONS: an extent out of order, unaligned or outside the disk, extents that differ from call to call, a backing name that is not relative, an unknown codec. INTERNAL: a thread has died. What source and target throw passes through; an aborted signal rejects with its reason.
 */
export async function packQcow2(source: MappedBlocks, target: PackTarget, options: PackQcow2Options): Promise<PackedQcow2> {
  const { covers, codec, signal, onSums } = options
  const wanted = checkOptions(options)
  checkDiskSize(source.size)
  const backing = options.backing === undefined ? undefined : backingNameBytes(options.backing)
  const planned = await plan(source, options)
  const { layout, touched, counts } = planned
  const write: WriteAt = async (bytes, offset) => {
    signal.throwIfAborted()
    await target.write(bytes, offset, { signal })
  }
  const image = await createImageWriter(layout, touched, covers, write)
  const workers = Math.min(wanted, Math.ceil(counts.data / slotClusters))
  // One slot that is packed and some that wait for each worker: what packs at once must not leave a thread without work while megabytes are read and written.
  const shared = createSharedSlots(6 * workers + 4)
  const pool = startWorkerPool(workers, { shared, codec, withSums: onSums !== undefined })
  try {
    const runs = plannedRuns(keptRuns(source, covers, { signal }), planned)
    for await (const chunk of packedChunks(source, runs, slotsOf(shared), pool, { signal })) {
      if (onSums !== undefined) for (const batch of chunkSums(chunk, covers)) await onSums(batch)
      await image.add(chunk)
    }
  } finally {
    await pool[Symbol.asyncDispose]()
  }
  const { size, counts: written } = await image.end()
  await write(encodeHeader(source.size, layout, backing, codec), 0)
  const metadataBytes = layout.dataStart * clusterBytes
  return {
    size,
    metadataBytes,
    counts: written,
    dataBytes: (written.packed + written.plain) * clusterBytes,
    storedBytes: size - metadataBytes,
  }
}
