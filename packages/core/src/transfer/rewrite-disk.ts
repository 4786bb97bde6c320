import { type ClusterSum, chainView, clusterBytes, encodeQcow2, overlaySums, type SumBatches, verifiedBlocks } from '@holdfast/disk-image'
import type { DiskItem } from '../model/manifest.ts'
import type { CallOptions, MappedBlocks } from '../spec/blocks.ts'
import { HoldfastError } from '../spec/errors.ts'
import { namingFile } from './damage.ts'
import { disposedAfter, type Layer, openLayerImage, openLayerSums } from './disk-layers.ts'
import { guardedBlocks } from './guarded-blocks.ts'
import type { Target } from './put-file.ts'
import { backingName, type DiskNames, mergedDigest, putImage } from './put-image.ts'
import type { Reading } from './reading.ts'
import type { Scope } from './scope.ts'

/** One file of a disk that is made of several, or of one in another repository. */
export interface Rewrite {
  /** What becomes one file, newest first; the first is the disk of the point. */
  readonly layers: readonly Layer[]
  /** What the new file builds on, newest first, in the repository of the target. Empty: it becomes a full. */
  readonly rest: readonly Layer[]
  /** Of the repository in which the layers lie. */
  readonly reading: Reading
  readonly target: Target
  readonly names: DiskNames
  /** Why it is full or incremental, in words a person reads. */
  readonly reason: string
}

/** What was read of a disk and is open until it is written. */
interface Opened extends AsyncDisposable {
  readonly view: MappedBlocks
  readonly sums: SumBatches
}

/**
 * Writes a disk anew. Each cluster is compared with its sum before it is copied, the sums are laid over each other and not made again, and in the end the
 * digest of the whole disk, from the sums as they lie there now, must be the one the point had. Nothing refers to the new files until a manifest does.
 */
export async function rewriteDisk(rewrite: Rewrite, callOptions: CallOptions): Promise<DiskItem> {
  const { layers, reading } = rewrite
  const { entry } = layers[0] as Layer
  refuseHiddenTail(rewrite)
  const scope = reading.scope(`disk ${entry.disk.name}`, callOptions)
  try {
    const opened = await openLayers(rewrite, scope)
    return await disposedAfter(opened, () => writeDisk(rewrite, opened, scope))
  } finally {
    scope.close()
  }
}

async function writeDisk(rewrite: Rewrite, opened: Opened, scope: Scope): Promise<DiskItem> {
  const { layers, rest, reading, target, names } = rewrite
  const { entry } = layers[0] as Layer
  const [parent] = rest
  const covers = parent === undefined ? 'all' : 'changes'
  const backing = parent && {
    backing: backingName(target, `${parent.manifest.folder}/${parent.entry.file.path}`),
    backingFormat: parent.entry.format,
  }
  const options = { covers, signal: scope.signal, ...backing } as const
  const image = await scope.race(encodeQcow2(opened.view, options))
  reading.meter.expect(image.counts.data * clusterBytes)
  const sums = covers === 'all' ? withoutZeros(opened.sums) : opened.sums
  const put = await putImage(image, { values: sums, end: () => undefined }, names, target, scope, entry.disk.size)
  await requireSameDisk(rewrite, put.sums.path, scope)
  const { parent: _, replaces: __, ...kept } = entry
  return {
    ...kept,
    file: put.file,
    metadata: { size: image.metadataBytes, sha256: put.metadata },
    sums: put.sums,
    form: parent === undefined ? 'full' : 'incremental',
    reason: rewrite.reason,
    ...(parent !== undefined && { parent: parent.manifest.point }),
    dataBytes: image.counts.data * clusterBytes,
  }
}

/** What a smaller disk has cut off does not come back when it grows: no backup builds a smaller disk on a larger one, so this is damage or somebody else's chain. */
function refuseHiddenTail({ layers, rest: [parent] }: Rewrite): void {
  const smallest = Math.min(...layers.map(({ entry }) => entry.disk.size))
  if (parent === undefined || parent.entry.disk.size <= smallest) return
  throw new HoldfastError(
    'UNSUPPORTED',
    `disk ${parent.entry.disk.key}: a layer of ${smallest} bytes builds on one of ${parent.entry.disk.size}`,
  )
}

async function openLayers({ layers, reading }: Rewrite, scope: Scope): Promise<Opened> {
  const opened: AsyncDisposable[] = []
  const dispose = async () => {
    for (const one of opened.splice(0).reverse()) await one[Symbol.asyncDispose]()
  }
  try {
    const blocks: MappedBlocks[] = []
    const sums = []
    for (const layer of layers) {
      const file = await openLayerSums(layer, reading, scope)
      opened.push(file)
      const image = await openLayerImage(layer, reading, scope)
      opened.push(image)
      sums.push({ size: file.size, batches: file.batches(scope) })
      blocks.push(namingLayer(verifiedBlocks(image, file), layer))
    }
    const { size } = (layers[0] as Layer).entry.disk
    const view = guardedBlocks(chainView(blocks, size), scope, reading.flow)
    return { view, sums: overlaySums(sums), [Symbol.asyncDispose]: dispose }
  } catch (error) {
    await dispose()
    throw error
  }
}

/** Damage found while reading names the file of the layer it is in. */
function namingLayer(blocks: MappedBlocks, { manifest, entry }: Layer): MappedBlocks {
  const path = `${manifest.folder}/${entry.file.path}`
  return { ...blocks, readInto: (target, offset, options) => namingFile(path, () => blocks.readInto(target, offset, options)) }
}

/** A full leaves out what is zero: nothing older is there to be hidden. */
async function* withoutZeros(sums: SumBatches): AsyncGenerator<readonly ClusterSum[], void, undefined> {
  for await (const batch of sums) yield batch.filter(({ kind }) => kind === 'data')
}

async function requireSameDisk({ layers, rest, target }: Rewrite, sums: string, scope: Scope): Promise<void> {
  const { entry, manifest } = layers[0] as Layer
  const paths = [`${target.folder}/${sums}`, ...rest.map((layer) => `${layer.manifest.folder}/${layer.entry.sums.path}`)]
  const { digest } = await mergedDigest(paths, target, scope)
  if (digest === entry.digest) return
  throw new HoldfastError(
    'CHECKSUM_MISMATCH',
    `${manifest.folder}: disk ${entry.disk.key} was written anew with the digest ${digest}, but the manifest says ${entry.digest}`,
  )
}
