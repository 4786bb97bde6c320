import type { BackupResult, Disk } from '../spec/backup.ts'
import type { Json } from '../spec/json.ts'
import type { Machine, Workload } from '../spec/workload.ts'

/** How bytes are compressed in the repository. */
export type Compression = 'zstd' | 'gzip' | 'none'

/** One file of a number, as it lies in the repository. */
export interface StoredFileEntry {
  /** Relative to the point's folder, `/`-separated, for example `1/disk-0.qcow2`. May name a lower number: a merge names unchanged files again. */
  readonly path: string
  /** Stored bytes. */
  readonly size: number
  /** SHA-256 of the stored bytes, lower-case hex. Absent only for qcow2, which is covered by {@link DiskItem.metadata} and the cluster sums. */
  readonly sha256?: string
}

/** A disk kept as qcow2 with a cluster sum beside it. */
export interface DiskItem {
  readonly type: 'disk'
  readonly disk: Disk
  /** In a manifest always `qcow2`. `vmdk`: what `diskEntryOf` makes of a stream, the lowest layer of a chain. */
  readonly format: 'qcow2' | 'vmdk'
  readonly file: StoredFileEntry
  /** The bytes of the file before its first data cluster: header, tables, refcounts. */
  readonly metadata: { readonly size: number; readonly sha256: string }
  readonly sums: StoredFileEntry
  /** SHA-256 over (cluster index as u64 LE, its sum) of every cluster of the whole merged disk that is not all zero, in guest order. */
  readonly digest: string
  readonly form: 'full' | 'incremental'
  /** Why it is full or incremental, in words a person reads. */
  readonly reason: string
  /** Id of the point it builds on; present exactly when `form` is `incremental`. */
  readonly parent?: string
  /** Guest bytes of the clusters that this file holds as data. */
  readonly dataBytes: number
  /**
   * After a merge, or a copy over a damaged point: the paths, relative to the point's folder, under which older numbers held this disk. Children name them as
   * their backing file; where the storage can, each becomes another name of `file` when its own bytes go.
   */
  readonly replaces?: readonly string[]
}

/** A stream: kept as it came, or compressed whole. */
export interface StreamItem {
  readonly type: 'stream'
  /** As the provider gave it, without the suffix of the form. */
  readonly name: string
  readonly format: 'tar' | 'vmdk' | 'bytes'
  readonly form: 'kept' | 'zstd' | 'gzip'
  /** Bytes as they came. */
  readonly size: number
  /** SHA-256 of the bytes as they came: the logical digest of a stream. */
  readonly sha256: string
  readonly sha1?: string
  readonly file: StoredFileEntry
  /** Entry index; only for `tar`. */
  readonly index?: StoredFileEntry
  /** Only for `vmdk`. */
  readonly disk?: Disk
  /** The cluster sums of the disk in it, and its logical digest, both or none: with them later points can build on it. Only for `vmdk` in the form `kept`. */
  readonly sums?: StoredFileEntry
  readonly digest?: string
  /** The same as of a {@link DiskItem}. Only with `disk`. */
  readonly replaces?: readonly string[]
}

/** One item of a point. */
export type ManifestItem = DiskItem | StreamItem

/** What a backup cost, in bytes. Provisioned: what the guest sees. Used: what holds data. Transferred: what came from the platform. Stored: what lies in the repository. */
export interface ByteCounts {
  readonly provisioned: number
  readonly used: number
  readonly transferred: number
  readonly stored: number
}

/** Something worth knowing about a run that did not make it fail. */
export interface RunWarning {
  readonly code: string
  readonly message: string
}

/**
 * `manifest.<number>.json`: what makes the files of a number a restore point. Written once, never changed; an empty file under this name is a
 * dead number. Times are ISO 8601 UTC, sizes bytes, hashes lower-case hex. On disk its last member is the checksum of all bytes before it.
 */
export interface Manifest {
  readonly formatVersion: 1
  /** Of the repository it was written to; a copy in another repository has that one's. */
  readonly repositoryId: string
  /** `<workload folder>/<point folder>`, relative to the repository's root. */
  readonly folder: string
  readonly number: number
  /** The point's id: the last part of `folder`, the same in every copy and under every number. */
  readonly point: string
  readonly createdAt: string
  /** When the run was due. */
  readonly due: string
  /** As the platform described it then; `provider` is the name under which the application registered the provider. */
  readonly workload: Workload & { readonly provider: string }
  /** Kind of the provider that wrote `description`. */
  readonly providerKind: string
  /** For a provider of any kind. */
  readonly machine?: Machine
  /** The plan's name. Absent for a backup that was asked for by hand. */
  readonly plan?: string
  readonly runKey: string
  readonly attempt: number
  /** Place in the order of this workload's points: above every parent's. "Newest" is the highest. */
  readonly sequence: number
  /** Disk key to the id of the point that disk builds on; only disks that are incremental. */
  readonly parents: { readonly [diskKey: string]: string }
  readonly items: readonly ManifestItem[]
  /** The provider's own, versioned by it. */
  readonly description: Json
  /** The provider's own: where the next increment may start. */
  readonly checkpoint?: Json
  readonly consistency: BackupResult['consistency']
  readonly skipped: BackupResult['skipped']
  readonly bytes: ByteCounts
  readonly warnings: readonly RunWarning[]
  /** Which run has written this number, if it was not the backup itself. `at`: ISO 8601 UTC. */
  readonly rewritten?: { readonly by: 'merge' | 'copy'; readonly runKey: string; readonly attempt: number; readonly at: string }
  readonly software: { readonly name: string; readonly version: string }
}
