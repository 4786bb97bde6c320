import { createHash } from 'node:crypto'
import { type BlockSource, clusterBytes, type Extent, type MappedBlocks } from '@holdfast/disk-image'

/** What a disk should hold: only the clusters that are not zero are kept, so it may be terabytes large. */
export interface ModelDisk {
  readonly size: number
  /** Whole clusters; what is past the end of the disk is zero. */
  readonly clusters: ReadonlyMap<number, Buffer>
  write(offset: number, bytes: Buffer): void
  /** What is cut off is gone. */
  resize(size: number): void
  read(offset: number, length: number): Buffer
}

const zeros = Buffer.alloc(clusterBytes)

export function createModelDisk(initialSize: number): ModelDisk {
  const clusters = new Map<number, Buffer>()
  let size = initialSize
  const write = (offset: number, bytes: Buffer) => {
    for (let at = 0; at < bytes.length; ) {
      const index = Math.floor((offset + at) / clusterBytes)
      const inside = offset + at - index * clusterBytes
      const part = bytes.subarray(at, at + clusterBytes - inside)
      const cluster = clusters.get(index) ?? Buffer.alloc(clusterBytes)
      part.copy(cluster, inside)
      if (cluster.equals(zeros)) clusters.delete(index)
      else clusters.set(index, cluster)
      at += part.length
    }
  }
  return {
    get size() {
      return size
    },
    clusters,
    write,
    resize(newSize) {
      const end = Math.ceil(newSize / clusterBytes)
      for (const index of clusters.keys()) if (index >= end) clusters.delete(index)
      if (newSize < size) write(newSize, Buffer.alloc(end * clusterBytes - newSize))
      size = newSize
    },
    read(offset, length) {
      const bytes = Buffer.alloc(length)
      for (let index = Math.floor(offset / clusterBytes); index * clusterBytes < offset + length; index += 1) {
        const start = Math.max(offset, index * clusterBytes)
        const end = Math.min(offset + length, (index + 1) * clusterBytes)
        clusters.get(index)?.copy(bytes, start - offset, start - index * clusterBytes, end - index * clusterBytes)
      }
      return bytes
    },
  }
}

/** The disk as a source. */
export function sourceOf(disk: ModelDisk): BlockSource {
  return {
    size: disk.size,
    readers: 2,
    async readInto(target, offset) {
      target.set(disk.read(offset, target.length))
    },
    async [Symbol.asyncDispose]() {},
  }
}

/** These clusters of the disk and no others: data where it holds something, zeros elsewhere. */
export function blocksOf(disk: ModelDisk, indices: Iterable<number>): MappedBlocks {
  const extents = [...new Set(indices)]
    .sort((one, other) => one - other)
    .map((index): Extent => {
      const offset = index * clusterBytes
      return { offset, length: Math.min(clusterBytes, disk.size - offset), kind: disk.clusters.has(index) ? 'data' : 'zero' }
    })
    .filter(({ length }) => length > 0)
  return {
    ...sourceOf(disk),
    async *extents() {
      yield* extents
    },
  }
}

/** The logical digest as the format page has it, from bytes and without the library. */
export async function digestOf(indices: Iterable<number>, clusterAt: (index: number) => Promise<Buffer>): Promise<string> {
  const hash = createHash('sha256')
  const place = Buffer.alloc(8)
  for (const index of [...indices].sort((one, other) => one - other)) {
    const cluster = await clusterAt(index)
    if (cluster.equals(zeros)) continue
    place.writeBigUInt64LE(BigInt(index))
    hash.update(place).update(createHash('sha256').update(cluster).digest().subarray(0, 16))
  }
  return hash.digest('hex')
}
