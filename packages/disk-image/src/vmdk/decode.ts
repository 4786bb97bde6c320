import type { ByteStream, CallOptions } from '../blocks.ts'
import { asBuffer } from '../clusters.ts'
import { giveBack } from '../give-back.ts'
import { createClusterCutter, type PassingCluster } from './cluster-cutter.ts'
import { mostPackedBytes, sectorBytes } from './format.ts'
import { type GrainShape, unpackGrain } from './grain.ts'
import { type GrainVisitor, walkVmdk } from './walk.ts'

/** Decodes a VMDK of which the bytes pass by. What it gives is proven to be the whole disk only when `end` has ended. */
export interface VmdkDecoder {
  /** Size of the disk in bytes, a multiple of 512; known once the header has passed. */
  readonly size: number | undefined
  /** The next bytes: gives the clusters that are ready. Take all of them before the next call; the chunk is used up then. */
  feed(chunk: Uint8Array): AsyncGenerator<PassingCluster, void, undefined>
  /** After the last byte: gives the rest and proves the end. */
  end(): AsyncGenerator<PassingCluster, void, undefined>
}

/** So many grains are unpacked at once, in the thread pool of the process. */
const mostAtOnce = 8

interface Packed {
  readonly sector: number
  readonly bytes: Buffer
  readonly length: number
  filled: number
}

interface Unpacking {
  readonly packed: Packed
  readonly plain: Promise<Buffer>
}

/** Gathers packed bytes, in buffers that are used again, and begins to unpack each grain that is there. */
function createUnpacker() {
  const queue: Unpacking[] = []
  const free: Buffer[] = []
  let shape: GrainShape = { grainBytes: 0, size: 0 }
  let filling: Packed | undefined
  const visitor: GrainVisitor = {
    begin(sector, length, header) {
      shape = { grainBytes: header.grainSectors * sectorBytes, size: header.capacity * sectorBytes }
      const bytes = free.pop() ?? Buffer.allocUnsafeSlow(mostPackedBytes(shape.grainBytes))
      filling = { sector, bytes, length, filled: 0 }
    },
    packed(part) {
      if (filling === undefined) return
      part.copy(filling.bytes, filling.filled)
      filling.filled += part.length
      if (filling.filled < filling.length) return
      const plain = unpackGrain(filling.bytes.subarray(0, filling.length), filling.sector * sectorBytes, shape)
      plain.catch(() => {}) // its turn comes later; until then nobody waits for it
      queue.push({ packed: filling, plain })
      filling = undefined
    },
  }
  return { visitor, queue, free, shape: () => shape }
}

/**
 * A decoder for bytes that are used elsewhere too: hashed, stored. Grains are unpacked several at once, and clusters come in the order of their grains. Memory: a few
 * grains, and, by which duplicates are found and the tables compared with what came, about 3 MiB for each TiB of disk touched (8 GiB count whole as soon as one grain
 * is in them) and up to 3 MiB for each TiB that the tables describe, with grains of 64 KiB.
 * Cuts a grain of up to 1 MiB into clusters; joins smaller ones, which must come in the order of the disk.
 * @throws IMAGE_DAMAGED, UNSUPPORTED_FORMAT and TRUNCATED, as `decodeVmdkStream`; an aborted signal rejects with its reason.
 */
export function createVmdkDecoder({ signal }: CallOptions): VmdkDecoder {
  const { visitor, queue, free, shape } = createUnpacker()
  const walk = walkVmdk(visitor)
  const cutter = createClusterCutter()

  async function* oldest(): AsyncGenerator<PassingCluster, void, undefined> {
    const [head] = queue
    if (head === undefined) return
    const plain = await head.plain
    signal.throwIfAborted()
    queue.shift()
    free.push(head.packed.bytes)
    yield* cutter.cut(head.packed.sector * sectorBytes, plain, shape().size)
    giveBack(plain)
  }

  return {
    get size() {
      return walk.header === undefined ? undefined : walk.header.capacity * sectorBytes
    },
    async *feed(chunk) {
      const bytes = asBuffer(chunk)
      for (let at = 0; at < bytes.length; ) {
        signal.throwIfAborted()
        at = walk.write(bytes, at)
        while (queue.length >= mostAtOnce) yield* oldest()
      }
    },
    async *end() {
      while (queue.length > 0) yield* oldest()
      yield* cutter.rest(shape().size)
      walk.end()
    },
  }
}

/** A VMDK that is read once, forward. */
export interface DecodedVmdk extends AsyncDisposable {
  /** Size of the disk in bytes, a multiple of 512. */
  readonly size: number
  /** In the order of the file, each once; what is not among them is zero. Ends only when the end of the file is proven. To be iterated once. */
  readonly clusters: AsyncIterable<PassingCluster>
}

/**
 * Decodes a streamOptimized VMDK from a stream that cannot be read by position, as an export of a machine gives it, while it arrives. Resolves when the first cluster is there.
 * The end is proven: footer and end-of-stream marker, where the header leaves the grain directory to them, and in any case the tables must name exactly the grains that came.
 * Takes the stream over: it is disposed when the clusters have ended or were given up, and by dispose, which may be called at any time.
 * @throws UNSUPPORTED_FORMAT: a VMDK, but not streamOptimized, or only the changes since another image. IMAGE_DAMAGED: no VMDK, contradicts itself, a grain that comes twice or cannot be
 * unpacked. TRUNCATED: the stream ended before its end was proven. What the stream throws passes through; an aborted signal rejects with its reason.
 */
export async function decodeVmdkStream(stream: ByteStream, options: CallOptions): Promise<DecodedVmdk> {
  const decoder = createVmdkDecoder(options)
  const iterator = stream[Symbol.asyncIterator]()
  let closed: Promise<void> | undefined
  const close = () => {
    closed ??= (async () => {
      await iterator.return?.()
      await stream[Symbol.asyncDispose]?.()
    })()
    return closed
  }

  async function* decoded(): AsyncGenerator<PassingCluster, void, undefined> {
    try {
      for (;;) {
        const next = await iterator.next()
        if (next.done === true) break
        yield* decoder.feed(next.value)
      }
      yield* decoder.end()
    } finally {
      await close()
    }
  }

  const clusters = decoded()
  try {
    options.signal.throwIfAborted()
    // The first cluster is ready long after the header has passed, or there is none.
    const first = await clusters.next()
    return {
      size: decoder.size as number,
      clusters: {
        async *[Symbol.asyncIterator]() {
          try {
            if (first.done === true) return
            yield first.value
            yield* clusters
          } finally {
            await clusters.return()
          }
        },
      },
      async [Symbol.asyncDispose]() {
        // A generator that waits for its stream answers only when that is closed.
        await Promise.all([clusters.return(), close()])
      },
    }
  } catch (error) {
    await close()
    throw error
  }
}
