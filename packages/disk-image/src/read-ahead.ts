import type { BlockSource, CallOptions } from './blocks.ts'
import { clusterBytes, clustersOf } from './clusters.ts'
import { readBuffers } from './read-buffers.ts'

/** Clusters to read, or clusters known to be zero that keep their place in the order. */
export interface Run {
  readonly index: number
  readonly count: number
  readonly kind: 'data' | 'zero'
}

/** Runs that fit one buffer. `bytes` holds the data runs one after the other, in whole clusters; what is past the end of the disk is zero. */
export interface Filled<T> {
  readonly runs: readonly Run[]
  readonly bytes: Buffer
  readonly prepared: T
}

const largestBuffer = 4 * 1024 * 1024
const mostRuns = 256
const mostReaders = 4

function bufferBytes(source: BlockSource): number {
  const wanted = Math.min(
    Math.max(source.readBytes ?? 1024 * 1024, clusterBytes),
    largestBuffer,
    Math.max(1, clustersOf(source.size)) * clusterBytes,
  )
  return Math.floor(wanted / clusterBytes) * clusterBytes
}

/** Cuts runs into groups of which each fills at most one buffer. */
export async function* grouped(runs: AsyncIterable<Run> | Iterable<Run>, clusters: number): AsyncGenerator<readonly Run[]> {
  let group: Run[] = []
  let used = 0
  for await (const run of runs) {
    for (let done = 0; done < run.count; ) {
      const count = run.kind === 'zero' ? run.count : Math.min(run.count - done, clusters - used)
      group.push({ index: run.index + done, count, kind: run.kind })
      done += count
      if (run.kind === 'data') used += count
      if (used === clusters || group.length === mostRuns) {
        yield group
        group = []
        used = 0
      }
    }
  }
  if (group.length > 0) yield group
}

/** Fills a buffer from its beginning with the data of runs, and answers the part it took. */
export async function fill(source: BlockSource, runs: readonly Run[], buffer: Buffer, options: CallOptions): Promise<Buffer> {
  let at = 0
  for (const run of runs) {
    if (run.kind === 'zero') continue
    const offset = run.index * clusterBytes
    const length = Math.min(run.count * clusterBytes, source.size - offset)
    options.signal.throwIfAborted()
    await source.readInto(buffer.subarray(at, at + length), offset, options)
    at += run.count * clusterBytes
    buffer.fill(0, at - run.count * clusterBytes + length, at)
  }
  return buffer.subarray(0, at)
}

/**
 * Reads runs ahead of the reader into recycled buffers, as many at once as the source allows. `prepare` runs as soon as the bytes are there,
 * so work on the next buffer (a hash) overlaps with what the reader waits for (a write). A result is the reader's until it asks for the next one.
 */
export async function* readAhead<T>(
  source: BlockSource,
  runs: AsyncIterable<Run> | Iterable<Run>,
  prepare: (bytes: Buffer, runs: readonly Run[]) => T,
  options: CallOptions,
): AsyncGenerator<Filled<T>, void, undefined> {
  const size = bufferBytes(source)
  const depth = Math.min(source.readers ?? 1, mostReaders)
  const groups = grouped(runs, size / clusterBytes)
  const stop = new AbortController()
  const signal = AbortSignal.any([options.signal, stop.signal])
  const free = readBuffers(source.size, depth + 1, size)
  const queue: { readonly buffer: Buffer; readonly filled: Promise<Filled<T>> }[] = []
  let ended = false
  const topUp = async () => {
    while (!ended && queue.length < depth) {
      const group = await groups.next()
      if (group.done) {
        ended = true
        return
      }
      const buffer = free.pop() as Buffer // one more than are filled at once
      const filled = fill(source, group.value, buffer, { signal }).then((bytes) => ({
        runs: group.value,
        bytes,
        prepared: prepare(bytes, group.value),
      }))
      filled.catch(() => {}) // its turn comes later; until then nobody waits for it
      queue.push({ buffer, filled })
    }
  }
  try {
    await topUp()
    for (let head = queue[0]; head !== undefined; head = queue[0]) {
      const filled = await head.filled
      queue.shift()
      await topUp()
      yield filled
      free.push(head.buffer)
    }
  } finally {
    stop.abort()
    await Promise.allSettled(queue.map((one) => one.filled))
    await groups.return(undefined)
  }
}

/** All clusters of a disk as one run of data. */
export function wholeDisk(size: number): readonly Run[] {
  return size === 0 ? [] : [{ index: 0, count: clustersOf(size), kind: 'data' }]
}
