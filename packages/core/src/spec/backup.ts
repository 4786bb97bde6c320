import type { BlockSource, ByteStream, CallOptions, MappedBlocks } from './blocks.ts'
import type { Json } from './json.ts'
import type { Machine } from './workload.ts'

/** A disk of a workload, as it was at the point. */
export interface Disk {
  /** The disk's identity across points and renames: the chain follows it. Unique within the workload, never reused for another disk. */
  readonly key: string
  /** What people call it; becomes part of a file name. */
  readonly name: string
  /** What the guest sees, in bytes. A disk that has grown since the base is still the same disk. */
  readonly size: number
}

/** The committed point that a backup may build on. It is an offer: a single disk may still come whole, with a `reason`. */
export interface Base {
  /**
   * What the provider returned as {@link BackupResult.checkpoint} of that point. Older checkpoints on the platform whose mark has the same system and
   * plan may be removed once this one was accepted: no point that could need them is the newest any more.
   */
  readonly checkpoint?: Json
  /** The disks of that point which can be built on, with their size then. A disk that is not among them is put with `covers: 'all'` or `'unmapped'`. */
  readonly disks: readonly { readonly key: string; readonly size: number }[]
}

/** What to back up. JSON. */
export interface BackupRequest {
  /** Id of the workload on the platform, as `workloads` gave it. */
  readonly workload: string
  /** Absent: everything is wanted whole. */
  readonly base?: Base
  /** What `parseOptions('backup', ...)` returned when the plan was put. */
  readonly options: Json
}

/**
 * A disk to be kept as changed or used clusters. `covers` says what the gaps between extents mean. `all`: they are zero. `changes`: they are as in the
 * base. `unmapped`: nobody knows, and the engine looks at every byte; with a base it compares them with the base's sums and keeps what differs.
 *
 * `open` is called at most once, when a slot is free; its signal aborts when the attempt ends. A checkpoint that turns out to be unusable rejects with
 * BASE_LOST: the engine settles this attempt's number and asks once more, without a base.
 */
export type BlocksItem = { readonly disk: Disk /** Why a disk is full although a base was given. */; readonly reason?: string } & (
  | {
      readonly covers: 'all' | 'changes'
      /** The disk frozen at the point, with its map. Called at most once; the engine disposes the result. BASE_LOST: the base cannot be built on. */
      open(options: CallOptions): Promise<MappedBlocks>
    }
  | {
      readonly covers: 'unmapped'
      /** The disk frozen at the point. Called at most once; the engine disposes the result. */
      open(options: CallOptions): Promise<BlockSource>
    }
)

/**
 * A stream to be kept. The engine proves the end of `vmdk` (streamOptimized: its footer and end-of-stream marker) and of `tar` (two blocks of zeros) and
 * rejects with TRUNCATED when it is missing; while the bytes pass it makes their sums (if the plan has increments) or the index of entries. `bytes` is
 * anything else, and ends where the stream ends. `name` is unique within the backup and a safe file name. `digests` asks for more in the receipt.
 */
export type StreamItem = {
  readonly name: string
  readonly digests?: readonly 'sha1'[]
  /**
   * The bytes from their beginning. Called at most once, when a slot is free; the engine reads them once and disposes them on every path. The signal
   * aborts when the attempt ends: a stream under way then rejects instead of ending.
   */
  open(options: CallOptions): Promise<ByteStream>
} & ({ readonly format: 'vmdk'; readonly disk: Disk } | { readonly format: 'tar' | 'bytes' })

/** What arrived: about the bytes as they came, before compression and encryption. JSON. */
export interface Receipt {
  /** Bytes. */
  readonly size: number
  /** Lower-case hex. */
  readonly sha256: string
  /** Lower-case hex; present exactly when it was asked for. */
  readonly sha1?: string
  /** Stored as they came under exactly the item's name, in the folder of the number; otherwise with the suffix of its form (`.zst`, `.gz`, `.age`), or as a disk. */
  readonly kept: boolean
}

/**
 * Where a backup puts its items. Calls may run in parallel; the engine limits how many are open at once. `open` is called at most once; the engine closes
 * what it returns on every path. Each call resolves when the bytes are durable in the repository, which is not yet the commit.
 *
 * A rejection ends the attempt: the engine settles it and nothing is put again under this number, so retries of a single request belong inside `open`.
 * Let it pass. Codes: BASE_LOST, STALLED (no bytes for too long), TRUNCATED, ABORTED, those of the repository (DISK_FULL, REPOSITORY_NOT_WRITABLE, ...),
 * PATH_OUTSIDE for a name that cannot be a file name, EXISTS for a name or disk that came twice, and whatever `open` and the stream reject with.
 */
export interface BackupSink {
  /** Keeps a disk as qcow2 with a sum for each cluster. */
  blocks(item: BlocksItem): Promise<void>
  /** Keeps a stream and answers with what a descriptor or a list of hashes must say about it. */
  stream(item: StreamItem): Promise<Receipt>
}

/** What a backup says about itself. Returned when the platform side is settled, so that `checkpoint` is valid. JSON; it becomes part of the manifest. */
export interface BackupResult {
  /** What `restore` of a provider of the same kind needs besides the items; versioned by it. */
  readonly description: Json
  /** The same for a provider of any kind. Required for machines. */
  readonly machine?: Machine
  /** Where the next increment may start. Absent: the platform has no such thing, or it was lost. */
  readonly checkpoint?: Json
  /**
   * What the content can be trusted for. `off`: nothing ran that could write. `quiesced`: the guest or the application was asked to flush. `crash`: as
   * after a power cut, all disks at one moment. `fuzzy`: read while it was being written.
   */
  readonly consistency: 'off' | 'quiesced' | 'crash' | 'fuzzy'
  /** What is not in the backup, and why. A disk that is in neither the items nor here is a bug. */
  readonly skipped: readonly { readonly name: string; readonly reason: string }[]
}
