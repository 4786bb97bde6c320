import {
  type CallOptions,
  chainView,
  fileBlocks,
  type MappedBlocks,
  openQcow2,
  openSums,
  type SumLayer,
  verifiedBlocks,
} from '@holdfast/disk-image'

export interface LayerFiles {
  readonly image: string
  /** Absent: the layer is read without a look at its sums. */
  readonly sums?: string
}

/** The newest-wins view of some layers, and their sums, newest first. Disposing the view disposes all of it. */
export interface OpenedChain {
  readonly view: MappedBlocks
  readonly sums: readonly SumLayer[]
}

export interface OpenChainOptions extends CallOptions {
  /** Put between each image and whoever reads it: to watch the reads. */
  readonly reads?: (image: MappedBlocks) => MappedBlocks
}

/** @param layers Oldest first. All down to the full give the disk, the newest few of them what has changed since. */
export async function openChain(layers: readonly LayerFiles[], options: OpenChainOptions): Promise<OpenedChain> {
  const blocks: MappedBlocks[] = []
  const sums: SumLayer[] = []
  for (const files of [...layers].reverse()) {
    const image = await openQcow2(await fileBlocks(files.image, options), options)
    const layer = options.reads?.(image) ?? image
    if (files.sums === undefined) {
      blocks.push(layer)
      continue
    }
    const own = await openSums(await fileBlocks(files.sums, options), options)
    sums.push({ size: own.size, batches: own.batches(options) })
    blocks.push(verifiedBlocks(layer, own))
  }
  return { view: chainView(blocks, blocks[0]?.size ?? 0), sums }
}
