/** What the engine may still want to know about a call that waits: when to give up. */
export interface CallOptions {
  readonly signal: AbortSignal
}

/** An error with a stable code. `retryable`: the same call may succeed later without anybody changing anything. `details` survives JSON and holds no secret. */
export interface Failure extends Error {
  readonly code: string
  readonly retryable: boolean
  readonly details?: unknown
}

/** Bytes in order, once. A chunk is the reader's until it asks for the next one. A stream that is not whole throws; it never just ends. Dispose frees what is behind it, also when it was never read. */
export interface ByteStream extends AsyncIterable<Uint8Array>, Partial<AsyncDisposable> {}
/** Guest order, disjoint, 64 KiB aligned except at the end of the disk: a finer map is rounded (data outwards, zero inwards). */
export interface Extent {
  readonly offset: number
  readonly length: number
  readonly kind: 'data' | 'zero'
}
/** A frozen disk or file, read by position. Any range, any order, up to `readers` calls at once; the caller owns the buffer. */
export interface BlockSource extends AsyncDisposable {
  readonly size: number
  /** Reads that may run at once. Default 1. */
  readonly readers?: number
  /** Read length at which the source is fastest. Default 1 MiB. */
  readonly readBytes?: number
  /**
   * Fills the whole target with the bytes from `offset` on, or rejects: it never gives fewer. A range that leaves the source is refused. May be
   * repeated. Rejects when the signal aborts, with its reason or ABORTED. After a rejection the content of the target is undefined.
   */
  readInto(target: Uint8Array, offset: number, options: CallOptions): Promise<void>
}
/** A block source that knows where its data is. `extents` may be called again and answers the same. */
export interface MappedBlocks extends BlockSource {
  /**
   * The map, in guest order. What a gap between two extents means is up to whoever made the source: zeros in a full disk, "as before" in a layer or a
   * list of changes. A reader may stop half-way, and read bytes meanwhile. Rejects when the signal aborts, with its reason or ABORTED.
   */
  extents(options: CallOptions): AsyncIterable<Extent>
}
