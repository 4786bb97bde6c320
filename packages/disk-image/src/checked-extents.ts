import { createHash } from 'node:crypto'
import type { CallOptions, Extent, MappedBlocks } from './blocks.ts'
import { clusterBytes, clustersOf } from './clusters.ts'
import { DiskImageError } from './errors.ts'
import type { Run } from './read-ahead.ts'

function refuse(extent: Extent, size: number, why: string): DiskImageError {
  const { offset, length, kind } = extent
  return new DiskImageError('INVALID_OPTIONS', `extent ${kind} ${offset}+${length} of a disk of ${size} bytes ${why}`, {
    details: { offset, length, size },
  })
}

function checkExtent(extent: Extent, size: number, after: number): void {
  const end = extent.offset + extent.length
  const whole = Number.isSafeInteger(extent.offset) && Number.isSafeInteger(extent.length) && extent.length > 0
  if (!whole || end > size) throw refuse(extent, size, 'leaves the disk or is empty')
  if (extent.offset < after) throw refuse(extent, size, `is not after ${after}, where the one before it ends`)
  if (extent.offset % clusterBytes !== 0 || (end % clusterBytes !== 0 && end !== size)) {
    throw refuse(extent, size, `is not aligned to ${clusterBytes} bytes`)
  }
}

/** Extents as runs of clusters, touching ones of one kind joined. A source that breaks the rules of `Extent` is refused. */
export async function* checkedExtents(source: MappedBlocks, options: CallOptions): AsyncGenerator<Run, void, undefined> {
  let run: Run | undefined
  let after = 0
  for await (const extent of source.extents(options)) {
    options.signal.throwIfAborted()
    checkExtent(extent, source.size, after)
    after = extent.offset + extent.length
    const index = extent.offset / clusterBytes
    const count = clustersOf(after) - index
    if (run !== undefined && run.kind === extent.kind && run.index + run.count === index) run = { ...run, count: run.count + count }
    else {
      if (run !== undefined) yield run
      run = { index, count, kind: extent.kind }
    }
  }
  if (run !== undefined) yield run
}

/** Passes runs on and proves at their end that they were the same as in an earlier pass: a file is laid out in one pass and filled in the next. */
export async function* sameRuns(runs: AsyncIterable<Run>, expected: string): AsyncGenerator<Run, void, undefined> {
  const fingerprint = createFingerprint()
  for await (const run of runs) {
    fingerprint.add(run)
    yield run
  }
  if (fingerprint.value() !== expected) throw otherExtents()
}

export function otherExtents(): DiskImageError {
  return new DiskImageError('INVALID_OPTIONS', 'the source answered other extents than before: it must be frozen while it is read')
}

/** A short value for a series of runs. */
export function createFingerprint(): { add(run: Run): void; value(): string } {
  const hash = createHash('sha256')
  return {
    add: ({ index, count, kind }) => {
      hash.update(`${index}+${count} ${kind}\n`)
    },
    value: () => hash.digest('base64'),
  }
}
