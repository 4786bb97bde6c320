import type { Manifest } from '../model/manifest-types.ts'
import type { PointSummary } from '../model/point-row.ts'
import type { RepositoryFile } from '../model/repository-file.ts'
import type { Finding } from '../model/run-outcome.ts'
import type { CallOptions } from '../spec/blocks.ts'
import type { Clock } from '../spec/clock.ts'
import type { Repository } from '../spec/repository.ts'
import type { RestoreSource } from '../spec/restore.ts'
import type { WorkloadRef } from '../spec/workload.ts'
import type { DiskFormat, DiskStream } from '../transfer/disk-stream.ts'
import type { ProgressMeter } from '../transfer/progress-meter.ts'

/** What `openOffline` is given. */
export interface OfflineOptions extends CallOptions {
  /** Only `open` and `list` are ever called on it. */
  readonly repository: Repository
  readonly clock: Clock
  /** Told how many manifests were read. Default: nobody is told. */
  readonly meter?: ProgressMeter
  /** Milliseconds without a byte after which a read fails with STALLED. Default 120,000. */
  readonly stallMs?: number
}

/** What was said of a point by its flag files. Times are ISO 8601 UTC. */
export interface OfflineFlags {
  readonly pin?: string
  readonly holdUntil?: string
  readonly quarantine?: string
  readonly verifiedAt?: string
}

/** A point whose manifest verifies. JSON. */
export interface OfflinePoint {
  readonly id: string
  /** `<workload folder>/<point folder>` in the repository; tells two points apart that have one id. */
  readonly folder: string
  readonly number: number
  readonly workload: WorkloadRef
  /** Place in the order of the workload's points: the highest is the newest. */
  readonly sequence: number
  /** ISO 8601 UTC. */
  readonly createdAt: string
  /** Ids of the points that it builds on directly. */
  readonly parents: readonly string[]
  readonly flags: OfflineFlags
  readonly summary: PointSummary
  /**
   * As far as manifests and flags tell. `quarantined`, `foreign` (written for another repository) and `incomplete` (something below cannot be read)
   * also when it is so of a point that it builds on. Only a `good` one may be taken as the newest; what is asked for by name may be tried: every hash
   * is checked then.
   */
  readonly state: 'good' | 'quarantined' | 'foreign' | 'incomplete'
  /** Why it is not `good`, to be read after "it". */
  readonly problem?: string
  /** What a full verification reads of it, bytes. */
  readonly verifyBytes: number
}

/** A folder of a point of which no manifest can be used. JSON. */
export interface UnreadablePoint {
  readonly id: string
  readonly folder: string
  /** Known when another point of the workload can be read. */
  readonly workload?: WorkloadRef
  /** When its run was due, ISO 8601 UTC: from the name of the folder. */
  readonly due: string
  readonly problem: string
}

/** One point after it was verified, or what belongs to no point (`point` is empty). */
export interface VerifiedPoint {
  readonly point: string
  readonly findings: readonly Finding[]
}

/** Which points, by their folders (default: all; of named ones also what they build on), and how. */
export interface OfflineVerifyOptions extends CallOptions {
  readonly folders?: readonly string[]
  /** `quick`: manifests, names and sizes. `full`: every stored byte. */
  readonly mode: 'quick' | 'full'
  readonly meter: ProgressMeter
}

/** A point open for reading. */
export interface OpenPoint {
  readonly manifest: Manifest
  /** What it builds on, as far as it can be read. */
  readonly ancestors: readonly Manifest[]
  readonly source: RestoreSource
  /**
   * The whole disk at this point as a stream of bytes, its chain merged and every cluster checked on the way; see {@link DiskStream}. Its length is known
   * before its first byte but for `vmdk`. Nothing is written anywhere meanwhile. May be called again; the caller disposes each. `disk` is its key.
   *
   * Throws NOT_FOUND with the keys that there are; POINT_DAMAGED or CHECKSUM_MISMATCH with the file when the chain, its sums or the tables of an
   * image are damaged, here or, with a cluster that differs from its sum, in the middle of the stream; INVALID_OPTIONS when the format cannot hold
   * the disk; ABORTED or the signal's reason.
   */
  streamDisk(disk: string, options: CallOptions & { readonly format: DiskFormat }): Promise<DiskStream>
}

/** A repository that is read without a store: what was found when it was opened, and how to read on. It is never written to. */
export interface OfflineRepository {
  /** Absent: `repository.json` cannot be read; the findings say why. */
  readonly file?: RepositoryFile
  /** The workload with the newest point first, the points of one workload together, newest first. */
  readonly points: readonly OfflinePoint[]
  readonly unreadable: readonly UnreadablePoint[]
  /** Damage that was seen without reading data: `repository.json`, manifests, flags. */
  readonly findings: readonly Finding[]
  /** What is worth knowing and need not be damage: files without a manifest. */
  readonly notes: readonly string[]
  /** The point with everything it builds on, itself first; points that are not there are left out. */
  chain(point: OfflinePoint): readonly OfflinePoint[]
  /** Reads the manifest and those below. Throws POINT_DAMAGED when its own manifest cannot be read any more. */
  open(point: OfflinePoint, options: CallOptions & { readonly meter: ProgressMeter }): Promise<OpenPoint>
  /**
   * Reads the points, oldest first, and what was found of each. Damage is a finding; so is a file that the disk cannot read. Throws when the
   * repository goes away, the signal aborts (ABORTED) or nothing comes any more (STALLED).
   */
  verify(options: OfflineVerifyOptions): AsyncGenerator<VerifiedPoint, void, undefined>
}
