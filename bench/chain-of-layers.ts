import { createWriteStream } from 'node:fs'
import { stat } from 'node:fs/promises'
import { basename, join } from 'node:path'
import { pipeline } from 'node:stream/promises'
import {
  type ByteStream,
  type ClusterSum,
  clusterBytes,
  type Extent,
  encodeQcow2,
  encodeSums,
  type MappedBlocks,
} from '@holdfast/disk-image'
import { sourceText, taken } from './local-files.ts'
import { seededBytes, shuffled } from './seeded-bytes.ts'
import { settled } from './settled.ts'

export interface ChainOptions {
  /** Where `layer-0.qcow2`, `layer-0.sums`, `layer-1.qcow2` ... go. It must be there. */
  readonly folder: string
  readonly virtualBytes: number
  /** The base and its increments. Default 6. */
  readonly layers?: number
  /** Bytes in the base: for large disks that hold little. Default: 37.5 % of the disk. */
  readonly baseBytes?: number
  readonly seed: string
}

export interface ChainLayer {
  readonly image: string
  readonly sums: string
  readonly imageBytes: number
  readonly dataClusters: number
  readonly zeroClusters: number
}

export interface Chain {
  readonly virtualBytes: number
  /** Oldest first. Each names the one before it as its backing file, so `qemu-img` opens the last one as the whole disk. */
  readonly layers: readonly ChainLayer[]
  /** The newest. */
  readonly top: ChainLayer
  /** What the files of the layers hold together. */
  readonly imageBytes: number
}

/** Clusters that lie together in the base: 2 MiB. */
const baseRun = 32
const changedShare = 12
const zeroShare = 384

const signal = new AbortController().signal

interface Cluster {
  readonly index: number
  readonly kind: Extent['kind']
}

/**
 * A disk in layers, written as backups write it, each with the sums of its clusters beside it: a base of pieces of 2 MiB, half of them random, half source
 * text, and increments that each change a twelfth as many clusters somewhere on the disk, one by one, and make a 384th zero. With the defaults and 4 GiB:
 * 24,576 clusters, then five times 2,048 and 64. The same for the same seed on one machine. All is on the disk when it resolves.
 */
export async function makeChain({ folder, virtualBytes, layers: count = 6, baseBytes, seed }: ChainOptions): Promise<Chain> {
  const clusters = Math.floor(virtualBytes / clusterBytes)
  const baseClusters = Math.floor((baseBytes ?? virtualBytes * 0.375) / clusterBytes)
  const layers: ChainLayer[] = []
  const text = textOf(seed)
  for (let number = 0; number < count; number++) {
    const name = `${seed} layer ${number}`
    const contents = number === 0 ? baseOf(clusters, baseClusters, name) : incrementOf(clusters, baseClusters, name)
    const disk = sequentialDisk(clusters * clusterBytes, contents, seededBytes(`${name} bytes`), text)
    layers.push(await writeLayer(join(folder, `layer-${number}`), disk, layers.at(-1)))
  }
  settled()
  const top = layers.at(-1)
  if (top === undefined) throw new Error('A chain has at least one layer.')
  return { virtualBytes: clusters * clusterBytes, layers, top, imageBytes: layers.reduce((sum, layer) => sum + layer.imageBytes, 0) }
}

function baseOf(clusters: number, wanted: number, seed: string): readonly Cluster[] {
  const places = shuffled(
    Array.from({ length: Math.floor(clusters / baseRun) }, (_, place) => place),
    seed,
  ).slice(0, Math.floor(wanted / baseRun))
  return places
    .sort((left, right) => left - right)
    .flatMap((place) => Array.from({ length: baseRun }, (_, within): Cluster => ({ index: place * baseRun + within, kind: 'data' })))
}

function incrementOf(clusters: number, baseClusters: number, seed: string): readonly Cluster[] {
  const changed = Math.floor(baseClusters / changedShare)
  const zero = Math.floor(baseClusters / zeroShare)
  const random = seededBytes(seed)
  const found = new Map<number, Cluster>()
  while (found.size < changed + zero) {
    const index = random(6).readUIntLE(0, 6) % clusters
    if (!found.has(index)) found.set(index, { index, kind: found.size < changed ? 'data' : 'zero' })
  }
  return [...found.values()].sort((left, right) => left.index - right.index)
}

type Content = (length: number) => Buffer

/** What a file leaves of a cluster is dropped. */
function textOf(seed: string): Content {
  const pieces = sourceText(seed)
  return (length) => Buffer.concat([...taken(pieces, length)])
}

/** A disk whose bytes are made while they are read: once, in order, by one reader. */
function sequentialDisk(size: number, contents: readonly Cluster[], random: Content, text: Content): MappedBlocks {
  return {
    size,
    async readInto(target, offset) {
      for (let at = 0; at < target.length; at += clusterBytes) {
        const content = Math.floor((offset + at) / clusterBytes / baseRun) % 2 === 0 ? random : text
        target.set(content(clusterBytes), at)
      }
    },
    async *extents() {
      for (const { index, kind } of contents) {
        const extent: Extent = { offset: index * clusterBytes, length: clusterBytes, kind }
        yield extent
      }
    },
    [Symbol.asyncDispose]: async () => undefined,
  }
}

async function writeLayer(path: string, disk: MappedBlocks, below: ChainLayer | undefined): Promise<ChainLayer> {
  const [image, sumsPath] = [`${path}.qcow2`, `${path}.sums`]
  const sums: (readonly ClusterSum[])[] = []
  const encoded = await encodeQcow2(disk, {
    covers: below === undefined ? 'all' : 'changes',
    ...(below !== undefined && { backing: basename(below.image) }),
    onSums: (batch) => void sums.push(batch),
    signal,
  })
  await writeStream(image, encoded.open({ signal }))
  const { data, zero } = encoded.counts
  await writeStream(sumsPath, encodeSums({ size: disk.size, count: data + zero }, batchesOf(sums)).bytes)
  return { image, sums: sumsPath, imageBytes: (await stat(image)).size, dataClusters: data, zeroClusters: zero }
}

async function* batchesOf(batches: readonly (readonly ClusterSum[])[]) {
  yield* batches
}

/** Chunks are lent, a stream keeps them for a while. */
async function writeStream(path: string, bytes: ByteStream): Promise<void> {
  const copies = async function* () {
    for await (const chunk of bytes) yield Buffer.from(chunk)
  }
  await pipeline(copies, createWriteStream(path, { flags: 'wx' }))
}
