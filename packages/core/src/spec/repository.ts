import type { BlockSource, ByteStream, CallOptions } from './blocks.ts'
import type { Check } from './check.ts'

/** One stored file, open for reading. What was opened stays readable as it was, or a read rejects; it never mixes two versions. */
export interface StoredBytes extends BlockSource {
  /**
   * The bytes from `start` up to, not including, `end`; both within the file. May be called several times. A read that comes out shorter rejects with
   * TRUNCATED.
   */
  stream(range: { readonly start: number; readonly end: number }, options: CallOptions): ByteStream
}

/**
 * Where backups lie: a store of files by name. It knows nothing of points and decides nothing.
 *
 * Paths are relative to the repository's root, `/`-separated, without empty parts, `.` or `..`; anything else rejects with PATH_OUTSIDE before storage is
 * touched. Nothing is ever renamed by a caller; only flags, dead numbers and `repository.json` are put again. Calls may run in parallel, from several
 * processes and hosts. On abort a call starts nothing new and rejects with ABORTED or the signal's reason; whether its last request took effect is then
 * unknown, as after any time-out.
 *
 * Codes of every call: REPOSITORY_MISSING (root not there or not mounted), REPOSITORY_NOT_WRITABLE, ACCESS_DENIED (may not
 * be read), DISK_FULL, REPOSITORY_FAILED (anything else).
 */
export interface Repository extends AsyncDisposable {
  /** Version of this contract. */
  readonly specVersion: 1
  /**
   * `atomic`: of several writers of one name with `ifAbsent` exactly one succeeds. `none`: two may (some S3 servers); the engine then waits out the
   * grace time before it heals.
   */
  readonly createIfAbsent: 'atomic' | 'none'
  /** Reachable, writable, free space. Changes nothing that `list` shows. Problems are findings, not rejections. */
  check(options: CallOptions): Promise<readonly Check[]>
  /**
   * Stores a file: durable when it resolves (file, folder and new parent folders), visible only when whole. Reads `bytes` once and disposes it on every
   * path; its rejection is passed on and leaves nothing visible. `size`, in bytes, is what the stream will have: any other length rejects with TRUNCATED.
   *
   * With `ifAbsent` it rejects with EXISTS if the name is taken, and never overwrites. Without, it replaces the whole file at once. Not to be repeated blindly:
   * after a time-out or EXISTS the caller reads the name, since the write may have been its own. `retainUntil` (ISO 8601 UTC) is refused with
   * UNSUPPORTED where `retention` is absent. Answers with the stored size; `sha256` (lower-case hex) only if the stored bytes differ from those given.
   */
  put(
    path: string,
    bytes: ByteStream,
    options: CallOptions & { readonly size?: number; readonly ifAbsent?: boolean; readonly retainUntil?: string },
  ): Promise<{ readonly size: number; readonly sha256?: string }>
  /** Opens a file for reading; sees every `put` that has resolved, whoever made it. NOT_FOUND is proof of absence; nothing else is. */
  open(path: string, options: CallOptions): Promise<StoredBytes>
  /** Every visible file whose path begins with `prefix` (empty, or a folder ending in `/`), folders below included, in any order. May lag behind; never proof of absence. */
  list(
    prefix: string,
    options: CallOptions,
  ): AsyncIterable<{
    readonly path: string
    readonly size: number /** Since it was last put, by the storage's own clock. */
    readonly ageMs: number
  }>
  /** All names now visible in this folder, their bytes, the folder and its parents are durable when it resolves, whoever wrote them. Object stores: at once. Idempotent; a folder that is not there is success. Rules adopt-syncs, sync-deletes. */
  sync(folder: string, options: CallOptions): Promise<void>
  /**
   * Durable when it resolves. Idempotent: what is gone already is success. A path that ends with `/` means everything below it, also what was never
   * visible: temporary files and unfinished uploads of writers that died. Only prune and the settling of a number call it.
   */
  delete(path: string, options: CallOptions): Promise<void>
  /**
   * File systems only: `path` becomes another name of `target`, so that backing names in files stay true for other tools. Idempotent, durable. `list` does
   * not show aliases, and our own readers never follow them; deleting `target` deletes its aliases first. Rejects with EXISTS when a file has that name;
   * with `replace` that file gives way in the same moment, so that other tools always find one of the two. Only prune replaces, what it may delete.
   */
  alias?(path: string, target: string, options: CallOptions & { readonly replace?: boolean }): Promise<void>
  /** Only where the storage itself can refuse deletion until a time (ISO 8601 UTC). `extend` never shortens. */
  readonly retention?: {
    /** From now on the storage refuses to delete the file before `until`. An earlier time than the present one changes nothing and is success, so it may be repeated. */
    extend(path: string, until: string, options: CallOptions): Promise<void>
  }
}
