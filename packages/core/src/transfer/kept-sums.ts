import { createHash } from 'node:crypto'
import { clusterBytes, type PassingCluster, type SumsFile } from '@holdfast/disk-image'
import type { DiskItem, Manifest } from '../model/manifest.ts'
import { type DamagedClusters, damagedClusters } from './damaged-clusters.ts'
import { checkDigest, openLayerSums } from './disk-layers.ts'
import { type Finding, findingOf } from './finding.ts'
import type { Reading } from './reading.ts'
import type { Scope } from './scope.ts'

/** The cluster sums of a VMDK that was kept as it came, compared with it while it is read. */
export interface KeptSums extends AsyncDisposable {
  /** What is wrong with the sums themselves. Then nothing is compared. */
  readonly findings: readonly Finding[]
  /** Absent: nothing to compare with. */
  readonly onCluster?: (cluster: PassingCluster) => Promise<void>
  /** Clusters so far that differ from their sums. */
  readonly damaged: DamagedClusters
  /** After the last cluster: what the two do not agree on, although each is as it was recorded. */
  end(): Finding | undefined
}

/** Opens the sums, which must have the recorded hash and give the recorded digest. */
export async function openKeptSums(point: Manifest, entry: DiskItem, reading: Reading, scope: Scope): Promise<KeptSums> {
  const layer = { manifest: point, entry }
  const path = `${point.folder}/${entry.sums.path}`
  const damaged = damagedClusters(entry.disk.size)
  let sums: SumsFile | undefined
  const finding = await findingOf(point.point, path, async () => {
    sums = await openLayerSums(layer, reading, scope)
    await checkDigest([layer], [sums], scope)
  })
  const opened = sums
  const findings = finding === undefined ? [] : [{ ...finding, disk: damaged.of(entry.disk.key) }]
  const seen = { count: 0 }
  return {
    findings,
    damaged,
    ...(opened !== undefined &&
      finding === undefined && {
        async onCluster(cluster: PassingCluster) {
          seen.count += 1
          const expected = await opened.find(cluster.index, { signal: scope.signal })
          if (expected === undefined || !sumOf(cluster, entry.disk.size).equals(expected.sum)) damaged.add(cluster.index)
        },
      }),
    end() {
      if (opened === undefined || finding !== undefined || (damaged.count === 0 && seen.count === opened.count)) return undefined
      const what =
        damaged.count > 0 ? damaged.text('differs from its sum', 'differ from their sums') : 'it names clusters that are not there'
      return { point: point.point, file: path, message: `${path}: ${what}`, disk: damaged.of(entry.disk.key) }
    },
    async [Symbol.asyncDispose]() {
      if (opened !== undefined) await scope.settle(Promise.resolve(opened[Symbol.asyncDispose]()))
    },
  }
}

/** What is behind the end of the disk counts as zeros. */
function sumOf({ index, bytes }: PassingCluster, size: number): Buffer {
  const inside = bytes.subarray(0, Math.max(0, size - index * clusterBytes))
  return createHash('sha256')
    .update(inside)
    .update(Buffer.alloc(clusterBytes - inside.length))
    .digest()
    .subarray(0, 16)
}
