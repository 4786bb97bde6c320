import { createHash } from 'node:crypto'
import { type ClusterSum, clusterBytes, type Qcow2Layer, type SumsFile } from '@holdfast/disk-image'
import type { DiskItem, Manifest } from '../model/manifest.ts'
import type { CallOptions } from '../spec/blocks.ts'
import { HoldfastError } from '../spec/errors.ts'
import { gather, iterate } from './chunks.ts'
import { checkDigest, type Layer, layersOf, openLayerImage, openLayerSums } from './disk-layers.ts'
import { type Finding, findingOf } from './finding.ts'
import type { Reading } from './reading.ts'
import type { Scope } from './scope.ts'
import { openFile, partOfFile } from './stored-bytes.ts'

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
    const sumsPath = `${point.folder}/${entry.sums.path}`
    const imagePath = `${point.folder}/${entry.file.path}`
    const sumsFinding = await findingOf(point.point, sumsPath, () => open(own))
    if (sumsFinding !== undefined) yield sumsFinding
    const sums = opened[0]
    const imageFinding = await findingOf(point.point, imagePath, () => checkImage(own, sums, reading, scope))
    if (imageFinding !== undefined) yield imageFinding
    if (sums === undefined) return
    yield* checkChain(own, ancestors, sums, opened, open, sumsPath, scope)
  } finally {
    for (const sums of opened) await scope.settle(Promise.resolve(sums[Symbol.asyncDispose]()))
    scope.close()
  }
}

/** The digest of the merged disk; a layer below that cannot be read is a finding at that layer. */
async function* checkChain(
  own: Layer,
  ancestors: ReadonlyMap<string, Manifest>,
  sums: SumsFile,
  opened: SumsFile[],
  open: (layer: Layer) => Promise<void>,
  sumsPath: string,
  scope: Scope,
): AsyncGenerator<Finding, void, undefined> {
  const { manifest, entry } = own
  let layers: readonly Layer[] = []
  const chainFinding = await findingOf(manifest.point, `${manifest.folder}/${entry.file.path}`, async () => {
    layers = layersOf(manifest, entry.disk.key, ancestors)
  })
  if (chainFinding !== undefined) return yield chainFinding
  const chain = [sums]
  for (const layer of layers.slice(1)) {
    const finding = await findingOf(layer.manifest.point, `${layer.manifest.folder}/${layer.entry.sums.path}`, () => open(layer))
    if (finding !== undefined) return yield finding
    chain.push(opened[0] as SumsFile)
  }
  const digestFinding = await findingOf(manifest.point, sumsPath, async () => {
    await checkDigest(layers, chain, scope)
  })
  if (digestFinding !== undefined) yield digestFinding
}

/** Metadata against its hash, its map against the sums, and every byte after it against the sum of its cluster. */
async function checkImage(layer: Layer, sums: SumsFile | undefined, reading: Reading, scope: Scope): Promise<void> {
  const image = await openLayerImage(layer, reading, scope)
  try {
    if (sums === undefined) return
    await checkMap(image, sums, scope)
    await checkClusters(layer, sums, reading, scope)
  } finally {
    await image[Symbol.asyncDispose]()
  }
}

async function checkMap(image: Qcow2Layer, sums: SumsFile, scope: Scope): Promise<void> {
  const records = flat(sums, scope)
  for await (const { offset, length, kind } of iterate(image.extents({ signal: scope.signal }), scope)) {
    for (let at = offset; at < offset + length; at += clusterBytes) {
      const record = (await records.next()).value
      if (record === undefined || record.index * clusterBytes !== at || record.kind !== kind)
        throw new HoldfastError('POINT_DAMAGED', `the cluster at guest offset ${at} is "${kind}" in the image, but not in its sums`)
    }
  }
  const more = (await records.next()).value
  if (more !== undefined)
    throw new HoldfastError(
      'POINT_DAMAGED',
      `the sums name a cluster at guest offset ${more.index * clusterBytes} that the image does not hold`,
    )
}

/**
 * Data clusters lie one after the other in guest order behind the metadata: one forward read sees every byte, what pads the last cluster of an odd-sized
 * disk included, which no guest read would.
 */
async function checkClusters(layer: Layer, sums: SumsFile, reading: Reading, scope: Scope): Promise<void> {
  const { manifest, entry } = layer
  const file = await openFile(reading.repository, manifest.folder, entry.file, scope)
  const records = flat(sums, scope, 'data')
  reading.meter.expect(entry.file.size - entry.metadata.size)
  try {
    for await (const piece of gather(partOfFile(file, entry.metadata.size, entry.file.size, scope), true, clusterBytes)) {
      for (let at = 0; at < piece.length; at += clusterBytes) {
        const record = (await records.next()).value
        if (record === undefined) throw new HoldfastError('POINT_DAMAGED', `${file.path}: there are bytes behind the last cluster`)
        checkCluster(piece.subarray(at, at + clusterBytes), record, file.path)
      }
      const held = reading.flow.pass(piece.length, scope)
      if (held !== undefined) await scope.race(held)
    }
  } finally {
    await file[Symbol.asyncDispose]()
  }
  if ((await records.next()).value !== undefined) throw new HoldfastError('POINT_DAMAGED', `${file.path}: the last clusters are missing`)
}

function checkCluster(bytes: Uint8Array, record: ClusterSum, path: string): void {
  const sum = createHash('sha256').update(bytes).digest()
  if (bytes.length !== clusterBytes || sum.compare(record.sum, 0, record.sum.length, 0, record.sum.length) !== 0)
    throw new HoldfastError('CHECKSUM_MISMATCH', `${path}: the cluster at guest offset ${record.index * clusterBytes} differs from its sum`)
}

async function* flat(sums: SumsFile, scope: Scope, kind?: ClusterSum['kind']): AsyncGenerator<ClusterSum, undefined, undefined> {
  for await (const batch of sums.batches({ signal: scope.signal })) {
    for (const record of batch) if (kind === undefined || record.kind === kind) yield record
  }
  return undefined
}
