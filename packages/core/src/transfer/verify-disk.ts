import type { SumsFile } from '@holdfast/disk-image'
import type { DiskItem, Manifest } from '../model/manifest.ts'
import type { CallOptions } from '../spec/blocks.ts'
import { damagedClusters } from './damaged-clusters.ts'
import { checkDigest, type Layer, layersOf, openLayerSums } from './disk-layers.ts'
import { findInSums } from './find-in-sums.ts'
import { type Finding, findingOf } from './finding.ts'
import type { Reading } from './reading.ts'
import type { Scope } from './scope.ts'
import { verifyImage } from './verify-image.ts'

/** Reads a disk's file and sums to their ends, and the sums of the layers below for the digest. */
export async function* verifyDisk(
  point: Manifest,
  entry: DiskItem,
  ancestors: ReadonlyMap<string, Manifest>,
  reading: Reading,
  options: CallOptions,
): AsyncGenerator<Finding, void, undefined> {
  const scope = reading.scope(`disk ${entry.disk.name}`, options)
  const opened: SumsFile[] = []
  const open = async (layer: Layer) => {
    opened.unshift(await openLayerSums(layer, reading, scope))
  }
  try {
    const own = { manifest: point, entry }
    const sumsFinding = await findingOf(point.point, sumsPathOf(own), () => open(own))
    const sums = opened[0]
    const check = { layer: own, reading, scope }
    if (sumsFinding !== undefined) yield { ...sumsFinding, disk: (await findInSums(check)).of(entry.disk.key) }
    yield* verifyImage(check, sums)
    if (sums !== undefined) yield* verifyChain(own, ancestors, sums, opened, open, scope)
  } finally {
    for (const sums of opened) await scope.settle(Promise.resolve(sums[Symbol.asyncDispose]()))
    scope.close()
  }
}

const sumsPathOf = ({ manifest, entry }: Layer): string => `${manifest.folder}/${entry.sums.path}`

/** The chain down to its full, and the digest of the merged disk; a layer below that cannot be read is a finding at that layer. */
async function* verifyChain(
  own: Layer,
  ancestors: ReadonlyMap<string, Manifest>,
  sums: SumsFile,
  opened: SumsFile[],
  open: (layer: Layer) => Promise<void>,
  scope: Scope,
): AsyncGenerator<Finding, void, undefined> {
  const { manifest, entry } = own
  // Nothing can be told of single clusters: it is the whole that is wrong.
  const disk = damagedClusters(entry.disk.size).of(entry.disk.key)
  let layers: readonly Layer[] = []
  const chainFinding = await findingOf(manifest.point, `${manifest.folder}/${entry.file.path}`, async () => {
    layers = layersOf(manifest, entry.disk.key, ancestors)
  })
  if (chainFinding !== undefined) return yield { ...chainFinding, disk }
  const chain = [sums]
  for (const layer of layers.slice(1)) {
    const finding = await findingOf(layer.manifest.point, sumsPathOf(layer), () => open(layer))
    if (finding !== undefined) return yield { ...finding, disk }
    chain.push(opened[0] as SumsFile)
  }
  const digestFinding = await findingOf(manifest.point, sumsPathOf(own), async () => {
    await checkDigest(layers, chain, scope)
  })
  if (digestFinding !== undefined) yield { ...digestFinding, disk }
}
