import type { BackupResult } from '../spec/backup.ts'
import type { ByteCounts, RunWarning } from './manifest-types.ts'

/** What a backup made. */
export interface BackupOutcome {
  readonly repository: string
  readonly point: string
  readonly number: number
  /** ISO 8601 UTC. */
  readonly createdAt: string
  readonly consistency: BackupResult['consistency']
  readonly bytes: ByteCounts
  readonly items: readonly ItemOutcome[]
  readonly skipped: BackupResult['skipped']
  readonly warnings: readonly RunWarning[]
}

/** One disk or stream of a backup; sizes in bytes. */
export interface ItemOutcome {
  readonly name: string
  readonly form: 'full' | 'incremental' | 'kept' | 'zstd' | 'gzip'
  /** What lies in the repository: a disk as `qcow2`, or a stream of this format. Absent in results of versions before it was told. */
  readonly format?: 'qcow2' | 'vmdk' | 'tar' | 'bytes'
  /** Why a disk is full or incremental. */
  readonly reason?: string
  readonly size: number
  readonly stored: number
}

/** What a snapshot run made. */
export interface SnapshotOutcome {
  readonly provider: string
  /** Id on the platform. */
  readonly workload: string
  /** The platform's id of the snapshot. */
  readonly snapshot: string
  readonly name: string
  /** ISO 8601 UTC, by the platform's clock. */
  readonly createdAt: string
  readonly memory: boolean
  /** Whether the guest was asked to flush and did: not what was wanted, but what came of it. */
  readonly quiesced: boolean
  readonly warnings: readonly RunWarning[]
}

/** What the retention of a snapshot plan removed from one workload. */
export interface PruneSnapshotsOutcome {
  readonly provider: string
  readonly workload: string
  readonly plan: string
  /** Oldest first. `reason`: why it went, in words. */
  readonly removed: readonly { readonly snapshot: string; readonly name: string; readonly createdAt: string; readonly reason: string }[]
  /** Snapshots of the plan that are still there. */
  readonly kept: number
  readonly warnings: readonly RunWarning[]
}

/** What a restore delivered. */
export interface RestoreOutcome {
  readonly repository: string
  readonly point: string
  readonly provider: string
  /** Id on the platform. A test restore has undone it. */
  readonly workload: string
  readonly purpose: 'recover' | 'test'
  readonly probe?: { readonly verdict: 'ok' | 'failed' | 'unknown'; readonly evidence: string }
}

/** Clusters of a disk that follow one another: `cluster` is the index of the first, `offset` and `length` are bytes as the guest sees them. */
export interface DamagedRange {
  readonly cluster: number
  readonly offset: number
  readonly length: number
}

/** What of a disk is damaged. */
export interface DamagedDisk {
  /** Outlives renames. */
  readonly key: string
  /** How many clusters are known to be damaged; 0 when it could not be told which, as of a file that is gone. */
  readonly clusters: number
  /** Where they are, in guest order; at most the first 100 ranges. */
  readonly ranges: readonly DamagedRange[]
}

/** Something that verify or rescan found wrong. */
export interface Finding {
  readonly point: string
  /** Path in the repository. */
  readonly file: string
  readonly message: string
  /** Of the files of a disk. */
  readonly disk?: DamagedDisk
  /** Of a verification: ids of the points that build on what is damaged, near and far, oldest first, as they were then. Absent: none. */
  readonly affects?: readonly string[]
}

/** What a verification saw. */
export interface VerifyOutcome {
  readonly repository: string
  readonly mode: 'quick' | 'full'
  /** Points that were looked at. */
  readonly points: number
  readonly bytes: number
  readonly findings: readonly Finding[]
}

/** What a merge wrote. */
export interface MergeOutcome {
  readonly repository: string
  readonly point: string
  /** The number that is the point now. Absent: retention asked for the merge, and the point has been deleted since. */
  readonly number?: number
  /** Disks that were written anew; none when there was nothing to merge. Sizes in bytes. */
  readonly disks: readonly {
    readonly name: string
    readonly form: 'full' | 'incremental'
    readonly reason: string
    readonly stored: number
  }[]
}

/** What a copy wrote. */
export interface CopyOutcome {
  /** Where it went. */
  readonly repository: string
  /** The point that was copied; absent when none was wanted that is not there. */
  readonly point?: string
  readonly number?: number
  /** Of that point, bytes that lie there now. */
  readonly stored: number
}

/** What a prune deleted. */
export interface PruneOutcome {
  readonly repository: string
  readonly points: readonly string[]
  readonly bytes: number
  /** Of a prune by retention: why each of them went, and how many points stay. */
  readonly reasons?: { readonly [point: string]: string }
  readonly kept?: number
  /** Of a prune by retention: runs that follow, because points stay only until others have been merged with them. */
  readonly merges?: readonly string[]
}

/** What a sweep saw. */
export interface SweepOutcome {
  readonly repository: string
  /** There are points that the catalog does not know; a rescan follows. */
  readonly unknownPoints: boolean
}

/** What a rescan changed in the catalog. */
export interface RescanOutcome {
  readonly repository: string
  readonly added: number
  readonly removed: number
  readonly findings: readonly Finding[]
}
