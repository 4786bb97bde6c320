import {
  type BlockSource,
  clusterBytes,
  DiskImageError,
  decodeVmdkStream,
  type Extent,
  type MappedBlocks,
  openQcow2,
  openStreamOptimizedVmdk,
} from '@holdfast/disk-image'
import { options } from '../support.ts'
import type { CorpusFormat } from './corpus.ts'

/** How a reader took an image: it gave all of it, or refused it with a code. */
export type Outcome = 'read' | `refused at ${Stage}: ${string}`
type Stage = 'open' | 'read'

const pieceBytes = 1024 * 1024
const piece = Buffer.alloc(pieceBytes)
const zeros = Buffer.alloc(clusterBytes)

/** A file in memory that lets nobody read outside of it. */
function strictSource(file: Buffer): BlockSource & { disposals: number } {
  return {
    size: file.length,
    readers: 4,
    disposals: 0,
    async readInto(target, offset) {
      if (!Number.isSafeInteger(offset) || offset < 0 || offset + target.length > file.length)
        throw new Error(`the reader asks for ${target.length} bytes at ${offset} of ${file.length}`)
      target.set(file.subarray(offset, offset + target.length))
    },
    async [Symbol.asyncDispose]() {
      this.disposals += 1
    },
  }
}

async function readPiece(blocks: MappedBlocks, offset: number, length: number): Promise<Buffer> {
  const target = piece.subarray(0, length)
  await blocks.readInto(target, offset, options)
  return target
}

/** Data is read whole; of zeros, which may be petabytes, the first and the last bytes. */
async function readExtent(blocks: MappedBlocks, { offset, length, kind }: Extent): Promise<void> {
  const end = offset + length
  if (kind === 'data') {
    for (let at = offset; at < end; at += pieceBytes) await readPiece(blocks, at, Math.min(pieceBytes, end - at))
    return
  }
  for (const at of [offset, Math.max(offset, end - clusterBytes)]) {
    const bytes = await readPiece(blocks, at, Math.min(clusterBytes, end - at))
    if (!bytes.equals(zeros.subarray(0, bytes.length))) throw new Error(`the zero extent at ${offset} holds data`)
  }
}

async function readEverything(blocks: MappedBlocks): Promise<void> {
  let last = 0
  for await (const extent of blocks.extents(options)) {
    const { offset, length } = extent
    const aligned = offset % clusterBytes === 0 && (length % clusterBytes === 0 || offset + length === blocks.size)
    if (offset < last || length <= 0 || offset + length > blocks.size || !aligned)
      throw new Error(`extent ${offset}+${length} of a disk of ${blocks.size} bytes after ${last}`)
    last = offset + length
    await readExtent(blocks, extent)
  }
  const tail = Math.min(blocks.size, 100_001)
  await readPiece(blocks, blocks.size - tail, tail)
}

/** The bytes of a file as they pass, in pieces of an odd length that is the file's own. */
async function* passing(file: Buffer): AsyncGenerator<Buffer> {
  const length = 1 + ((file.length * 31 + (file[100] ?? 0) * 517) % 70_000)
  for (let at = 0; at < file.length; at += length) yield file.subarray(at, at + length)
}

/** What has passed, once its end is proven, must be what the other reader finds, where that reads the file too. */
async function decodeEverything(file: Buffer, began: () => void): Promise<void> {
  const decoded = await decodeVmdkStream(passing(file), options)
  began()
  const other = await openStreamOptimizedVmdk(strictSource(file), options).catch(() => undefined)
  let different: number | undefined
  try {
    for await (const { index, bytes } of decoded.clusters) {
      const offset = index * clusterBytes
      if (offset + bytes.length > decoded.size) throw new Error(`a cluster at ${offset} of a disk of ${decoded.size} bytes`)
      const same = other === undefined ? undefined : await readPiece(other, offset, bytes.length).catch(() => undefined)
      if (same?.equals(bytes) === false) different = offset
    }
    if (different !== undefined) throw new Error(`the cluster at ${different} differs from what is read by position`)
  } finally {
    await decoded[Symbol.asyncDispose]()
  }
}

async function openEverything(format: 'qcow2' | 'vmdk', file: Buffer, began: () => void): Promise<void> {
  const source = strictSource(file)
  try {
    const blocks = await (format === 'qcow2' ? openQcow2 : openStreamOptimizedVmdk)(source, options)
    began()
    await readEverything(blocks).finally(() => blocks[Symbol.asyncDispose]())
  } catch (error) {
    if (source.disposals !== 1) throw new Error(`the source was disposed ${source.disposals} times`, { cause: error })
    throw error
  }
  if (source.disposals !== 1) throw new Error(`the source was disposed ${source.disposals} times`)
}

/** Opens an image and reads all its data. Returns what is right; throws what is wrong: anything but a `DiskImageError`. */
export async function tryImage(format: CorpusFormat, file: Buffer): Promise<Outcome> {
  let stage: Stage = 'open'
  const began = () => {
    stage = 'read'
  }
  try {
    await (format === 'vmdk-stream' ? decodeEverything(file, began) : openEverything(format, file, began))
    return 'read'
  } catch (error) {
    if (!DiskImageError.isInstance(error)) throw error
    // What a file says wrong is no mistake of the caller, and none of ours.
    if (error.code === 'INVALID_OPTIONS' || error.code === 'INTERNAL') throw new Error(`a hostile file is ${error.code}`, { cause: error })
    return `refused at ${stage}: ${error.code}`
  }
}
