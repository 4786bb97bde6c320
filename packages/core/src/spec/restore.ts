import type { Disk } from './backup.ts'
import type { ByteStream, CallOptions, MappedBlocks } from './blocks.ts'
import type { Json } from './json.ts'
import type { Machine, Workload } from './workload.ts'

/** One entry of a stored tar stream. */
export interface ArchiveEntry {
  /** Path inside the archive, as it was written: check it before it is used as a path. */
  readonly name: string
  /** `file`, `directory`, `symlink`, `link` and the other types of tar. */
  readonly type: string
  /** Bytes of its content. */
  readonly size: number
  /** Where its content begins, in the stream as it came. */
  readonly offset: number
}

/** A stored stream, decrypted and decompressed. Offsets count the bytes as they came. */
export interface StoredFile {
  /** As the provider gave it. */
  readonly name: string
  /** As the provider gave it. */
  readonly format: 'vmdk' | 'tar' | 'bytes'
  /** Bytes as they came. */
  readonly size: number
  /** Of the bytes as they came, lower-case hex. */
  readonly sha256: string
  /**
   * The bytes from `start` (default 0) up to, not including, `end` (default `size`). May be called again. Read whole, the hash is proven before the
   * stream ends: a mismatch throws CHECKSUM_MISMATCH instead of ending, so what was built from it must not be delivered before that.
   */
  open(options: CallOptions & { readonly start?: number; readonly end?: number }): Promise<ByteStream>
  /** The index that was made when the stream passed. Only for `tar`. */
  entries?(options: CallOptions): AsyncIterable<ArchiveEntry>
}

/** A disk at the point, its chain merged. Every cluster is verified before `readInto` resolves; one that does not match rejects with CHECKSUM_MISMATCH. */
export interface StoredDisk extends Disk {
  /** The whole disk; gaps between extents are zero. May be called again; the caller disposes it. */
  open(options: CallOptions): Promise<MappedBlocks>
  /** Only what differs from an older point (gaps are equal), or undefined when that cannot be told any more. `sincePoint` is a point's id. */
  openChanges(sincePoint: string, options: CallOptions): Promise<MappedBlocks | undefined>
  /** The disk as it was received, if it was kept so. */
  readonly file?: StoredFile
}

/** A point as a provider restores it: any provider, not only the kind that made it. Readable for as long as the restore runs. */
export interface RestoreSource {
  /** The point's id: what a replica records as what it holds. */
  readonly point: string
  /** As it was then. */
  readonly workload: Workload
  /** Present for machines. */
  readonly machine?: Machine
  /** Kind of the provider that wrote `description`; another kind does not read it. */
  readonly kind: string
  /** What that provider returned from its backup. */
  readonly description: Json
  /** In the order they were put. */
  readonly disks: readonly StoredDisk[]
  /** In the order they were put. */
  readonly files: readonly StoredFile[]
}

/** What to make of a point. JSON. */
export interface RestoreRequest {
  /**
   * `recover`: new, or in place of `target`. `test`: new; it is probed and undone. `replica`: make it, or bring `target` (ours, powered off) to this
   * point; the point it holds is recorded on it, and un-recorded before its first write. Replicas and test copies have no network unless `options` maps one.
   */
  readonly purpose: 'recover' | 'replica' | 'test'
  /** What is made gets exactly this name; taken by anything else than this run's own: NAME_TAKEN. */
  readonly name: string
  /** Id of what is brought to this point. Absent: something new is made. In use: IN_USE, before the first change. */
  readonly target?: string
  /** Power it on, or start it, once it is whole. Where nothing can be switched on (a provider without `power`) it is ignored, not refused. */
  readonly start: boolean
  /** What `parseOptions('restore', ...)` returned. */
  readonly options: Json
}

/** What a restore delivered. JSON. */
export interface RestoreResult {
  /** Id on the platform. Of a `test`: what the provider's own probe, which is given it and the same mark, finds the copy by; no inventory need show it. */
  readonly workload: string
}
