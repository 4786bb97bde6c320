import { chainView, verifiedBlocks } from '@holdfast/disk-image'
import type { DiskItem, Manifest } from '../model/manifest.ts'
import type { CallOptions, MappedBlocks } from '../spec/blocks.ts'
import { throwIfAborted } from '../spec/helpers/abort.ts'
import type { StoredDisk } from '../spec/restore.ts'
import { namingFile } from './damage.ts'
import { checkDigest, type Layer, layersOf, openLayerImage, openLayerSums } from './disk-layers.ts'
import { guardedBlocks } from './guarded-blocks.ts'
import type { Reading } from './reading.ts'
import type { Scope } from './scope.ts'

/** A disk of the point with its chain, for the provider. */
export function storedDisk(point: Manifest, entry: DiskItem, ancestors: ReadonlyMap<string, Manifest>, reading: Reading): StoredDisk {
  const { key, name, size } = entry.disk

  /** `whole`: the layers reach down to the full, so they must give the recorded digest. */
  async function view(layers: readonly Layer[], whole: boolean, options: CallOptions): Promise<MappedBlocks> {
    const scope = reading.scope(`disk ${name}`, options)
    try {
      const opened = await openLayers(layers, whole, scope)
      const chain = guardedBlocks(chainView(opened, size), scope, reading.flow)
      return closingScope(chain, scope)
    } catch (error) {
      scope.close()
      throw error
    }
  }

  async function openLayers(layers: readonly Layer[], whole: boolean, scope: Scope): Promise<readonly MappedBlocks[]> {
    const opened: AsyncDisposable[] = []
    const sums = []
    const blocks: MappedBlocks[] = []
    try {
      for (const layer of layers) {
        const file = await openLayerSums(layer, reading, scope)
        opened.push(file)
        sums.push(file)
      }
      if (whole) reading.meter.expect(await checkDigest(layers, sums, scope))
      for (const [index, layer] of layers.entries()) {
        const image = await openLayerImage(layer, reading, scope)
        opened.push(image)
        blocks.push(namingLayer(verifiedBlocks(image, sums[index] as (typeof sums)[number]), layer))
      }
      return blocks
    } catch (error) {
      for (const one of opened) await one[Symbol.asyncDispose]()
      throw error
    }
  }

  return {
    key,
    name,
    size,
    open: async (options) => view(layersOf(point, key, ancestors), true, options),
    async openChanges(sincePoint, options) {
      const layers = layersOf(point, key, ancestors)
      const since = layers.findIndex(({ manifest }) => manifest.point === sincePoint)
      if (since < 0) return undefined
      return view(layers.slice(0, since), false, options)
    },
  }
}

/** Damage found while reading names the file of the layer it is in. */
function namingLayer(blocks: MappedBlocks, { manifest, entry }: Layer): MappedBlocks {
  const path = `${manifest.folder}/${entry.file.path}`
  return { ...blocks, readInto: (target, offset, options) => namingFile(path, () => blocks.readInto(target, offset, options)) }
}

/** The scope ends with the view. */
export function closingScope(blocks: MappedBlocks, scope: Scope): MappedBlocks {
  return {
    ...blocks,
    async readInto(target, offset, options) {
      throwIfAborted(options.signal)
      await blocks.readInto(target, offset, options)
    },
    async [Symbol.asyncDispose]() {
      await blocks[Symbol.asyncDispose]()
      scope.close()
    },
  }
}
