import type { Extent } from './blocks.ts'
import { type ClusterRun, clusterBytes } from './clusters.ts'

/** Clusters per piece of the bitmap: as many as one L2 table describes, 512 MiB of disk, 1 KiB of memory. */
const chunkClusters = 8192
const fullChunk = new Uint8Array(chunkClusters / 8).fill(255)

/** A set of clusters, one bit each, in pieces that exist only where something was added. */
export interface ClusterSet {
  /** True when none of them was in the set before. */
  add(index: number, count?: number): boolean
  has(index: number): boolean
  /** Pieces of 1 KiB in use: what a caller bounds who adds what a hostile file says. */
  readonly chunks: number
  /** Ascending, not touching each other. */
  runs(): Iterable<ClusterRun>
}

/** Sets bits; true when none of them was set before. */
function setBits(chunk: Uint8Array, from: number, to: number): boolean {
  let fresh = true
  for (let bit = from; bit < to; ) {
    const byte = bit >> 3
    const whole = (bit & 7) === 0 && to - bit >= 8
    const mask = whole ? 255 : 1 << (bit & 7)
    const old = chunk[byte] ?? 0
    if ((old & mask) !== 0) fresh = false
    chunk[byte] = old | mask
    bit += whole ? 8 : 1
  }
  return fresh
}

/** First bit from `from` on that is `value`, or the end of the chunk. */
function nextBit(chunk: Uint8Array, from: number, value: boolean): number {
  const skip = value ? 0 : 255
  let bit = from
  while (bit < chunkClusters) {
    const byte = chunk[bit >> 3] ?? 0
    if ((bit & 7) === 0 && byte === skip) bit += 8
    else if (((byte >> (bit & 7)) & 1) === (value ? 1 : 0)) return bit
    else bit += 1
  }
  return chunkClusters
}

function* runsOf(chunks: ReadonlyMap<number, Uint8Array>): Iterable<ClusterRun> {
  let start = -1
  let end = -1
  for (const key of [...chunks.keys()].sort((a, b) => a - b)) {
    const chunk = chunks.get(key) as Uint8Array
    const base = key * chunkClusters
    for (let bit = nextBit(chunk, 0, true); bit < chunkClusters; ) {
      const stop = nextBit(chunk, bit, false)
      if (base + bit !== end) {
        if (start >= 0) yield { index: start, count: end - start }
        start = base + bit
      }
      end = base + stop
      bit = nextBit(chunk, stop, true)
    }
  }
  if (start >= 0) yield { index: start, count: end - start }
}

export function createClusterSet(): ClusterSet {
  const chunks = new Map<number, Uint8Array>()
  const addTo = (key: number, from: number, to: number): boolean => {
    const chunk = chunks.get(key)
    if (chunk === undefined && from === 0 && to === chunkClusters) {
      chunks.set(key, fullChunk)
      return true
    }
    if (chunk === fullChunk) return from === to
    const own = chunk ?? new Uint8Array(chunkClusters / 8)
    if (chunk === undefined) chunks.set(key, own)
    return setBits(own, from, to)
  }
  return {
    get chunks() {
      return chunks.size
    },
    add(index, count = 1) {
      let fresh = true
      for (let at = index; at < index + count; ) {
        const key = Math.floor(at / chunkClusters)
        const base = key * chunkClusters
        const to = Math.min(index + count - base, chunkClusters)
        if (!addTo(key, at - base, to)) fresh = false
        at = base + to
      }
      return fresh
    },
    has(index) {
      const key = Math.floor(index / chunkClusters)
      const bit = index - key * chunkClusters
      return (((chunks.get(key)?.[bit >> 3] ?? 0) >> (bit & 7)) & 1) === 1
    },
    runs: () => runsOf(chunks),
  }
}

/** Extents of a disk from its two sets, in guest order; the last one ends with the disk. */
export function* extentsOf(data: ClusterSet, zero: ClusterSet, size: number): Iterable<Extent> {
  const extent = (run: ClusterRun, kind: Extent['kind']): Extent => {
    const offset = run.index * clusterBytes
    return { offset, length: Math.min(run.count * clusterBytes, size - offset), kind }
  }
  const zeros = zero.runs()[Symbol.iterator]()
  let next = zeros.next()
  for (const run of data.runs()) {
    for (; !next.done && next.value.index < run.index; next = zeros.next()) yield extent(next.value, 'zero')
    yield extent(run, 'data')
  }
  for (; !next.done; next = zeros.next()) yield extent(next.value, 'zero')
}
