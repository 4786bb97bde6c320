import { encodeSums, type PassingCluster, passingChanges, passingSums } from '@holdfast/disk-image'
import type { DiskItem, StoredFileEntry } from '../model/manifest.ts'
import type { Receipt, StreamItem } from '../spec/backup.ts'
import { HoldfastError } from '../spec/errors.ts'
import { type BaseDisk, type DiskPlan, storeMapped } from './blocks-item.ts'
import type { Flow } from './chunks.ts'
import { openScratch } from './guarded-scratch.ts'
import { putFile, type Target } from './put-file.ts'
import { type DiskNames, mergedDigest, withSums } from './put-image.ts'
import { receiveStream } from './receive-stream.ts'
import type { Scope } from './scope.ts'
import type { Scratch } from './scratch.ts'

/** A stream of a disk. */
export type VmdkItem = StreamItem & { readonly format: 'vmdk' }

/** The cluster sums of a VMDK, made while it passes. */
export interface SumsOfVmdk extends AsyncDisposable {
  readonly onCluster: (cluster: PassingCluster) => Promise<void>
  /** After the end was proven. */
  put(name: string): Promise<{ readonly sums: StoredFileEntry; readonly digest: string; readonly usedBytes: number }>
}

/** Makes the sums of a VMDK that is kept as it comes, so that the next point can build on it. */
export async function sumsOfVmdk({ disk: { size } }: VmdkItem, target: Target, scope: Scope, scratch: Scratch): Promise<SumsOfVmdk> {
  const space = await openScratch(scratch, scope)
  const sums = passingSums(size, space)
  return {
    onCluster: (cluster) => scope.race(sums.add(cluster)),
    async put(name) {
      const encoded = encodeSums({ size, count: sums.count }, sums.batches({ signal: scope.signal }))
      const file = await putFile(target, name, encoded.bytes, scope, encoded.size)
      return { sums: file, ...(await mergedDigest([`${target.folder}/${file.path}`], target, scope)) }
    },
    [Symbol.asyncDispose]: () => space[Symbol.asyncDispose](),
  }
}

/** What came of a disk that has a base: what differs from it. */
export interface StoredIncrement {
  readonly entry: DiskItem
  readonly receipt: Receipt
  readonly usedBytes: number
}

/**
 * Stores what differs from the base of a VMDK that passes once. Changed clusters go to a scratch file, because an image says first what it holds. The point must
 * then hold the disk that came: the digest of the merged chain is compared with that of the clusters that passed.
 */
export async function storeVmdkIncrement(
  item: VmdkItem,
  plan: DiskPlan & { readonly base: BaseDisk },
  names: DiskNames,
  target: Target,
  scope: Scope,
  flow: Flow,
  scratch: Scratch,
): Promise<StoredIncrement> {
  const { disk } = item
  const { base } = plan
  const space = await openScratch(scratch, scope)
  try {
    const { receipt, blocks, digest } = await withSums(base.sums, target, scope, async (_, files) => {
      const changes = passingChanges({ size: disk.size, base: files, space, signal: scope.signal })
      const receipt = await receiveStream({ item, scope, flow, onCluster: (cluster) => scope.race(changes.add(cluster)) })
      return { receipt, ...(await scope.race(changes.end())) }
    })
    const { entry, usedBytes } = await storeMapped(blocks, disk, plan, names, target, scope, () => undefined)
    if (digest !== undefined && digest !== entry.digest)
      throw new HoldfastError(
        'CHECKSUM_MISMATCH',
        `${item.name}: the disk that came has the digest ${digest}, with its base the increment has ${entry.digest}`,
        {
          remedy: `Verify the repository: the sums of ${base.point} or of a point below may be damaged. Check the disk of the scratch folder.`,
        },
      )
    return { entry, receipt: { ...receipt, kept: false }, usedBytes }
  } finally {
    await space[Symbol.asyncDispose]()
  }
}
