import { createHash } from 'node:crypto'
import {
  type ClusterSum,
  clusterBytes,
  logicalDigest,
  openQcow2,
  openSums,
  overlaySums,
  type Qcow2Layer,
  type SumBatches,
  type SumsFile,
} from '@holdfast/disk-image'
import { diskEntriesOf } from '../model/disk-entries.ts'
import type { DiskItem, Manifest } from '../model/manifest.ts'
import { HoldfastError } from '../spec/errors.ts'
import { namingFile } from './damage.ts'
import { guardedSource } from './guarded-blocks.ts'
import type { Reading } from './reading.ts'
import type { Scope } from './scope.ts'
import { mismatch, type OpenFile, openFile, partOfFile, wholeFile } from './stored-bytes.ts'
import { openVmdkLayer } from './vmdk-layer.ts'

/** One layer of a disk's chain, as manifests tell it. */
export interface Layer {
  readonly manifest: Manifest
  readonly entry: DiskItem
}

/** The chain of a disk, newest first, down to its full. The order comes from manifests alone, never from a name inside a file. */
export function layersOf(point: Manifest, key: string, ancestors: ReadonlyMap<string, Manifest>): readonly Layer[] {
  const layers: Layer[] = []
  const seen = new Set<string>()
  for (let manifest = point; ; ) {
    const entry = diskEntriesOf(manifest).find(({ disk }) => disk.key === key)
    if (entry === undefined)
      throw new HoldfastError(
        'POINT_DAMAGED',
        `${manifest.folder}: there is no disk "${key}" in the manifest, but a later point builds on it`,
      )
    layers.push({ manifest, entry })
    seen.add(manifest.point)
    if (entry.parent === undefined) return layers
    const parent = ancestors.get(entry.parent)
    if (parent === undefined || seen.has(entry.parent))
      throw new HoldfastError(
        'POINT_DAMAGED',
        `${manifest.folder}: the disk "${key}" builds on the point ${entry.parent}, which is not there`,
      )
    manifest = parent
  }
}

const noFlow = { pass: () => undefined }

/** The cluster sums of a layer, after the whole file was compared with its recorded hash. */
export async function openLayerSums({ manifest, entry }: Layer, reading: Reading, scope: Scope): Promise<SumsFile> {
  const file = await openFile(reading.repository, manifest.folder, entry.sums, scope)
  return disposedOnFailure(file, () =>
    namingFile(file.path, async () => {
      for await (const _ of wholeFile(file, scope));
      const sums = await openSums(guardedSource(file.bytes, scope, noFlow), { signal: scope.signal })
      if (sums.size !== entry.disk.size)
        throw new HoldfastError('POINT_DAMAGED', `${file.path}: sums of a disk of ${sums.size} bytes, the manifest says ${entry.disk.size}`)
      return sums
    }),
  )
}

/** The image of a layer, after its map was proven: that of a qcow2 by the recorded hash of its metadata, that of a VMDK by its sums. */
export async function openLayerImage(layer: Layer, reading: Reading, scope: Scope): Promise<Qcow2Layer> {
  const { manifest, entry } = layer
  if (entry.format === 'vmdk') return openKeptVmdk(layer, reading, scope)
  const file = await openFile(reading.repository, manifest.folder, entry.file, scope)
  return disposedOnFailure(file, () =>
    namingFile(file.path, async () => {
      await checkMetadata(file, entry, scope)
      const image = await openQcow2(guardedSource(file.bytes, scope, noFlow), { signal: scope.signal })
      if (image.size !== entry.disk.size || image.metadataBytes !== entry.metadata.size)
        throw new HoldfastError('POINT_DAMAGED', `${file.path}: a disk of ${image.size} bytes, the manifest says ${entry.disk.size}`)
      return image
    }),
  )
}

async function openKeptVmdk(layer: Layer, reading: Reading, scope: Scope): Promise<Qcow2Layer> {
  const { manifest, entry } = layer
  const file = await openFile(reading.repository, manifest.folder, entry.file, scope)
  return disposedOnFailure(file, async () => {
    const sums = await openLayerSums(layer, reading, scope)
    try {
      const source = guardedSource(file.bytes, scope, noFlow)
      const image = await namingFile(file.path, () => openVmdkLayer(source, sums, { signal: scope.signal }))
      return { ...image, metadataBytes: entry.metadata.size }
    } finally {
      await scope.settle(Promise.resolve(sums[Symbol.asyncDispose]()))
    }
  })
}

async function checkMetadata(file: OpenFile, entry: DiskItem, scope: Scope): Promise<void> {
  const { size, sha256 } = entry.metadata
  if (size > entry.file.size) throw new HoldfastError('POINT_DAMAGED', `${file.path}: shorter than its metadata`)
  const hash = createHash('sha256')
  for await (const chunk of partOfFile(file, 0, size, scope)) hash.update(chunk)
  const found = hash.digest('hex')
  if (found !== sha256) throw mismatch(`${file.path} (its metadata)`, found, sha256)
}

/** `await using`, which Node 22 does not know. */
export async function disposedAfter<T>(opened: AsyncDisposable, use: () => Promise<T>): Promise<T> {
  try {
    return await use()
  } finally {
    await opened[Symbol.asyncDispose]()
  }
}

export async function disposedOnFailure<T>(opened: AsyncDisposable, use: () => Promise<T>): Promise<T> {
  try {
    return await use()
  } catch (error) {
    await opened[Symbol.asyncDispose]()
    throw error
  }
}

/** Compares the merged sums of a chain with the digest of its newest layer: proves that these layers are that disk. Returns the bytes it uses. */
export async function checkDigest(layers: readonly Layer[], sums: readonly SumsFile[], scope: Scope): Promise<number> {
  const newest = layers[0] as Layer
  const count = { data: 0 }
  const merged = overlaySums(sums.map((file) => ({ size: file.size, batches: file.batches({ signal: scope.signal }) })))
  const digest = await scope.race(logicalDigest(counted(merged, count)))
  const { manifest, entry } = newest
  if (digest !== entry.digest)
    throw new HoldfastError(
      'CHECKSUM_MISMATCH',
      `${manifest.folder}/${entry.sums.path}: the merged disk ${entry.disk.key} has the digest ${digest}, the manifest says ${entry.digest}`,
    )
  return count.data * clusterBytes
}

/** The same batches; how many data clusters they name is known when they have ended. */
export async function* counted(batches: SumBatches, count: { data: number }): AsyncGenerator<readonly ClusterSum[], void, undefined> {
  for await (const batch of batches) {
    for (const { kind } of batch) if (kind === 'data') count.data++
    yield batch
  }
}
