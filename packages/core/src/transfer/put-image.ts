import { createHash } from 'node:crypto'
import { posix } from 'node:path'
import {
  clusterBytes,
  type EncodedQcow2,
  encodeSums,
  logicalDigest,
  openSums,
  overlaySums,
  type SumBatches,
  type SumLayer,
  type SumsFile,
} from '@holdfast/disk-image'
import type { StoredFileEntry } from '../model/manifest.ts'
import type { ByteStream } from '../spec/blocks.ts'
import { HoldfastError } from '../spec/errors.ts'
import { iterate } from './chunks.ts'
import { counted } from './disk-layers.ts'
import { itemPath, miscounted, putBytes, putFile, type Target, unread, watched } from './put-file.ts'
import { runTogether, type Scope } from './scope.ts'

/** The file names of a disk. */
export interface DiskNames {
  readonly file: string
  readonly sums: string
}

/** The sums of an image while its bytes pass. */
export interface SumsBeside {
  readonly values: SumBatches
  /** All bytes of the image have passed. */
  end(): void
}

/** The qcow2 and, beside it while its bytes pass, its sums. */
export async function putImage(
  image: EncodedQcow2,
  sums: SumsBeside,
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
  image: EncodedQcow2,
  metadata: { sha256: string },
  sums: SumsBeside,
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
export const backingName = (target: Target, baseFile: string): string => posix.relative(`${target.folder}/${target.number}`, baseFile)

/** Opens these sums, newest first, for as long as `use` runs. */
export async function withSums<T>(
  paths: readonly string[],
  target: Target,
  scope: Scope,
  use: (layers: readonly SumLayer[], files: readonly SumsFile[]) => Promise<T>,
): Promise<T> {
  const opened: SumsFile[] = []
  try {
    for (const path of paths) opened.push(await openSums(await target.repository.open(path, scope), scope))
    return await use(
      opened.map((sums) => ({ size: sums.size, batches: sums.batches(scope) })),
      opened,
    )
  } finally {
    for (const sums of opened) await scope.settle(Promise.resolve(sums[Symbol.asyncDispose]()))
  }
}

/** The logical digest of the merged disk, from the sums as they lie in the repository. */
export function mergedDigest(
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
