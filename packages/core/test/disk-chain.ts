import type { MappedBlocks } from '@holdfast/core/spec'
import { memoryBlocks, seededRandom } from '@holdfast/testkit'
import type { DiskItem, Manifest } from '../src/model/manifest.ts'
import type { BaseDisk } from '../src/transfer/blocks-item.ts'
import type { TransferFixture } from './transfer-fixture.ts'

const clusterBytes = 65_536

/** One disk at several points, each an increment on the one before. Oldest first. */
export interface DiskChain {
  readonly key: string
  readonly points: readonly Manifest[]
  /** What the disk held then. */
  readonly contents: readonly Buffer[]
}

/**
 * Backs up a disk of an odd size up to `depth` times. Between two points clusters are written, whole and in part, others cleared, so that the increment hides them with zero
 * clusters, and the disk grows before the third point and the fifth.
 */
export async function makeDiskChain(fixture: TransferFixture, { seed, depth = 5 }: { seed: number; depth?: number }): Promise<DiskChain> {
  const random = seededRandom(seed)
  const key = 'd0'
  const points: Manifest[] = []
  const contents: Buffer[] = []
  const sums: string[] = []
  let bytes = Buffer.alloc(20 * clusterBytes + 4_321)
  for (const cluster of [0, 1, 2, 3, 7, 8, 9, 14, 15, 20])
    bytes.set(random.bytes(Math.min(clusterBytes, bytes.length - cluster * clusterBytes)), cluster * clusterBytes)
  for (let number = 1; number <= depth; number++) {
    if (number > 1) {
      if (number % 2 === 1) bytes = Buffer.concat([bytes, Buffer.alloc(2 * clusterBytes + 77)])
      // What no other point touches, something that every point writes, and something that is cleared now.
      bytes.set(random.bytes(clusterBytes), (9 + number) * clusterBytes)
      bytes.set(random.bytes(500), 7 * clusterBytes + number)
      bytes.fill(0, (number - 1) * clusterBytes, number * clusterBytes)
      bytes.set(random.bytes(10), bytes.length - 10)
    }
    const held = Buffer.from(bytes)
    const base = baseOf(points.at(-1), contents.at(-1), key, sums)
    const disk = { key, name: 'root', size: held.length }
    const item = { disk, covers: 'unmapped' as const, open: async () => memoryBlocks(held, { readers: 3 }) }
    const point = await fixture.backup(`p${number}`, ({ sink }) => sink.blocks(item), { base })
    sums.unshift(`${point.folder}/1/disk-0.sums`)
    points.push(point)
    contents.push(held)
  }
  return { key, points, contents }
}

function baseOf(point: Manifest | undefined, contents: Buffer | undefined, key: string, sums: readonly string[]): BaseDisk[] {
  if (point === undefined || contents === undefined) return []
  return [{ key, size: contents.length, point: point.point, file: `${point.folder}/1/disk-0.qcow2`, sums: [...sums] }]
}

/** The file of a disk in the repository, and where its data begins. */
export function imageOf(point: Manifest): { readonly path: string; readonly dataAt: number; readonly size: number } {
  const item = point.items.find((each): each is DiskItem => each.type === 'disk')
  if (item === undefined) throw new Error('the point has no disk')
  return { path: `${point.folder}/${item.file.path}`, dataAt: item.metadata.size, size: item.file.size }
}

/** A disk that holds the same cluster wherever its extents say data. */
export function sparseBlocks(size: number, offsets: readonly number[]): MappedBlocks {
  const cluster = seededRandom(1).bytes(clusterBytes)
  return {
    size,
    async readInto(target) {
      for (let at = 0; at < target.length; at += clusterBytes) target.set(cluster.subarray(0, target.length - at), at)
    },
    async *extents() {
      for (const offset of offsets) yield { offset, length: clusterBytes, kind: 'data' as const }
    },
    async [Symbol.asyncDispose]() {},
  }
}
