import {
  type BlockSource,
  type ByteStream,
  type ClusterSum,
  clusterBytes,
  type EncodeQcow2Options,
  type Extent,
  encodeQcow2,
  type MappedBlocks,
  mapBlocks,
  openQcow2,
} from '@holdfast/disk-image'

export const never: AbortSignal = new AbortController().signal
export const options = { signal: never }

/** Numbers from 0 to 1 that a seed decides (mulberry32). */
export function randomFrom(seed: number): () => number {
  let state = seed >>> 0
  return () => {
    state = (state + 0x6d2b79f5) >>> 0
    let value = Math.imul(state ^ (state >>> 15), state | 1)
    value ^= value + Math.imul(value ^ (value >>> 7), value | 61)
    return ((value ^ (value >>> 14)) >>> 0) / 2 ** 32
  }
}

export function fillRandom(target: Uint8Array, random: () => number): void {
  for (let at = 0; at < target.length; at += 1) target[at] = Math.floor(random() * 256)
}

/** Bytes that look random and are quick to make: each differs from those beside it. */
export function noise(length: number, random: () => number): Buffer {
  const words = new Uint32Array(Math.ceil(length / 4))
  let state = Math.floor(random() * 2 ** 32) | 1
  for (let at = 0; at < words.length; at += 1) {
    state = Math.imul(state, 1664525) + 1013904223
    words[at] = state
  }
  return Buffer.from(words.buffer, 0, length)
}

/** Writes to a few random clusters of a disk, some of them zeros, some only a part of the cluster. */
export function change(disk: Buffer, random: () => number, clusters: number): void {
  for (let count = 0; count < clusters && disk.length > 0; count += 1) {
    const start = Math.floor((random() * disk.length) / clusterBytes) * clusterBytes
    const end = Math.min(disk.length, start + Math.ceil(random() * 3) * clusterBytes)
    const kind = random()
    if (kind < 0.3) disk.fill(0, start, end)
    else if (kind < 0.5) disk.writeUInt8(1 + Math.floor(random() * 255), start + Math.floor(random() * (end - start)))
    else noise(end - start, random).copy(disk, start)
  }
}

export interface MemoryBlocks extends BlockSource {
  readonly disposals: number
  readonly mostReads: number
}

/** A disk in memory that counts the reads at once and how often it was disposed. */
export function memoryBlocks(bytes: Uint8Array, readers?: number): MemoryBlocks {
  let disposals = 0
  let reads = 0
  let mostReads = 0
  return {
    size: bytes.length,
    ...(readers !== undefined && { readers }),
    get disposals() {
      return disposals
    },
    get mostReads() {
      return mostReads
    },
    async readInto(target, offset, { signal }) {
      reads += 1
      mostReads = Math.max(mostReads, reads)
      await new Promise((resolve) => setImmediate(resolve))
      reads -= 1
      signal.throwIfAborted()
      if (offset + target.length > bytes.length) throw new Error(`read outside: ${offset}+${target.length} of ${bytes.length}`)
      target.set(bytes.subarray(offset, offset + target.length))
    },
    async [Symbol.asyncDispose]() {
      disposals += 1
    },
  }
}

export function withExtents(source: BlockSource, extents: readonly Extent[]): MappedBlocks {
  return {
    size: source.size,
    readInto: (target, offset, callOptions) => source.readInto(target, offset, callOptions),
    async *extents() {
      yield* extents
    },
    [Symbol.asyncDispose]: () => source[Symbol.asyncDispose](),
  }
}

export async function collect(stream: ByteStream): Promise<Buffer> {
  const chunks: Buffer[] = []
  for await (const chunk of stream) chunks.push(Buffer.from(chunk))
  return Buffer.concat(chunks)
}

export async function all<T>(values: AsyncIterable<T>): Promise<T[]> {
  const found: T[] = []
  for await (const value of values) found.push(value)
  return found
}

export async function readAll(blocks: BlockSource): Promise<Buffer> {
  const bytes = Buffer.alloc(blocks.size, 0xee)
  await blocks.readInto(bytes, 0, options)
  return bytes
}

export interface Image {
  readonly file: Buffer
  readonly sums: readonly ClusterSum[]
  readonly size: number
  readonly metadataBytes: number
}

/** A whole qcow2 file in memory with its sums. */
export async function imageOf(blocks: MappedBlocks, encode: Omit<EncodeQcow2Options, 'signal' | 'onSums'>): Promise<Image> {
  const sums: ClusterSum[] = []
  const encoded = await encodeQcow2(blocks, { ...encode, signal: never, onSums: (batch) => void sums.push(...batch) })
  const file = await collect(encoded.open(options))
  if (file.length !== encoded.size) throw new Error(`announced ${encoded.size}, got ${file.length}`)
  return { file, sums, size: blocks.size, metadataBytes: encoded.metadataBytes }
}

export async function fullImage(disk: Uint8Array): Promise<Image> {
  return imageOf(await mapBlocks(memoryBlocks(disk), options), { covers: 'all' })
}

export function openImage(file: Uint8Array) {
  return openQcow2(memoryBlocks(file, 4), options)
}

export async function* batchesOf(sums: readonly ClusterSum[], length = 7): AsyncGenerator<readonly ClusterSum[]> {
  for (let at = 0; at < sums.length; at += length) yield sums.slice(at, at + length)
}

/** What a call rejects with. */
export async function failure(
  call: () => Promise<unknown>,
): Promise<{ code?: string; message: string; retryable?: boolean; remedy?: string; details?: unknown }> {
  try {
    await call()
  } catch (error) {
    if (error instanceof Error) return error
    throw error
  }
  throw new Error('it did not fail')
}
