import type { BlockSource, ByteStream, CallOptions } from './blocks.ts'
import type { Check } from './check.ts'

/** One stored file. `readInto` reads by position; `stream` gives the bytes from `start` up to, not including, `end`. */
export interface StoredBytes extends BlockSource {
  stream(range: { readonly start: number; readonly end: number }, options: CallOptions): ByteStream
}

/** Paths are relative, `/`-separated. Nothing is renamed; only flags, dead numbers and `repository.json` are ever put again. */
export interface Repository extends AsyncDisposable {
  readonly specVersion: 1
  /** `none`: two writers of one name may both succeed (some S3 servers); the engine then waits out the grace time before it heals. */
  readonly createIfAbsent: 'atomic' | 'none'
  /** Reachable, writable, free space. */
  check(options: CallOptions): Promise<readonly Check[]>
  /**
   * Durable when it resolves (file, folder and new parent folders), visible only when whole. With `ifAbsent` rejects with EXISTS if the name is
   * taken, and never overwrites. After a time-out or EXISTS the caller reads the name: the write may be its own. `sha256` only if the stored bytes differ from those given.
   */
  put(
    path: string,
    bytes: ByteStream,
    options: CallOptions & { readonly size?: number; readonly ifAbsent?: boolean; readonly retainUntil?: string },
  ): Promise<{ readonly size: number; readonly sha256?: string }>
  /** NOT_FOUND is proof of absence. */
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
  /** All names now visible in this folder, their bytes, the folder and its parents are durable when it resolves, whoever wrote them. Object stores: at once. Rules adopt-syncs, sync-deletes. */
  sync(folder: string, options: CallOptions): Promise<void>
  /**
   * Durable. What is gone already is success. A path that ends with `/` means everything below it, also what was never visible: temporary files and
   * unfinished uploads of writers that died.
   */
  delete(path: string, options: CallOptions): Promise<void>
  /** File systems only: `path` becomes another name of `target`, so that backing names in files stay true for other tools. `list` does not show aliases; deleting `target` deletes its aliases first. */
  alias?(path: string, target: string, options: CallOptions): Promise<void>
  readonly retention?: { extend(path: string, until: string, options: CallOptions): Promise<void> }
}
