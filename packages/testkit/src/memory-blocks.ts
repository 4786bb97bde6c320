import { type BlockSource, type CallOptions, type Extent, HoldfastError, type MappedBlocks } from '@holdfast/core/spec'
import { clusterBytes, isZero } from './bytes.ts'

/** A block source over bytes in memory. The bytes must not change while it is open. */
export function memoryBlocks(
  bytes: Uint8Array,
  { readers = 1, beforeRead }: { readonly readers?: number; beforeRead?(offset: number): Promise<void> | void } = {},
): BlockSource {
  let open = true
  return {
    size: bytes.length,
    readers,
    async readInto(target, offset, { signal }) {
      signal.throwIfAborted()
      if (!open) throw new HoldfastError('INVALID_OPTIONS', `read at ${offset} after dispose`)
      if (!(offset >= 0) || offset + target.length > bytes.length) {
        const range = `${offset}..${offset + target.length}`
        throw new HoldfastError('INVALID_OPTIONS', `read of bytes ${range} beyond the ${bytes.length} bytes of the source`)
      }
      await beforeRead?.(offset)
      signal.throwIfAborted()
      target.set(bytes.subarray(offset, offset + target.length))
    },
    async [Symbol.asyncDispose]() {
      open = false
    },
  }
}

/** As `memoryBlocks`, with its map: `extents`, or one scan that leaves out clusters of zeros. */
export function memoryMappedBlocks(
  bytes: Uint8Array,
  { extents, ...options }: Parameters<typeof memoryBlocks>[1] & { readonly extents?: readonly Extent[] } = {},
): MappedBlocks {
  const map = extents ?? extentsOf(bytes)
  return {
    ...memoryBlocks(bytes, options),
    async *extents({ signal }: CallOptions) {
      for (const extent of map) {
        signal.throwIfAborted()
        yield extent
      }
    },
  }
}

/** The clusters that are not all zero, joined. */
export function extentsOf(bytes: Uint8Array): readonly Extent[] {
  const clusters = Array.from({ length: Math.ceil(bytes.length / clusterBytes) }, (_, index) => index)
  return joinClusters(
    clusters
      .filter((index) => !isZero(bytes.subarray(index * clusterBytes, (index + 1) * clusterBytes)))
      .map((index) => ({ index, kind: 'data' })),
    bytes.length,
  )
}

/** Ascending clusters as extents: neighbours of one kind become one. */
export function joinClusters(
  clusters: readonly { readonly index: number; readonly kind: Extent['kind'] }[],
  size: number,
): readonly Extent[] {
  const extents: Extent[] = []
  for (const { index, kind } of clusters) {
    const offset = index * clusterBytes
    const length = Math.min(clusterBytes, size - offset)
    const last = extents.at(-1)
    if (last && last.kind === kind && last.offset + last.length === offset)
      extents[extents.length - 1] = { ...last, length: last.length + length }
    else extents.push({ offset, length, kind })
  }
  return extents
}

/** Everything of a block source in one buffer, read by its extents; what no extent names is taken from `below`, or zero. */
export async function readBlocks(blocks: MappedBlocks, options: CallOptions & { readonly below?: Uint8Array }): Promise<Uint8Array> {
  const whole = new Uint8Array(blocks.size)
  if (options.below) whole.set(options.below.subarray(0, blocks.size))
  for await (const { offset, length, kind } of blocks.extents(options)) {
    if (kind === 'zero') whole.fill(0, offset, offset + length)
    else await blocks.readInto(whole.subarray(offset, offset + length), offset, options)
  }
  return whole
}
