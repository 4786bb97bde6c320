import { type BlockSource, clusterBytes, type MappedBlocks, type SumsFile } from '@holdfast/disk-image'
import type { CallOptions } from '../spec/blocks.ts'
import { HoldfastError } from '../spec/errors.ts'
import { openVmdkOfDisk } from './vmdk-of-disk.ts'

/**
 * A VMDK that was kept as it came, as the lowest layer of a chain: read by position. Nothing but its whole file has a hash, so its tables are compared with its
 * proven sums, cluster by cluster: a grain that a damaged table does not name would read as zeros. What is in the grains is for whoever reads them to compare.
 * Takes the source over; the sums stay the caller's.
 */
export async function openVmdkLayer(source: BlockSource, sums: SumsFile, options: CallOptions): Promise<MappedBlocks> {
  const image = await openVmdkOfDisk(source, sums.size, options)
  try {
    await checkMap(image, sums, options)
    return image
  } catch (error) {
    await image[Symbol.asyncDispose]()
    throw error
  }
}

async function* clustersOf(image: MappedBlocks, options: CallOptions): AsyncGenerator<number, undefined, undefined> {
  for await (const { offset, length } of image.extents(options))
    for (let at = offset; at < offset + length; at += clusterBytes) yield at / clusterBytes
  return undefined
}

async function checkMap(image: MappedBlocks, sums: SumsFile, options: CallOptions): Promise<void> {
  const clusters = clustersOf(image, options)
  const differs = (index: number) =>
    new HoldfastError(
      'POINT_DAMAGED',
      `the cluster at guest offset ${index * clusterBytes} is only in the tables of the VMDK or only in its sums`,
    )
  try {
    for await (const batch of sums.batches(options))
      for (const { index, kind } of batch) {
        const found = (await clusters.next()).value
        if (kind !== 'data' || found !== index) throw differs(Math.min(index, found ?? index))
      }
    const more = (await clusters.next()).value
    if (more !== undefined) throw differs(more)
  } finally {
    await clusters.return(undefined)
  }
}
