import type { BlockSource, ByteStream, CallOptions, MappedBlocks } from './blocks.ts'
import type { Json } from './json.ts'
import type { Machine } from './workload.ts'

/** `key` is the disk's identity across points and renames: the chain follows it. */
export interface Disk {
  readonly key: string
  readonly name: string
  readonly size: number
}
/** The committed point to build on. Older checkpoints with the same system and plan in their mark may be removed once it was accepted. */
export interface Base {
  readonly checkpoint?: Json
  readonly disks: readonly { readonly key: string; readonly size: number }[]
}
export interface BackupRequest {
  readonly workload: string
  readonly base?: Base
  readonly options: Json
}
/** `all`: gaps between extents are zero. `changes`: gaps are as in the base. `unmapped`: the engine looks at every byte. */
export type BlocksItem = { readonly disk: Disk /** Why a disk is full although a base was given. */; readonly reason?: string } & (
  | { readonly covers: 'all' | 'changes'; open(options: CallOptions): Promise<MappedBlocks> }
  | { readonly covers: 'unmapped'; open(options: CallOptions): Promise<BlockSource> }
)
/** The engine proves the end of `vmdk` (streamOptimized) and `tar` streams and makes their sums (if the plan has increments) or entry index while they pass. */
export type StreamItem = {
  readonly name: string
  readonly digests?: readonly 'sha1'[]
  open(options: CallOptions): Promise<ByteStream>
} & ({ readonly format: 'vmdk'; readonly disk: Disk } | { readonly format: 'tar' | 'bytes' })
/** About the bytes as they came, before compression and encryption. `kept`: stored as they came under exactly the item's name, in the folder of the number; otherwise with the suffix of its form (`.zst`, `.gz`, `.age`). */
export interface Receipt {
  readonly size: number
  readonly sha256: string
  readonly sha1?: string
  readonly kept: boolean
}
/**
 * Where a backup puts its items; calls may run in parallel. `open` is called at most once, when a slot is free; the engine closes
 * what it returns on every path. Resolves when the bytes are durable. A rejection ends
 * the attempt: the engine settles it, nothing is put again; retries of a single request belong inside `open`.
 */
export interface BackupSink {
  blocks(item: BlocksItem): Promise<void>
  stream(item: StreamItem): Promise<Receipt>
}
/** Returned when the platform side is settled, so `checkpoint` is valid. A disk that is in neither the items nor `skipped` is a bug. */
export interface BackupResult {
  /** For a provider of the same kind; versioned by it. */
  readonly description: Json
  /** For a provider of any kind. Required for machines. */
  readonly machine?: Machine
  readonly checkpoint?: Json
  readonly consistency: 'off' | 'quiesced' | 'crash' | 'fuzzy'
  readonly skipped: readonly { readonly name: string; readonly reason: string }[]
}
