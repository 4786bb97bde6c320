import type { CallOptions, MappedBlocks } from '../blocks.ts'
import { checkedExtents } from '../checked-extents.ts'
import { checkSize, clusterBytes } from '../clusters.ts'
import { type Run, readAhead } from '../read-ahead.ts'

/** A piece of a disk that is not known to be zero. */
export interface RawExtent {
  /** On the disk, bytes. */
  readonly offset: number
  /** Lent: yours until you ask for the next one. */
  readonly bytes: Uint8Array
}

/** Zeros are left out. */
async function* dataRuns(source: MappedBlocks, options: CallOptions): AsyncGenerator<Run, void, undefined> {
  for await (const run of checkedExtents(source, options)) if (run.kind === 'data') yield run
}

/**
 * The data of a disk in guest order, for whoever writes by position: what lies between is zero and need not be written. The bytes are read ahead of the
 * reader, as many reads at once as the source allows, and lie within the disk. Memory does not depend on the size of the disk. The source stays the caller's.
 * @throws INVALID_OPTIONS: an extent out of order, unaligned or outside the disk. What the source throws passes through; an aborted signal rejects with its reason.
 */
export async function* rawExtents(source: MappedBlocks, { signal }: CallOptions): AsyncGenerator<RawExtent, void, undefined> {
  checkSize(source.size, 'the size of the disk')
  for await (const { runs, bytes } of readAhead(source, dataRuns(source, { signal }), () => undefined, { signal })) {
    let at = 0
    for (const { index, count } of runs) {
      const offset = index * clusterBytes
      const length = count * clusterBytes
      signal.throwIfAborted()
      yield { offset, bytes: bytes.subarray(at, at + Math.min(length, source.size - offset)) }
      at += length
    }
  }
}
