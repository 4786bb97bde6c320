import { type BlockSource, type Extent, type MappedBlocks, openStreamOptimizedVmdk } from '@holdfast/disk-image'
import type { CallOptions } from '../spec/blocks.ts'
import { HoldfastError } from '../spec/errors.ts'

const sectorBytes = 512

/** The size in bytes that a VMDK of a disk of `size` bytes has: it counts sectors, and the disk may end inside the last one. */
export const vmdkSizeOf = (size: number): number => Math.ceil(size / sectorBytes) * sectorBytes

/**
 * Opens a VMDK as the disk of `size` bytes that it holds; its extents end with the disk. Takes the source over.
 * @throws POINT_DAMAGED: the VMDK is of another size. And what `openStreamOptimizedVmdk` throws.
 */
export async function openVmdkOfDisk(source: BlockSource, size: number, options: CallOptions): Promise<MappedBlocks> {
  const image = await openStreamOptimizedVmdk(source, options)
  if (image.size === vmdkSizeOf(size)) return { ...image, size, extents: (given) => upTo(size, image.extents(given)) }
  await image[Symbol.asyncDispose]()
  throw new HoldfastError('POINT_DAMAGED', `a disk of ${image.size} bytes, the manifest says ${size}`)
}

async function* upTo(size: number, extents: AsyncIterable<Extent>): AsyncGenerator<Extent, void, undefined> {
  for await (const extent of extents) yield { ...extent, length: Math.min(extent.length, size - extent.offset) }
}
