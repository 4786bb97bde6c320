import { createHash } from 'node:crypto'
import { clusterBytes, type Qcow2Layer, type SumsFile } from '@holdfast/disk-image'
import { HoldfastError } from '../spec/errors.ts'
import { isDamage } from './damage.ts'
import { type DamagedClusters, damagedClusters } from './damaged-clusters.ts'
import { openLayerImage } from './disk-layers.ts'
import { findInTables } from './find-in-tables.ts'
import { type Finding, findingOf } from './finding.ts'
import { dataClusters, eachCluster, eachSum, type ImageCheck } from './image-clusters.ts'
import type { Scope } from './scope.ts'
import { openFile } from './stored-bytes.ts'

/**
 * Metadata against its hash, its map against the sums, and every byte after it against the sum of its cluster. Each of them is looked at whatever the
 * others are like, and each to its end. Without sums only the metadata can be looked at.
 */
export async function* verifyImage(check: ImageCheck, sums: SumsFile | undefined): AsyncGenerator<Finding, void, undefined> {
  const { layer, reading, scope } = check
  const { manifest, entry } = layer
  const path = `${manifest.folder}/${entry.file.path}`
  const unreadable = await findingOf(manifest.point, path, async () => {
    await (await openFile(reading.repository, manifest.folder, entry.file, scope))[Symbol.asyncDispose]()
  })
  if (unreadable !== undefined) return yield { ...unreadable, disk: damagedClusters(entry.disk.size).of(entry.disk.key) }
  yield* found(check, path, 'is not where the sums have it', 'are not where the sums have them', async (clusters) => {
    const image = await openLayerImage(layer, reading, scope).catch(async (error: unknown) => {
      if (sums !== undefined && isDamage(error)) await findInTables(check, sums, clusters)
      throw error
    })
    try {
      if (sums !== undefined) await compareMap(image, sums, clusters, scope)
    } finally {
      await image[Symbol.asyncDispose]()
    }
  })
  if (sums === undefined) return
  yield* found(check, path, 'differs from its sum', 'differ from their sums', (clusters) => compareClusters(check, sums, clusters))
}

/** Runs one check. What it throws and what it adds to the clusters is one finding. */
async function* found(
  { layer: { manifest, entry } }: ImageCheck,
  path: string,
  one: string,
  many: string,
  act: (clusters: DamagedClusters) => Promise<void>,
): AsyncGenerator<Finding, void, undefined> {
  const clusters = damagedClusters(entry.disk.size)
  const thrown = await findingOf(manifest.point, path, () => act(clusters))
  const disk = clusters.of(entry.disk.key)
  if (thrown !== undefined) yield { ...thrown, disk }
  else if (clusters.count > 0) yield { point: manifest.point, file: path, message: `${path}: ${clusters.text(one, many)}`, disk }
}

/** Both lists in step: what only one of them has, or has as another kind. */
async function compareMap(image: Qcow2Layer, sums: SumsFile, clusters: DamagedClusters, scope: Scope): Promise<void> {
  const records = eachSum(sums, scope)
  let record = (await records.next()).value
  for await (const { index, kind } of eachCluster(image, scope)) {
    for (; record !== undefined && record.index < index; record = (await records.next()).value) clusters.add(record.index)
    if (record?.index !== index || record.kind !== kind) clusters.add(index)
    if (record?.index === index) record = (await records.next()).value
  }
  for (; record !== undefined; record = (await records.next()).value) clusters.add(record.index)
}

async function compareClusters(check: ImageCheck, sums: SumsFile, clusters: DamagedClusters): Promise<void> {
  const records = eachSum(sums, check.scope, 'data')
  for await (const cluster of dataClusters(check)) {
    const record = (await records.next()).value
    if (record === undefined) throw new HoldfastError('POINT_DAMAGED', 'there are bytes behind the last cluster')
    if (!isSumOf(record.sum, cluster)) clusters.add(record.index)
  }
  for (let more = (await records.next()).value; more !== undefined; more = (await records.next()).value) clusters.add(more.index)
}

function isSumOf(sum: Uint8Array, cluster: Uint8Array): boolean {
  return cluster.length === clusterBytes && createHash('sha256').update(cluster).digest().compare(sum, 0, sum.length, 0, sum.length) === 0
}
