import type { CallOptions, Extent, MappedBlocks } from './blocks.ts'
import { checkedExtents } from './checked-extents.ts'
import { type ClusterSet, createClusterSet } from './cluster-set.ts'
import { checkRange, checkSize, clusterBytes, clustersOf } from './clusters.ts'
import { disposeOnce } from './dispose.ts'
import type { Run } from './read-ahead.ts'

/** A layer and the bytes of it that can show: a smaller newer layer has cut the disk, and what it cut off does not come back when the disk grows again. */
interface Layer {
  readonly blocks: MappedBlocks
  readonly limit: number
}

interface Cursor {
  readonly runs: AsyncGenerator<Run, void, undefined>
  /** Clusters of the disk: what a layer has past them does not show. */
  readonly clusters: number
  /** The run that ends after the place the merge is at. */
  head: Run | undefined
  /** The zeros from the end of a smaller layer to the end of the largest below it. */
  tail: Run | undefined
}

/** `older`: clusters of the largest layer below. Where that has nothing either, there is nothing to hide. */
function cursorOf(blocks: MappedBlocks, clusters: number, older: number, options: CallOptions): Cursor {
  const own = clustersOf(blocks.size)
  const hidden = Math.min(clusters, older)
  return {
    runs: checkedExtents(blocks, options),
    clusters,
    head: { index: -1, count: 1, kind: 'zero' },
    tail: own < hidden ? { index: own, count: hidden - own, kind: 'zero' } : undefined,
  }
}

const isBehind = ({ head }: Cursor, position: number): boolean => head !== undefined && head.index + head.count <= position

async function advance(cursor: Cursor, position: number): Promise<void> {
  while (isBehind(cursor, position)) {
    const next = await cursor.runs.next()
    if (!next.done && next.value.index < cursor.clusters) {
      const { index, count, kind } = next.value
      cursor.head = { index, count: Math.min(count, cursor.clusters - index), kind }
    } else {
      cursor.head = cursor.tail
      cursor.tail = undefined
    }
  }
}

/** The part of the newest run at `position` that no newer layer hides, or the next place where any layer has something. */
function pick(cursors: readonly Cursor[], position: number): Run | number | undefined {
  let next = Number.POSITIVE_INFINITY
  for (const { head } of cursors) {
    if (head === undefined) continue
    if (head.index <= position) return { index: position, count: Math.min(head.index + head.count, next) - position, kind: head.kind }
    next = Math.min(next, head.index)
  }
  return Number.isFinite(next) ? next : undefined
}

function extentOf({ index, count, kind }: Run, size: number): Extent {
  const offset = index * clusterBytes
  return { offset, length: Math.min(count * clusterBytes, size - offset), kind }
}

async function* newestExtents(layers: readonly Layer[], size: number, options: CallOptions): AsyncGenerator<Extent, void, undefined> {
  const clusters = clustersOf(size)
  const largest = (below: readonly Layer[]) => below.reduce((most, { blocks }) => Math.max(most, clustersOf(blocks.size)), 0)
  const cursors = layers.map(({ blocks }, index) => cursorOf(blocks, clusters, largest(layers.slice(index + 1)), options))
  try {
    let position = 0
    let last: Run | undefined
    for (;;) {
      for (const cursor of cursors) if (isBehind(cursor, position)) await advance(cursor, position)
      const found = pick(cursors, position)
      if (found === undefined) break
      if (typeof found === 'number') {
        position = found
        continue
      }
      position = found.index + found.count
      if (last !== undefined && last.kind === found.kind && last.index + last.count === found.index)
        last = { ...last, count: last.count + found.count }
      else {
        if (last !== undefined) yield extentOf(last, size)
        last = found
      }
    }
    if (last !== undefined) yield extentOf(last, size)
  } finally {
    for (const cursor of cursors) await cursor.runs.return()
  }
}

/** Which clusters each layer has, one bit each: made at the first read. */
async function indexLayers(layers: readonly Layer[], options: CallOptions): Promise<readonly ClusterSet[]> {
  const sets: ClusterSet[] = []
  for (const { blocks } of layers) {
    const set = createClusterSet()
    for await (const run of checkedExtents(blocks, options)) set.add(run.index, run.count)
    sets.push(set)
  }
  return sets
}

/** The newest layer that has a cluster, -1 for none. Past its limit it has zeros. */
function ownerOf(sets: readonly ClusterSet[], index: number): number {
  return sets.findIndex((set) => set.has(index))
}

function createReader(layers: readonly Layer[], size: number): MappedBlocks['readInto'] {
  let indexed: Promise<readonly ClusterSet[]> | undefined
  const index = (options: CallOptions): Promise<readonly ClusterSet[]> => {
    indexed ??= indexLayers(layers, options).catch((error: unknown) => {
      indexed = undefined
      throw error
    })
    return indexed
  }
  const readPart = async (target: Uint8Array, offset: number, layer: Layer | undefined, options: CallOptions) => {
    const length = Math.min(target.length, Math.max(0, (layer?.limit ?? 0) - offset))
    if (layer !== undefined && length > 0) await layer.blocks.readInto(target.subarray(0, length), offset, options)
    target.fill(0, length)
  }
  return async (target, offset, options) => {
    checkRange(size, offset, target.length)
    options.signal.throwIfAborted()
    const sets = await index(options).catch((error: unknown) => {
      if (options.signal.aborted) throw error
      return indexLayers(layers, options) // another reader began it and was aborted
    })
    const end = offset + target.length
    for (let at = offset; at < end; ) {
      const owner = ownerOf(sets, Math.floor(at / clusterBytes))
      let stop = (Math.floor(at / clusterBytes) + 1) * clusterBytes
      while (stop < end && ownerOf(sets, stop / clusterBytes) === owner) stop += clusterBytes
      stop = Math.min(stop, end)
      await readPart(target.subarray(at - offset, stop - offset), at, layers[owner], options)
      at = stop
    }
  }
}

/**
 * A chain of images as one disk, newest layer first: for each cluster the newest layer that has it wins. What no layer has reads as zeros and is a gap;
 * zero clusters are extents of kind `zero`. So all layers down to a full make a view that covers `all`, and the newest few of them a view of the `changes` since an older point.
 * Layers may differ in size: past the end of a smaller layer there are zeros. Takes the layers over.
 * @param size Size of the disk in bytes.
 */
export function chainView(layers: readonly MappedBlocks[], size: number): MappedBlocks {
  checkSize(size, 'the size of the disk')
  let limit = size
  const limited = layers.map((blocks): Layer => {
    limit = Math.min(limit, blocks.size)
    return { blocks, limit }
  })
  return {
    size,
    readers: Math.min(...layers.map((layer) => layer.readers ?? 1), 4),
    readInto: createReader(limited, size),
    extents: (options) => newestExtents(limited, size, options),
    [Symbol.asyncDispose]: disposeOnce(layers),
  }
}
