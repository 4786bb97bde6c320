import { createHash } from 'node:crypto'
import { posix } from 'node:path'
import {
  type ClusterSum,
  changedBlocks,
  clusterBytes,
  encodeQcow2,
  encodeSums,
  logicalDigest,
  mapBlocks,
  openSums,
  overlaySums,
  type SumLayer,
  type SumsFile,
} from '@holdfast/disk-image'
import type { DiskItem, StoredFileEntry } from '../model/manifest.ts'
import type { BlocksItem } from '../spec/backup.ts'
import type { ByteStream, MappedBlocks } from '../spec/blocks.ts'
import { HoldfastError } from '../spec/errors.ts'
import { type Channel, createChannel } from './channel.ts'
import { type Flow, iterate } from './chunks.ts'
import { counted, disposedOnFailure } from './disk-layers.ts'
import { guardedBlocks, guardedSource } from './guarded-blocks.ts'
import { openOnce } from './open-once.ts'
import { itemPath, miscounted, putBytes, putFile, type Target, unread, watched } from './put-file.ts'
import { runTogether, type Scope } from './scope.ts'

/** A disk of the point that this backup may build on. */
export interface BaseDisk {
  readonly key: string
  readonly size: number
  /** Id of the point of its newest layer: the parent of what is built on it. */
  readonly point: string
  /** Repository path of its newest qcow2. */
  readonly file: string
  /** Repository paths of its `.sums`, newest first, down to those of the full. */
  readonly sums: readonly string[]
}

/** The file names of a disk. */
export interface DiskNames {
  readonly file: string
  readonly sums: string
}

interface Plan {
  readonly covers: 'all' | 'changes'
  readonly base?: BaseDisk
  readonly reason: string
}

/** Full or incremental, and why. Throws before anything is opened. */
export function planDisk(item: BlocksItem, base: BaseDisk | undefined, noBase: string): Plan {
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

/** Stores one disk as qcow2 with its sums. `usedBytes` counts the whole merged disk. */
export async function storeDisk(
  item: BlocksItem,
  plan: Plan,
  names: DiskNames,
  target: Target,
  scope: Scope,
  flow: Flow,
  expect: (bytes: number) => void,
): Promise<{ readonly entry: DiskItem; readonly usedBytes: number }> {
  const mapped = await openDisk(item, plan, target, scope, flow)
  try {
    const sums = createChannel<readonly ClusterSum[]>(scope, 8)
    const backing = plan.base === undefined ? undefined : backingName(target, plan.base.file)
    const options = { covers: plan.covers, signal: scope.signal, onSums: sums.send, ...(backing !== undefined && { backing }) }
    const image = await scope.race(encodeQcow2(mapped, options))
    expect(image.counts.data * clusterBytes)
    const put = await putImage(image, sums, names, target, scope, item.disk.size)
    const merged = await mergedDigest([`${target.folder}/${put.sums.path}`, ...(plan.base?.sums ?? [])], target, scope)
    const entry: DiskItem = {
      type: 'disk',
      disk: { key: item.disk.key, name: item.disk.name, size: item.disk.size },
      format: 'qcow2',
      file: put.file,
      metadata: { size: image.metadataBytes, sha256: put.metadata },
      sums: put.sums,
      digest: merged.digest,
      form: plan.base === undefined ? 'full' : 'incremental',
      reason: plan.reason,
      ...(plan.base !== undefined && { parent: plan.base.point }),
      dataBytes: image.counts.data * clusterBytes,
    }
    return { entry, usedBytes: merged.usedBytes }
  } finally {
    await mapped[Symbol.asyncDispose]()
  }
}

/** Opens the item and finds out what is to be stored of it; whatever was opened is closed when that fails. */
async function openDisk(item: BlocksItem, plan: Plan, target: Target, scope: Scope, flow: Flow): Promise<MappedBlocks> {
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

type Image = Awaited<ReturnType<typeof encodeQcow2>>

/** The qcow2 and, beside it while its bytes pass, its sums. */
async function putImage(
  image: Image,
  sums: Channel<readonly ClusterSum[]>,
  names: DiskNames,
  target: Target,
  scope: Scope,
  diskSize: number,
): Promise<{ readonly file: StoredFileEntry; readonly sums: StoredFileEntry; readonly metadata: string }> {
  const metadata = { sha256: '' }
  let file: StoredFileEntry | undefined
  let sumsFile: StoredFileEntry | undefined
  const putQcow2 = async () => {
    const bytes = imageBytes(image, metadata, sums, scope)
    const stored = await putBytes(target, names.file, watched(bytes, scope), scope, image.size)
    if (metadata.sha256 === '') throw unread(target, names.file)
    if (stored.sha256 === undefined && stored.size !== image.size) throw miscounted(target, names.file, stored.size, image.size)
    file = { path: itemPath(target, names.file), size: stored.size }
  }
  const putSums = async () => {
    const encoded = encodeSums({ size: diskSize, count: image.counts.data + image.counts.zero }, sums.values)
    sumsFile = await putFile(target, names.sums, encoded.bytes, scope, encoded.size)
  }
  await runTogether(scope, [putQcow2, putSums])
  if (file === undefined || sumsFile === undefined) throw unread(target, names.file)
  return { file, sums: sumsFile, metadata: metadata.sha256 }
}

/** The bytes of the image; the hash of its metadata is known when they have ended. */
async function* imageBytes(
  image: Image,
  metadata: { sha256: string },
  sums: Channel<readonly ClusterSum[]>,
  scope: Scope,
): AsyncGenerator<Uint8Array, void, undefined> {
  const hash = createHash('sha256')
  let position = 0
  try {
    const bytes: ByteStream = image.open({ signal: scope.signal })
    for await (const chunk of iterate(bytes, scope)) {
      if (position < image.metadataBytes) hash.update(chunk.subarray(0, image.metadataBytes - position))
      position += chunk.length
      yield chunk
    }
    if (position !== image.size)
      throw new HoldfastError('INTERNAL', `${scope.what}: the qcow2 has ${position} bytes instead of ${image.size}`)
  } catch (error) {
    scope.fail(error)
    throw error
  }
  sums.end()
  metadata.sha256 = hash.digest('hex')
  scope.pause()
}

/** Relative to the file that names it, so that the chain can be opened where the repository lies, and after it was moved. */
const backingName = (target: Target, baseFile: string): string => posix.relative(`${target.folder}/${target.number}`, baseFile)

/** Opens these sums, newest first, for as long as `use` runs. */
async function withSums<T>(
  paths: readonly string[],
  target: Target,
  scope: Scope,
  use: (layers: readonly SumLayer[]) => Promise<T>,
): Promise<T> {
  const opened: SumsFile[] = []
  try {
    for (const path of paths) opened.push(await openSums(await target.repository.open(path, scope), scope))
    return await use(opened.map((sums) => ({ size: sums.size, batches: sums.batches(scope) })))
  } finally {
    for (const sums of opened) await scope.settle(Promise.resolve(sums[Symbol.asyncDispose]()))
  }
}

/** The logical digest of the merged disk, from the sums as they lie in the repository. */
function mergedDigest(
  paths: readonly string[],
  target: Target,
  scope: Scope,
): Promise<{ readonly digest: string; readonly usedBytes: number }> {
  return withSums(paths, target, scope, async (layers) => {
    const count = { data: 0 }
    const digest = await scope.race(logicalDigest(counted(overlaySums(layers), count)))
    return { digest, usedBytes: count.data * clusterBytes }
  })
}
