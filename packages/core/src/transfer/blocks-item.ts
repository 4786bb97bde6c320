import { type ClusterSum, changedBlocks, clusterBytes, encodeQcow2, mapBlocks, overlaySums } from '@holdfast/disk-image'
import type { DiskItem } from '../model/manifest.ts'
import type { BlocksItem, Disk } from '../spec/backup.ts'
import type { MappedBlocks } from '../spec/blocks.ts'
import { HoldfastError } from '../spec/errors.ts'
import { createChannel } from './channel.ts'
import type { Flow } from './chunks.ts'
import { disposedOnFailure } from './disk-layers.ts'
import { guardedBlocks, guardedSource } from './guarded-blocks.ts'
import { openOnce } from './open-once.ts'
import type { Target } from './put-file.ts'
import { backingName, type DiskNames, mergedDigest, putImage, withSums } from './put-image.ts'
import type { Scope } from './scope.ts'

/** A disk of the point that this backup may build on. */
export interface BaseDisk {
  readonly key: string
  readonly size: number
  /** Id of the point of its newest layer: the parent of what is built on it. */
  readonly point: string
  /** Repository path of its newest file. */
  readonly file: string
  /** What that file is. Default `qcow2`. */
  readonly format?: 'qcow2' | 'vmdk'
  /** Repository paths of its `.sums`, newest first, down to those of the full. */
  readonly sums: readonly string[]
}

/** How a disk is stored. */
export interface DiskPlan {
  readonly covers: 'all' | 'changes'
  readonly base?: BaseDisk
  readonly reason: string
}

/** What the plan of a disk depends on. */
export type PlannedItem = Pick<BlocksItem, 'disk' | 'covers' | 'reason'>

/** Full or incremental, and why. Throws before anything is opened. */
export function planDisk(item: PlannedItem, base: BaseDisk | undefined, noBase: string): DiskPlan {
  const { key, size } = item.disk
  if (!Number.isSafeInteger(size) || size < 0)
    throw new HoldfastError('INVALID_OPTIONS', `disk ${key}: the size ${size} is no number of bytes`)
  if (item.covers === 'all')
    return { covers: 'all', reason: item.reason ?? (base === undefined ? noBase : 'the platform gave the whole disk') }
  if (item.covers === 'changes') {
    if (base === undefined)
      throw new HoldfastError('INVALID_OPTIONS', `disk ${key}: covers is "changes", but this backup has no base for it`, {
        remedy: 'Give "changes" only for disks that the request names in its base.',
      })
    // What a smaller disk cut off inside its last cluster is not among its changes.
    if (size < base.size)
      throw new HoldfastError('BASE_LOST', `disk ${key} shrank from ${base.size} to ${size} bytes: its changes cannot build on the base`)
    return { covers: 'changes', base, reason: item.reason ?? `changes since ${base.point}` }
  }
  if (base === undefined) return { covers: 'all', reason: item.reason ?? noBase }
  if (size < base.size) return { covers: 'all', reason: `the disk shrank from ${base.size} to ${size} bytes` }
  return { covers: 'changes', base, reason: `compared with the sums of ${base.point}` }
}

/** `usedBytes` counts the whole merged disk. */
export interface StoredDiskItem {
  readonly entry: DiskItem
  readonly usedBytes: number
}

/** Stores one disk as qcow2 with its sums. */
export async function storeDisk(
  item: BlocksItem,
  plan: DiskPlan,
  names: DiskNames,
  target: Target,
  scope: Scope,
  flow: Flow,
  expect: (bytes: number) => void,
): Promise<StoredDiskItem> {
  const mapped = await openDisk(item, plan, target, scope, flow)
  try {
    return await storeMapped(mapped, item.disk, plan, names, target, scope, expect)
  } finally {
    await mapped[Symbol.asyncDispose]()
  }
}

/** Stores a disk of which it is known what is to be stored. It stays the caller's. */
export async function storeMapped(
  mapped: MappedBlocks,
  { key, name, size }: Disk,
  { covers, base, reason }: DiskPlan,
  names: DiskNames,
  target: Target,
  scope: Scope,
  expect: (bytes: number) => void,
): Promise<StoredDiskItem> {
  const sums = createChannel<readonly ClusterSum[]>(scope, 8)
  const backing = base && { backing: backingName(target, base.file), backingFormat: base.format ?? 'qcow2' }
  const image = await scope.race(encodeQcow2(mapped, { covers, signal: scope.signal, onSums: sums.send, ...backing }))
  expect(image.counts.data * clusterBytes)
  const put = await putImage(image, sums, names, target, scope, size)
  const merged = await mergedDigest([`${target.folder}/${put.sums.path}`, ...(base?.sums ?? [])], target, scope)
  const entry: DiskItem = {
    type: 'disk',
    disk: { key, name, size },
    format: 'qcow2',
    file: put.file,
    metadata: { size: image.metadataBytes, sha256: put.metadata },
    sums: put.sums,
    digest: merged.digest,
    form: base === undefined ? 'full' : 'incremental',
    reason,
    ...(base !== undefined && { parent: base.point }),
    dataBytes: image.counts.data * clusterBytes,
  }
  return { entry, usedBytes: merged.usedBytes }
}

/** Opens the item and finds out what is to be stored of it; whatever was opened is closed when that fails. */
async function openDisk(item: BlocksItem, plan: DiskPlan, target: Target, scope: Scope, flow: Flow): Promise<MappedBlocks> {
  const { disk } = item
  const checkSize = (size: number) => {
    if (size !== disk.size)
      throw new HoldfastError('PROVIDER_FAILED', `disk ${disk.key}: announced with ${disk.size} bytes, opened with ${size}`)
  }
  if (item.covers !== 'unmapped') {
    const blocks = guardedBlocks(await openOnce(() => item.open({ signal: scope.signal }), scope), scope, flow)
    return disposedOnFailure(blocks, async () => {
      checkSize(blocks.size)
      return blocks
    })
  }
  const source = guardedSource(await openOnce(() => item.open({ signal: scope.signal }), scope), scope, flow)
  const { base } = plan
  return disposedOnFailure(source, async () => {
    checkSize(source.size)
    if (base === undefined) return scope.race(mapBlocks(source, scope))
    return withSums(base.sums, target, scope, (layers) =>
      scope.race(changedBlocks(source, overlaySums(layers), { signal: scope.signal, baseSize: base.size })),
    )
  })
}
